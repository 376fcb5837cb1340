"""Why a line did not hold on a value, where the reason is one of the traps of Sigma or YAML."""

from collections.abc import Iterable, Iterator, Sequence

import yaml

from sigma_env.engines.evaluator import value_holds
from sigma_env.engines.patterns import parse_number
from sigma_env.engines.switched_show import is_unmapped
from sigma_env.events.column import Scalar, render
from sigma_env.sigma.chainsaw_tree import FieldCheck, NumberIs, TypedPattern
from sigma_env.sigma.errors import InvalidRule
from sigma_env.sigma.rule import FieldTest, Null, Pattern, Regex, Text, Value
from sigma_env.sigma.text import number_text


def yaml_hints(text: str) -> Iterator[str]:
    """Unquoted values that YAML reads as another text than what was written, such as 0x17 (23) or yes (true).

    Args:
        text: YAML that has been read without a fault.
    """
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            read = _as_read(event.value)
            if read is not None and read != event.value:
                where = "" if event.start_mark is None else f"line {event.start_mark.line + 1}: "
                yield f"{where}unquoted {event.value} is {read} in YAML; write '{event.value}' to match that text"


def _as_read(written: str) -> str | None:
    """The text that an unquoted number or boolean is compared as."""
    try:
        value = yaml.load(written, Loader=yaml.CSafeLoader)
        if isinstance(value, bool):
            return "true" if value else "false"
        return number_text(value) if isinstance(value, int | float) else None
    except (yaml.YAMLError, ValueError, InvalidRule):
        return None


def line_hint(test: FieldTest, seen: Sequence[str | None], fields: Iterable[str]) -> str | None:
    """What may have been overlooked in a line that does not hold, or None.

    Args:
        test: the line.
        seen: the event's values of its field, none if the field is absent.
        fields: names of all fields that such events have.
    """
    if test.field is None or test.negated:
        return None
    if not seen:
        return _absent_hint(test, fields)
    for value in test.values:
        for pattern in value.alternatives:
            for text in seen:
                hint = None if text is None else _value_hint(value, pattern, text)
                if hint is not None:
                    return hint
    return None


def check_hint(check: FieldCheck, seen: Sequence[Scalar], fields: Iterable[str]) -> str | None:
    """What may have been overlooked in a test of Chainsaw's meaning that is not True, or None.

    Args:
        check: the test.
        seen: the event's values of its field, none if the field is absent.
        fields: names of all fields that such events have.
    """
    if not seen:
        return _unmapped_hint(check.field, fields)
    if len(seen) > 1:
        return None
    (value,) = seen
    for pattern in check.patterns:
        if isinstance(value, str):
            hint = _written_text_hint(pattern, value)
        else:
            same = isinstance(pattern, Text) and value is not None and render(value)[0] == pattern.text
            hint = "text never equals a number or boolean here; write it without quotes" if same else None
        if hint is not None:
            return hint
    return None


def _unmapped_hint(field: str, fields: Iterable[str]) -> str | None:
    for name in fields:
        if name == field and is_unmapped(field):
            return f"the event has it; write Event.EventData.{field}"
        if name != field and name.lower() == field.lower():
            return f"names are case-sensitive: the field is {name}"
    return None


def _written_text_hint(pattern: TypedPattern, text: str) -> str | None:
    if isinstance(pattern, NumberIs):
        return "a number never equals text here; write it in quotes" if str(pattern.number) == text else None
    if isinstance(pattern, Regex):
        return "re is case-sensitive; begin it with (?i)" if value_holds(Regex(pattern.pattern, "i"), text) else None
    if not isinstance(pattern, Text):
        return None
    if pattern.cased:
        without_case = Text("contains", pattern.text.lower())
        return "a value with * or ? inside is compared with case" if value_holds(without_case, text) else None
    return _whole_text_hint(pattern.text.lower(), text.lower()) if pattern.op == "equals" else None


def _absent_hint(test: FieldTest, fields: Iterable[str]) -> str | None:
    assert test.field is not None
    for name in fields:
        if name.lower() == test.field.lower():
            return f"names are case-sensitive: the field is {name}"
    if any(value.written == "" for value in test.values):
        return "'' is present and empty; an absent field is null"
    return None


def _value_hint(value: Value, pattern: Pattern, text: str) -> str | None:
    if isinstance(pattern, Null):
        if text == "":
            return "null is an absent field; write '' for one that is there and empty"
        return "'-' is text; null is an absent field" if text == "-" else None
    if isinstance(pattern, Regex):
        insensitive = pattern._replace(flags="".join(sorted({*pattern.flags, "i"})))
        return "re is case-sensitive; re|i would match" if value_holds(insensitive, text) else None
    return _text_hint(value, pattern, text) if isinstance(pattern, Text) else None


def _text_hint(value: Value, pattern: Text, text: str) -> str | None:
    literal, lowered = pattern.text.lower(), text.lower()
    if (
        isinstance(value.written, int)
        and not isinstance(value.written, bool)
        and parse_number(lowered) == value.written
    ):
        return f"numbers are compared as decimal text; write '{text}'"
    if pattern.cased and value_holds(Text(pattern.op, literal), text):
        return "cased compares with case"
    if literal.startswith("\\") and value_holds(pattern._replace(text="\\" + literal), text):
        return r"two backslashes in a rule are one; a UNC path needs four"
    return _whole_text_hint(literal, lowered) if pattern.op == "equals" else None


def _whole_text_hint(literal: str, lowered: str) -> str | None:
    if not literal:
        return None
    if lowered.startswith(literal):
        return "a plain value must be the whole text; startswith would match"
    if lowered.endswith(literal):
        return "a plain value must be the whole text; endswith would match"
    return "a plain value must be the whole text; contains would match" if literal in lowered else None
