"""A condition as plain facts, without selections and modifiers: which field is compared how with which texts."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from sigma_env.sigma.rule import (
    And,
    AnyText,
    Cidr,
    Compare,
    Exists,
    FieldRef,
    FieldTest,
    Node,
    Not,
    Null,
    Or,
    Pattern,
    Regex,
    Selection,
    Text,
    Value,
    Wildcard,
)
from sigma_env.sigma.text import has_wildcard, number_text, parse_text, pattern_of

Operation: TypeAlias = Literal[
    "equals", "startswith", "endswith", "contains", "regex", "cidr", "gt", "gte", "lt", "lte", "null", "empty", "any",
    "present", "absent", "ref_equals", "ref_startswith", "ref_endswith", "ref_contains",
]  # fmt: skip

WITHOUT_TEXT: Final = frozenset({"null", "empty", "any", "present", "absent"})
"""Operations that need no text beside them."""

_LISTS: Final = frozenset({"all", "neq"})
_PLACES: Final = {"startswith": (False, True), "endswith": (True, False), "contains": (True, True)}
_ENCODINGS: Final = frozenset({"wide", "utf16", "utf16le", "utf16be", "base64", "base64offset"})
_FLAGS: Final = {"i": "ignorecase", "m": "multiline", "s": "dotall"}


class How(NamedTuple):
    """How texts are compared.

    Attributes:
        operation: the comparison.
        flags: what else matters, in this order: wild (`*` and `?` are wildcards), literal (they are none though they
            occur), cased, windash, ignorecase, multiline, dotall, number (written without quotes).
        encoding: what is done to the text before it is looked for, step by step.
    """

    operation: Operation
    flags: tuple[str, ...] = ()
    encoding: tuple[str, ...] = ()


class Fact(NamedTuple):
    """Something about one field.

    Attributes:
        field: its name; None for any field of the event.
        how: the comparison.
        texts: what it is compared with, as a person reads it; empty for operations without text.
        all: whether every text must hold, not just any.
    """

    field: str | None
    how: How
    texts: tuple[str, ...] = ()
    all: bool = False


class Joint(NamedTuple):
    """Several clauses, all or any of which must hold; never directly in one of the same kind."""

    operator: Literal["and", "or"]
    children: "tuple[Clause, ...]"


class Never(NamedTuple):
    """A clause that must not hold."""

    child: "Clause"


Clause: TypeAlias = Fact | Joint | Never


def clause_of(node: Node) -> Clause:
    """The facts of a condition; joints of joints are flat, and what is said twice is said once."""
    if isinstance(node, Selection):
        return clause_of(node.child)
    if isinstance(node, Not):
        return negation(clause_of(node.child))
    if isinstance(node, And | Or):
        return joint("and" if isinstance(node, And) else "or", [clause_of(child) for child in node.children])
    facts = _facts(node)
    clause = joint("and" if node.all else "or", list(facts))
    return negation(clause) if node.negated else clause


def negation(clause: Clause) -> Clause:
    """The opposite of a clause; a double one is none."""
    return clause.child if isinstance(clause, Never) else Never(clause)


def joint(operator: Literal["and", "or"], clauses: Sequence[Clause]) -> Clause:
    """The clauses joined by an operator, flat and each once; a single one stays alone."""
    flat: dict[Clause, None] = {}
    for clause in clauses:
        if isinstance(clause, Joint) and clause.operator == operator:
            flat.update(dict.fromkeys(clause.children))
        else:
            flat[clause] = None
    return next(iter(flat)) if len(flat) == 1 else Joint(operator, tuple(flat))


def _facts(test: FieldTest) -> list[Fact]:
    """A line's values, those that are compared alike together."""
    groups: dict[How, list[str]] = {}
    for value in test.values:
        how, text = _how(test, value)
        texts = groups.setdefault(how, [])
        if text not in texts:
            texts.append(text)
    return [
        Fact(test.field, how)
        if how.operation in WITHOUT_TEXT
        else Fact(test.field, how, tuple(texts), test.all and len(texts) > 1)
        for how, texts in groups.items()
    ]


def _how(test: FieldTest, value: Value) -> tuple[How, str]:
    written = value.written
    first: Pattern = value.alternatives[0]
    match first:
        case Null():
            return How("null"), ""
        case Exists(present):
            return How("present" if present else "absent"), ""
        case Compare(operation, _):
            return How(operation, ("number",)), _number(written)
        case FieldRef(field, operation):
            return How(f"ref_{operation}"), field  # type: ignore[arg-type]  # one of four
        case Cidr():
            return How("cidr"), str(written)
        case Regex(_, flags):
            return How("regex", tuple([_FLAGS[flag] for flag in flags])), _scalar(written)
    if not isinstance(written, str):
        operation = first.op if isinstance(first, Text) else "equals"
        is_number = isinstance(written, int | float) and not isinstance(written, bool)
        return How(operation, ("number",) if is_number else ()), _scalar(written)
    return _how_text(test, written)


def _how_text(test: FieldTest, written: str) -> tuple[How, str]:
    steps = [step for step in test.modifiers if step not in _LISTS]
    flags = ("cased",) if "cased" in steps else ()
    if not _ENCODINGS.isdisjoint(steps):
        return _how_encoded(test, written, [step for step in steps if step != "cased"], flags)
    if "windash" in steps:
        flags = (*flags, "windash")
    before, after = _place(test, steps)
    parts = parse_text(written)
    placed = (*([Wildcard.MANY] if before else []), *parts, *([Wildcard.MANY] if after else []))
    pattern = pattern_of(placed, cased=True)
    if isinstance(pattern, AnyText):
        return How("any"), ""
    if not isinstance(pattern, Text):
        return How(_operation(before, after), ("wild", *flags)), written
    if not pattern.text and pattern.op == "equals":
        return How("empty"), ""
    return How(pattern.op, (*_literal(pattern.text), *flags)), pattern.text


def _how_encoded(test: FieldTest, written: str, steps: list[str], flags: tuple[str, ...]) -> tuple[How, str]:
    """What comes before the last encoding is encoded too, so it is said as a step; a place after it is a place."""
    end = max(at for at, step in enumerate(steps) if step in _ENCODINGS or step == "windash") + 1
    has_place = not _PLACES.keys().isdisjoint(steps)
    before, after = (False, False) if has_place and end == len(steps) else _place(test, steps[end:])
    operation, encoding = _operation(before, after), tuple(steps[:end])
    parts = parse_text(written)
    if has_wildcard(parts):
        return How(operation, ("wild", *flags), encoding), written
    text = "".join([part for part in parts if isinstance(part, str)])
    return How(operation, (*_literal(text), *flags), encoding), text


def _place(test: FieldTest, steps: list[str]) -> tuple[bool, bool]:
    """Whether anything may stand before and after a text."""
    places = [_PLACES[step] for step in steps if step in _PLACES]
    if test.field is None and not places:
        return True, True
    return any(place[0] for place in places), any(place[1] for place in places)


def _operation(before: bool, after: bool) -> Operation:
    if before:
        return "contains" if after else "endswith"
    return "startswith" if after else "equals"


def _literal(text: str) -> tuple[str, ...]:
    return ("literal",) if "*" in text or "?" in text else ()


def _scalar(written: object) -> str:
    if isinstance(written, bool):
        return str(written).lower()
    return written if isinstance(written, str) else _number(written)


def _number(written: object) -> str:
    if not isinstance(written, int | float):
        raise TypeError(f"{written!r} is no number")
    return number_text(written)
