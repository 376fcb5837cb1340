"""Written values → tests, under switches.

Two steps, because the program takes them one after the other over all identifiers, and what fails first is the reason:
modifiers make a text of each value (`convert`), and its first and last characters say what kind of test it is.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sigma_env.sigma.chainsaw_regex import is_rust_regex, literal_search
from sigma_env.sigma.chainsaw_tree import (
    BoolIs,
    FieldCheck,
    Join,
    NullIs,
    NumberIs,
    Refused,
    TestClass,
    Tree,
    TypedPattern,
)
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.limits import Limits
from sigma_env.sigma.modifiers import NO_MODIFIERS, make_value, parse_chain
from sigma_env.sigma.rule import AnyText, FieldTest, Glob, Pattern, Regex, Scalar, Text, TextOp, Value, Wildcard
from sigma_env.sigma.switches import Switch
from sigma_env.sigma.text import encode_base64_offsets, parse_text, pattern_of

SUPPORTED: Final = frozenset({"contains", "startswith", "endswith", "re", "base64", "base64offset", "all"})
_PRECEDENCE: Final = ("contains", "endswith", "re", "startswith")
_COMPARISONS: Final[tuple[tuple[str, str], ...]] = ((">=", "gte"), (">", "gt"), ("<=", "lte"), ("<", "lt"), ("=", "eq"))
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_LEAST: Final = -(2**63)
_WILD: Final = re.compile(r"[*?]")
_LISTED: Final[tuple[TestClass, ...]] = ("empty", "text", "regex", "marked")
"""The classes that come first in a list, in this order; the others follow as they were written."""
_TEXT_SWITCHES: Final = frozenset({Switch.INNER_WILDCARDS, Switch.QUESTION_MARK, Switch.NO_ESCAPES})


class NotLoaded(Exception):
    """The rule does not load."""

    def __init__(self, reason: str, *, panics: bool = False) -> None:
        super().__init__(reason)
        self.refused = Refused(reason, panics)


class Converted(NamedTuple):
    """A value after its modifiers.

    Attributes:
        written: as in the rule.
        op: where the text must stand; "re" for an expression.
        text: the text, None if the value is none.
    """

    written: Any
    op: str
    text: str | None


def convert(field: str, names: tuple[str, ...], values: list[Any], on: frozenset[Switch]) -> list[Converted]:
    """Applies modifiers to the values of a field.

    Raises:
        NotLoaded: as the program's loader says.
    """
    modifiers = set(names)
    op = next((name for name in _PRECEDENCE if name in modifiers), "equals")
    converted: list[Converted] = []
    for value in values:
        if type(value) is not str:
            converted.append(Converted(value, op, None))
        elif "base64" in modifiers:
            converted.append(Converted(value, op, base64.b64encode(value.encode()).decode()))
        elif "base64offset" in modifiers:
            if not value and Switch.PANICS in on:
                raise NotLoaded(f"{field}: base64offset of an empty text", panics=True)
            converted += [Converted(value, op, "".join(map(str, p))) for p in encode_base64_offsets((value,), False)]
        else:
            converted.append(Converted(value, op, value))
    for one in converted:
        if one.op == "re" and one.text is not None and Switch.RUST_REGEX in on and not is_rust_regex(one.text):
            raise NotLoaded(f"unsupported regex - {one.text}")
    return converted


class _Single(NamedTuple):
    kind: TestClass
    pattern: TypedPattern | None
    strict: bool = True
    whole: Tree | None = None  # what is no test of this shape


def tests(
    field: str, names: tuple[str, ...], values: list[Converted], is_list: bool, on: frozenset[Switch], limits: Limits
) -> Tree:
    """The test of one line.

    Raises:
        NotLoaded: as the program's parser says.
    """
    every = "all" in names
    if every and not is_list and Switch.ALL_NEEDS_LIST in on:
        raise NotLoaded("failed to parse identifier - match condition is only valid for sequences")
    if not values:
        raise NotLoaded(f"failed to parse identifier - failed to parse sequence, {field} has no value")
    singles = [_single(field, names, value, on, limits) for value in values]
    if every and Switch.ALL_NEEDS_LIST in on:
        _check_mixed(singles)
        singles = [
            one._replace(kind="never", pattern=None) if one.kind in ("number", "bool") else one for one in singles
        ]
    return _combined(field, singles, every, on)


def sigma_test(field: str | None, names: tuple[str, ...], written: list[Scalar], limits: Limits) -> FieldTest:
    """A line with the specification's meaning, which no switch changes; without a field it is of keywords.

    Raises:
        RuleError: it is no valid one.
    """
    keyword = field is None
    chain = parse_chain(names, keyword) if names or not keyword else NO_MODIFIERS._replace(op="contains")
    values = tuple([make_value(chain, one, keyword, limits) for one in written])
    return FieldTest(field, chain.names, values, chain.all, chain.negated)


def _check_mixed(singles: Iterable[_Single]) -> None:
    kinds = {"text" if s.kind not in ("number", "bool") else s.kind for s in singles if s.kind != "null"}
    if len(kinds) > 1:
        raise NotLoaded(
            "failed to parse identifier - when using sequence modifiers the all expressions must be of the same type"
        )


def _combined(field: str, singles: list[_Single], every: bool, on: frozenset[Switch]) -> Tree:
    ascii_case = Switch.ASCII_CASE in on
    parts: list[Tree] = []
    by_class: dict[tuple[TestClass, bool], list[TypedPattern]] = {}
    for one in singles:
        if one.whole is None and one.pattern is not None and one.kind in _LISTED[1:]:
            by_class.setdefault((one.kind, one.strict), []).append(one.pattern)
    for kind in _LISTED:
        if kind == "empty":
            parts += [_test(field, one, ascii_case) for one in singles if one.kind == "empty" and one.whole is None]
        for (known, strict), patterns in by_class.items():
            if known == kind:
                parts.append(FieldCheck(field, kind, tuple(patterns), False, ascii_case, strict))
    for one in singles:
        if one.whole is not None:
            parts.append(one.whole)
        elif one.kind not in _LISTED:
            parts.append(_test(field, one, ascii_case))
    if len(parts) == 1:
        only = parts[0]
        if isinstance(only, FieldCheck) and every and len(only.patterns) > 1:
            return only._replace(every=True)
        return only
    if every and all(isinstance(part, FieldCheck) and part.kind == "never" for part in parts):
        return parts[0]
    return Join("and" if every else "or", tuple(parts), grouped=True, kept=every)


def _test(field: str, one: _Single, ascii_case: bool) -> FieldCheck:
    patterns = () if one.pattern is None else (one.pattern,)
    return FieldCheck(field, one.kind, patterns, False, ascii_case, one.strict)


def _single(field: str, names: tuple[str, ...], value: Converted, on: frozenset[Switch], limits: Limits) -> _Single:
    written = value.written
    if value.text is None:
        return _not_text(field, names, written, on, limits)
    strict = Switch.STRICT_TYPES in on
    if value.op == "re":
        if Switch.RUST_REGEX in on:
            return _Single("regex", Regex(value.text), strict)
        return _sigma_single(field, names, written, limits)
    kind, pattern = _text_test(value.op, value.text, on)  # type: ignore[arg-type]  # "re" is no text's place
    if isinstance(pattern, AnyText):
        return _Single(kind, pattern, Switch.STAR_IS_TEXT in on)
    return _Single(kind, pattern, strict)


def _sigma_single(field: str, names: tuple[str, ...], written: Any, limits: Limits) -> _Single:
    try:
        chain = parse_chain(tuple(name for name in names if name != "all"), False)
        value: Value = make_value(chain, written, False, limits)
    except RuleError as error:
        raise NotLoaded(str(error)) from None
    return _Single("any", None, False, FieldTest(field, chain.names, (value,)))


def _not_text(field: str, names: tuple[str, ...], written: Any, on: frozenset[Switch], limits: Limits) -> _Single:
    if isinstance(written, dict):
        return _nested(written)
    if written is None:
        if Switch.PRESENT_NULL in on:
            return _Single("null", NullIs())
        return _sigma_single(field, (), None, limits)
    if Switch.NUMBERS_UNMODIFIED not in on:
        if set(names) - {"all"} or Switch.STRICT_TYPES not in on:
            return _sigma_single(field, names, written, limits)
    elif Switch.STRICT_TYPES not in on:
        return _sigma_single(field, (), written, limits)
    if isinstance(written, bool):
        return _Single("bool", BoolIs(written))
    if isinstance(written, int | float):
        if isinstance(written, int) and not _LEAST <= written < -_LEAST:
            written = float(str(written))  # infinite, where float(int) raises
        return _Single("number", NumberIs("eq", written))
    return _Single("text", Text("equals", str(written).lower()), Switch.STRICT_TYPES in on)


def _nested(value: dict[Any, Any]) -> _Single:
    """A mapping as a value looks into objects, and no field of an event log's data is one."""
    if not value:
        raise NotLoaded("failed to parse identifier - failed to parse mapping")
    if any("|" in str(key) for key in value):
        raise NotLoaded("failed to parse identifier - unsupported character '|'")
    return _Single("bool", None)


