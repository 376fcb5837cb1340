"""Other ways to write the same rule. A scorer that is right gives each of them what it gives the reference.

Every rewriting means the same as the reference on any events; one that would not for some rule leaves that rule
alone. At least ten apply to every rule.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from sigma_env.sigma.condition import Junction, Name, Negation
from sigma_env.sigma.errors import TooComplex
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.parser import parse_logsource, parse_rule
from sigma_env.sigma.rewrite import (
    Parts,
    condition_text,
    fenced,
    joined,
    names_in,
    negated,
    parts_of,
    renamed,
    replaced,
    to_yaml,
)
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.taxonomy import Target, select, services
from sigma_env.tasks import lines
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.task import Task

Document: TypeAlias = dict[str, Any]


def equivalents(task: Task) -> list[tuple[str, str]]:
    """Answers that mean what the task's reference means, each with the name of the rewriting; at least ten.

    Raises:
        DatasetError: the reference cannot be run.
    """
    rule = reference_rule(task)
    answers = [(name, fenced(to_yaml(document))) for name, document in _documents(rule)]
    answers.append(("whole_rule", fenced(task.reference)))
    answers.append(("flow_style", fenced(to_yaml(rule.document, flow=True))))
    return answers


def _documents(rule: Rule) -> Iterator[tuple[str, Document]]:
    parts = parts_of(rule)
    for name, rewrite in _REWRITINGS.items():
        document = rewrite(parts)
        text = "" if document is None else to_yaml(document)
        if document is None or text == to_yaml(rule.document) or len(fenced(text).encode()) > ANSWER_LIMITS.text_bytes:
            continue
        try:
            parse_rule(document, ANSWER_LIMITS)
        except TooComplex:  # a reference near the caps of an answer leaves no room for longer forms
            continue
        yield name, document


def _with_condition(parts: Parts, condition: Any) -> Document:
    document = parts.document()
    document["detection"]["condition"] = condition
    return document


# Rewritings of the condition


def _quantifiers_expanded(parts: Parts) -> Document:
    """`1 of` and `all of` written out; parentheses around everything."""
    return parts.document()


def _quantifier(parts: Parts) -> Document | None:
    """`all of` or `1 of` in the place of a chain of names."""
    condition = parts.condition
    if not isinstance(condition, Junction) or not all(isinstance(operand, Name) for operand in condition.operands):
        return None
    used = set(names_in(condition))
    names = {name: f"part_{n}" if name in used else f"unused_{n}" for n, name in enumerate(parts.selections)}
    return _with_condition(renamed(parts, names), f"{'all' if condition.operator == 'and' else '1'} of part_*")


def _double_negation(parts: Parts) -> Document:
    return parts._replace(condition=Negation(Negation(parts.condition))).document()


def _de_morgan(parts: Parts) -> Document | None:
    """The negation of the negation, with every inner `not` moved down to a selection."""
    split = _split(parts) or parts
    if isinstance(split.condition, Name):
        return None
    return split._replace(condition=Negation(negated(split.condition))).document()


def _idempotence(parts: Parts) -> Document:
    return parts._replace(condition=Junction("and", (parts.condition, parts.condition))).document()


def _absorption(parts: Parts) -> Document:
    narrower = Junction("and", (parts.condition, Name(names_in(parts.condition)[0])))
    return parts._replace(condition=Junction("or", (parts.condition, narrower))).document()


def _condition_list(parts: Parts) -> Document:
    """A list of conditions is OR: of the condition's alternatives, or of the condition and itself."""
    condition = parts.condition
    if isinstance(condition, Junction) and condition.operator == "or":
        return _with_condition(parts, [condition_text(operand) for operand in condition.operands])
    return _with_condition(parts, [condition_text(condition)] * 2)


# Rewritings of the selections


def _selections_renamed(parts: Parts) -> Document:
    return renamed(parts, {name: f"s{n}" for n, name in enumerate(parts.selections, 1)}).document()


def _selections_split(parts: Parts) -> Document | None:
    split = _split(parts)
    return None if split is None else split.document()


def _split(parts: Parts) -> Parts | None:
    """A selection per field, or per value where a selection has one field only."""
    selections: dict[str, Any] = {}
    meaning = {}
    for number, (name, definition) in enumerate(parts.selections.items(), 1):
        operator, pieces = lines.pieces(definition)
        new_names = [f"s{number}_{n}" for n in range(1, len(pieces) + 1)]
        selections.update(zip(new_names, pieces, strict=True))
        meaning[name] = joined(operator, [Name(new_name) for new_name in new_names])
    if len(selections) == len(parts.selections):
        return None
    return parts._replace(selections=selections, condition=replaced(parts.condition, meaning))


