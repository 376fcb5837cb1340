"""Document → rule: our own validator, for the hot path. pySigma 2 is its oracle in a differential test.

A mapping is a rule if pySigma 2 loads its logsource and detection, every condition can be parsed,
and no list of values is empty. Where this differs from pySigma, the test lists why.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sigma_env.sigma.condition import parse_condition, resolve, split_aggregation
from sigma_env.sigma.errors import InvalidRule, RuleError, TooComplex, UnsupportedRule
from sigma_env.sigma.limits import RULE_LIMITS, Limits
from sigma_env.sigma.modifiers import NO_MODIFIERS, Chain, make_value, parse_chain
from sigma_env.sigma.rule import And, FieldTest, LogSource, Meta, Node, Or, Regex, Rule, Selection, Value

_NO_META: Final = Meta()
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_DATES: Final = {"date": "date", "datetime": "time"}
_NO_VALUES: Final = "the list of values is empty; give a value, or null for an absent field"
_CONDITION: Final = "condition"
_TIMEFRAME: Final = "timeframe"
_KEYWORD_CHAIN: Final = NO_MODIFIERS._replace(op="contains")


def parse_rule(document: Mapping[Any, Any], limits: Limits = RULE_LIMITS, meta: Meta = _NO_META) -> Rule:
    """Make a rule of a document; only its `logsource` and `detection` are read.

    Args:
        document: What YAML made of a rule's text: mappings, lists and scalars.
        limits: Caps on the rule.
        meta: What the rule says about itself.

    Raises:
        InvalidRule: The document is no Sigma rule; the message names selection, field and modifier.
        UnsupportedRule: It is one, but uses what is not served (expand, parts of a time, timeframe,
            aggregations, correlations, filters).
        TooComplex: It passes a cap.
    """
    if "detection" not in document:
        _refuse_other_documents(document)
        raise InvalidRule("the rule has no 'detection'; write one with a selection and a condition")
    logsource = parse_logsource(document, limits)
    detection = document["detection"]
    if not isinstance(detection, Mapping):
        raise InvalidRule(f"'detection' is {_kind(detection)}; it must be a mapping of selections and 'condition'")
    if _CONDITION not in detection:
        raise InvalidRule("'detection' has no 'condition'; write e.g. 'condition: selection'")
    reader = _Detection(limits)
    selections = reader.selections(detection)
    condition, conditions = reader.condition(detection[_CONDITION], selections)
    rule = Rule(logsource, condition, conditions, {"logsource": document["logsource"], "detection": detection}, meta)
    if reader.unsupported is not None:
        raise UnsupportedRule(reader.unsupported, rule)
    return rule


def parse_logsource(document: Mapping[Any, Any], limits: Limits = RULE_LIMITS) -> LogSource:
    """Read the `logsource` of a document; names are stripped and lower-cased.

    Raises:
        InvalidRule: It is absent, no mapping, empty, or has a name that is no text.
        TooComplex: A name is too long.
    """
    logsource = document.get("logsource")
    if not isinstance(logsource, Mapping):
        found = "missing" if "logsource" not in document else _kind(logsource)
        raise InvalidRule(f"'logsource' is {found}; it must be a mapping with category, product or service")
    names = []
    for part in ("category", "product", "service", "definition"):
        name = logsource.get(part)
        if name is not None and type(name) is not str:
            raise InvalidRule(f"logsource: '{part}' is {_kind(name)}; it must be text")
        if name is not None and part != "definition" and len(name) > limits.logsource_chars:
            raise TooComplex(f"logsource: '{part}' has {len(name)} characters; at most {limits.logsource_chars}")
        names.append(name)
    category, product, service, _ = names
    if category is None and product is None and service is None:
        raise InvalidRule("'logsource' is empty; give a category, a product or a service")
    return LogSource(_name(category), _name(product), _name(service))


def _name(written: str | None) -> str | None:
    return (written.strip().lower() or None) if written is not None else None


def _refuse_other_documents(document: Mapping[Any, Any]) -> None:
    """Tell correlations and filters, which are Sigma but no rules over events, from what is no Sigma at all."""
    for key, needs in (("correlation", ("type", "rules")), ("filter", ("rules", "condition"))):
        body = document.get(key)
        if isinstance(body, Mapping) and all(need in body for need in needs):
            try:
                logsource = parse_logsource(document)
            except RuleError:
                logsource = None
            raise UnsupportedRule(f"a {key} document is no rule over events; write a rule", logsource=logsource)


class _Detection:
    """Reads one detection and counts what it costs.

    Attributes:
        unsupported: The first part of the rule that is not served, None if there is none.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.unsupported: str | None = None
        self._tests = 0
        self._values = 0
        self._patterns = 0
        self._regexes = 0

    def selections(self, detection: Mapping[Any, Any]) -> dict[str, Selection]:
        """Every selection of the detection, also those that no condition names."""
        limits = self.limits
        if len(detection) - 1 > limits.selections:
            raise TooComplex(f"{len(detection) - 1} selections; at most {limits.selections}")
        selections: dict[str, Selection] = {}
        for name, definition in detection.items():
            if name == _CONDITION:
                continue
            if type(name) is not str:
                raise InvalidRule(f"the selection {name!r:.40} has a name that is {_kind(name)}; quote it")
            try:
                selection = Selection(name, self.definition(definition, limits.yaml_depth))
            except RuleError as error:
                raise type(error)(f"selection '{name:.100}': {error}") from None
            if name == _TIMEFRAME:
                self.refuse("'timeframe' belongs to aggregations, which are not served; leave it out")
            else:
                selections[name] = selection
        if not selections:
            raise InvalidRule("'detection' has no selection; write one beside 'condition'")
        return selections

    def refuse(self, reason: str) -> None:
        """Note a part that is not served; an invalid rule stays invalid, so reading goes on."""
        if self.unsupported is None:
            self.unsupported = reason

    def definition(self, definition: Any, depth: int) -> Node:
        """A selection: a mapping (AND), a list of plain values (keywords), or a list of selections (OR)."""
        if depth <= 0:
            raise TooComplex("lists are nested too deeply")
        if isinstance(definition, Mapping):
            if not definition:
                raise InvalidRule("it is empty; give it a field and a value")
            tests = tuple([self.field_test(key, values) for key, values in definition.items()])
            return tests[0] if len(tests) == 1 else And(tests)
        if isinstance(definition, list):
            if not definition:
                raise InvalidRule(_NO_VALUES)
            if all(type(item) in _SCALARS for item in definition):
                return self.test(None, _KEYWORD_CHAIN, definition)
            children = tuple([self.definition(item, depth - 1) for item in definition])
            return children[0] if len(children) == 1 else Or(children)
        return self.test(None, _KEYWORD_CHAIN, [definition])

    def field_test(self, key: Any, values: Any) -> FieldTest:
        """One line of a mapping."""
        written = values if isinstance(values, list) else [values]
        if not written:
            raise InvalidRule(f"field '{key!s:.100}': {_NO_VALUES}")
        if key is None:
            field, chain = None, _KEYWORD_CHAIN
        elif type(key) is str:
            field, chain = _field_and_chain(key, self.limits.field_chars, self.limits.modifiers)
        else:
            raise InvalidRule(f"the field {key!r:.40} is {_kind(key)}; quote it")
        try:
            return self.test(field, chain, written)
        except RuleError as error:
            raise type(error)(f"field '{key}': {error}") from None

    def test(self, field: str | None, chain: Chain, written: list[Any]) -> FieldTest:
        """A field (None: keywords) and its values."""
        limits = self.limits
        self._tests += 1
        self._values += len(written)
        if self._tests > limits.field_tests:
            raise TooComplex(f"more than {limits.field_tests} fields in a rule")
        if self._values > limits.values:
            raise TooComplex(f"more than {limits.values} values in a rule")
        if chain.unsupported is not None:
            self.refuse(f"field '{'|'.join((field or '', *chain.names))}': {chain.unsupported}")
        is_keyword = field is None
        values = []
        for value in written:
            if type(value) not in _SCALARS:
                raise InvalidRule(f"a value is {_kind(value)}; values are text, numbers, booleans or null")
            values.append(self.counted(make_value(chain, value, is_keyword, limits)))
        return FieldTest(field, chain.names, tuple(values), chain.all, chain.negated)

    def counted(self, value: Value) -> Value:
        """`value`, after adding up what it costs."""
        alternatives = value.alternatives
        self._patterns += len(alternatives)
        if self._patterns > self.limits.patterns:
            raise TooComplex(f"the modifiers make more than {self.limits.patterns} patterns of the rule's values")
        if type(alternatives[0]) is Regex:
            self._regexes += 1
            if self._regexes > self.limits.regexes:
                raise TooComplex(f"more than {self.limits.regexes} regular expressions in a rule")
        return value

    def condition(self, written: Any, selections: Mapping[str, Selection]) -> tuple[Node, tuple[str, ...]]:
        """The OR of all conditions, and their texts."""
        conditions = written if isinstance(written, list) else [written]
        if not conditions:
            raise InvalidRule("the list of conditions is empty; write e.g. 'condition: selection'")
        if len(conditions) > self.limits.conditions:
            raise TooComplex(f"{len(conditions)} conditions; at most {self.limits.conditions}")
        nodes = []
        for text in conditions:
            if type(text) is not str:
                raise InvalidRule(f"a condition is {_kind(text)}; it must be text such as 'selection and not filter'")
            if len(text) > self.limits.condition_chars:
                raise TooComplex(f"a condition of {len(text)} characters; at most {self.limits.condition_chars}")
            proper, aggregation = split_aggregation(text)
            if aggregation is not None:
                self.refuse(f"the aggregation '| {aggregation:.40}' is not served; leave it out")
            expression = parse_condition(proper, self.limits.condition_depth)
            nodes.append(resolve(expression, selections, self.limits))
        return (nodes[0] if len(nodes) == 1 else Or(tuple(nodes))), tuple(conditions)


@lru_cache(maxsize=1024)
def _field_and_chain(key: str, most_characters: int, most_modifiers: int) -> tuple[str | None, Chain]:
    """Cut a key at its bars into the field (None for keywords) and its checked modifiers."""
    field, *names = key.split("|")
    if len(field) > most_characters:
        raise TooComplex(f"a field's name of {len(field)} characters; at most {most_characters}")
    if len(names) > most_modifiers:
        raise TooComplex(f"field '{field}': {len(names)} modifiers; at most {most_modifiers}")
    if not names and field:
        return field, NO_MODIFIERS
    try:
        return field or None, parse_chain(tuple(names), not field)
    except RuleError as error:
        raise type(error)(f"field '{key:.200}': {error}") from None


def _kind(value: Any) -> str:
    """What a person calls a value of this type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if type(value) is str:
        return "text"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    return f"a {_DATES.get(type(value).__name__, 'malformed date or number')} (quote it to make it text)"