def _text_test(op: TextOp, raw: str, on: frozenset[Switch]) -> tuple[TestClass, TypedPattern]:
    inner = raw[1:] if raw[:1] == "*" else raw
    inner = inner[:-1] if inner[-1:] == "*" else inner
    is_searched = op == "equals" and Switch.INNER_WILDCARDS in on and len(raw) > 1 and _WILD.search(inner)
    if is_searched and (Switch.NO_ESCAPES in on or any(isinstance(p, Wildcard) for p in parse_text(raw)[1:-1])):
        return "regex", literal_search(raw)
    text = {"equals": raw, "contains": f"*{raw}*", "startswith": f"{raw}*", "endswith": f"*{raw}"}[op]
    if Switch.QUESTION_MARK in on and text[:1] == "?":
        if not is_rust_regex(text[1:]):
            raise NotLoaded("failed to parse identifier - tau_engine::Error { kind: Parse(InvalidIdentifier), Syntax(")
        return "marked", Regex(text[1:], "i")
    if Switch.NUMERIC_PREFIX in on:
        for sign, name in _COMPARISONS:
            if text.startswith(sign):
                return "number", NumberIs(name, _number(text[len(sign) :]))  # type: ignore[arg-type]
    if op == "equals" and Switch.QUOTES_STRIPPED in on and text[:1] in ("'", '"') and text[:1] == text[-1:]:
        if len(text) == 1:
            if Switch.PANICS in on:
                raise NotLoaded("a value that is a lone quote", panics=True)
        else:
            return "text", Text("equals", text[1:-1].lower())
    if on >= _TEXT_SWITCHES:
        return _tau_text(text)
    return _part_text(op, raw, on)