def _selections_merged(parts: Parts) -> Document | None:
    """One selection of those that the condition joins by `and` at its top, as long as their fields differ."""
    condition = parts.condition
    if not isinstance(condition, Junction) or condition.operator != "and":
        return None
    used = names_in(condition)
    merged: dict[str, Any] = {}
    gone: set[str] = set()
    for operand in condition.operands:
        if isinstance(operand, Name) and used.count(operand.name) == 1:
            definition = parts.selections[operand.name]
            if isinstance(definition, dict) and merged.keys().isdisjoint(definition):
                merged.update(definition)
                gone.add(operand.name)
    if len(gone) < 2:
        return None
    others = [operand for operand in condition.operands if not (isinstance(operand, Name) and operand.name in gone)]
    left = {name: definition for name, definition in parts.selections.items() if name not in gone}
    names = {name: f"other{n}" for n, name in enumerate(left, 1)}
    rest = renamed(parts._replace(selections=left, condition=joined("and", [Name("merged"), *others])), names)
    return rest._replace(selections={"merged": merged, **rest.selections}).document()


def _each_definition(change: Callable[[Any], Any]) -> Callable[[Parts], Document]:
    def rewrite(parts: Parts) -> Document:
        selections = {name: change(definition) for name, definition in parts.selections.items()}
        return parts._replace(selections=selections).document()

    return rewrite


def _everything_reordered(parts: Parts) -> Document:
    """Keys, selections, fields and values the other way round: none of them has an order."""
    selections = {name: lines.reordered(definition) for name, definition in reversed(list(parts.selections.items()))}
    document = parts._replace(selections=selections).document()
    return {"detection": dict(reversed(list(document["detection"].items()))), "logsource": document["logsource"]}


# Rewritings of the logsource


def _product_dropped(parts: Parts) -> Document | None:
    """No product means windows."""
    logsource = parse_logsource({"logsource": parts.logsource})
    if logsource.product != "windows" or (logsource.category is None and logsource.service is None):
        return None
    without = {key: name for key, name in parts.logsource.items() if key != "product"}
    return parts._replace(logsource=without).document()


def _redundant_event_id(parts: Parts) -> Document | None:
    """What the logsource says, said again by EventID."""
    with_ids = _with_event_ids(parts, select(parse_logsource({"logsource": parts.logsource})).targets)
    return None if with_ids is None else with_ids.document()


def _redundant_channel(parts: Parts) -> Document | None:
    """What the logsource says, said again by Channel."""
    targets = select(parse_logsource({"logsource": parts.logsource})).targets
    if not targets or any(target.channel is None for target in targets):
        return None
    channels = sorted({target.channel for target in targets if target.channel is not None})
    return _narrowed(parts, "Channel", channels).document()


def _service_and_event_id(parts: Parts) -> Document | None:
    """A category as the service of its channels and its EventIDs."""
    logsource = parse_logsource({"logsource": parts.logsource})
    if logsource.category is None or logsource.service is not None:
        return None
    targets = select(logsource).targets
    with_ids = _with_event_ids(parts, targets)
    service = _service_of(targets)
    if with_ids is None or service is None:
        return None
    named = {**{key: name for key, name in parts.logsource.items() if key != "category"}, "service": service}
    return with_ids._replace(logsource=named).document()


def _with_event_ids(parts: Parts, targets: tuple[Target, ...]) -> Parts | None:
    if not targets or any(target.event_ids is None for target in targets):
        return None
    ids = sorted({event_id for target in targets for event_id in target.event_ids or ()})
    return _narrowed(parts, "EventID", ids)


def _narrowed(parts: Parts, field: str, values: list[Any]) -> Parts:
    """The rule, and a selection that asks for one of the values."""
    plain = renamed(parts, {name: f"s{n}" for n, name in enumerate(parts.selections, 1)})
    selections = {"kind": {field: values if len(values) > 1 else values[0]}, **plain.selections}
    return plain._replace(selections=selections, condition=Junction("and", (Name("kind"), plain.condition)))


def _service_of(targets: tuple[Target, ...]) -> str | None:
    """A service whose events are those of the targets' channels. It must differ from the category in EventIDs only."""
    channels = {(target.channel, target.provider) for target in targets}
    if len({target.event_ids for target in targets}) != 1:
        return None
    for service in services():
        if {(t.channel, t.provider) for t in select(LogSource(service=service)).targets} == channels:
            return service
    return None


_REWRITINGS: Final[dict[str, Callable[[Parts], Document | None]]] = {
    "quantifiers_expanded": _quantifiers_expanded,
    "quantifier": _quantifier,
    "double_negation": _double_negation,
    "de_morgan": _de_morgan,
    "idempotence": _idempotence,
    "absorption": _absorption,
    "condition_list": _condition_list,
    "selections_renamed": _selections_renamed,
    "selections_split": _selections_split,
    "selections_merged": _selections_merged,
    "list_of_maps": _each_definition(lines.as_list_of_maps),
    "wildcards_for_modifiers": _each_definition(lines.with_wildcards),
    "quoted_numbers": _each_definition(lines.with_quoted_numbers),
    "other_case": _each_definition(lines.in_other_case),
    "values_listed": _each_definition(lines.with_listed_values),
    "values_repeated": _each_definition(lines.with_repeated_values),
    "everything_reordered": _everything_reordered,
    "product_dropped": _product_dropped,
    "redundant_event_id": _redundant_event_id,
    "redundant_channel": _redundant_channel,
    "service_and_event_id": _service_and_event_id,
}