def _number(text: str) -> int | float:
    if "." in text and _FLOAT.match(text):
        return float(text)
    if _INTEGER.match(text) and _LEAST <= int(text) < -_LEAST:
        return int(text)
    kind = "ParseFloatError" if "." in text else "ParseIntError { kind: InvalidDigit }"
    raise NotLoaded(f"failed to parse identifier - tau_engine::Error {{ kind: Parse(InvalidIdentifier), source: {kind}")


def _tau_text(text: str) -> tuple[TestClass, TypedPattern]:
    if text == "*":
        return "any", AnyText()
    if text[:1] == "*" and text[-1:] == "*":
        return "text", Text("contains", text[1:-1].lower())
    if text[:1] == "*":
        return "text", Text("endswith", text[1:].lower())
    if text[-1:] == "*":
        return "text", Text("startswith", text[:-1].lower())
    return ("text" if text else "empty"), Text("equals", text.lower())


def _part_text(op: TextOp, raw: str, on: frozenset[Switch]) -> tuple[TestClass, Pattern]:
    """A text where some of the switches about `*`, `?` and the backslash are off."""
    if Switch.NO_ESCAPES in on:
        pieces = re.split(r"([*?])", raw)
        parts: list[str | Wildcard] = [Wildcard(p) if p in ("*", "?") else p for p in pieces if p]
    else:
        parts = list(parse_text(raw))
    if Switch.QUESTION_MARK in on:
        parts = ["?" if part is Wildcard.ONE else part for part in parts]
    lead, rest = op in ("contains", "endswith"), op in ("contains", "startswith")
    if Switch.INNER_WILDCARDS in on:
        own_lead = parts[:1] == [Wildcard.MANY] and op in ("equals", "startswith")
        own_rest = parts[-1:] == [Wildcard.MANY] and op in ("equals", "endswith") and len(parts) > own_lead
        inner = parts[own_lead : len(parts) - own_rest]
        parts = [part.value if isinstance(part, Wildcard) else part for part in inner]
        lead, rest = lead or own_lead, rest or own_rest
    placed = ([Wildcard.MANY] if lead else []) + parts + ([Wildcard.MANY] if rest else [])
    pattern = pattern_of(tuple(placed), False)
    if isinstance(pattern, AnyText):
        return "any", pattern
    if isinstance(pattern, Text) and pattern.op == "equals" and not pattern.text:
        return "empty", pattern
    assert isinstance(pattern, Text | Glob)
    return "text", pattern
