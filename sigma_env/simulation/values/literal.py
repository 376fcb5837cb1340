"""What a text has to satisfy, with its words in the casing in which the rule's author wrote them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma import text as texts
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.rule import (
    AnyText,
    Cidr,
    Compare,
    Exists,
    FieldRef,
    Glob,
    Null,
    Pattern,
    Regex,
    Text,
    Value,
)

_ENCODINGS = ("utf-16-le", "utf-16-be")


class Need(NamedTuple):
    """A pattern that a text must satisfy.

    Attributes:
        pattern: as the rule tree has it, its literals lower-cased.
        written: the literals in the author's casing: of a Text its text, of a Glob its literal parts one after the
            other, of a Regex its expression; of other patterns what they compare with.
    """

    pattern: Pattern
    written: str


def needs_of(value: Value) -> tuple[Need, ...]:
    """One Need for each alternative of a written value; any one of them is enough."""
    return _needs_of(value) if len(value.alternatives) == 1 else _several(value)


@lru_cache(maxsize=8192)
def _needs_of(value: Value) -> tuple[Need, ...]:
    return tuple(Need(pattern, _cased(pattern, value)) for pattern in value.alternatives)


@lru_cache(maxsize=1024)
def _several(value: Value) -> tuple[Need, ...]:
    spellings: dict[str, str] = {}
    if isinstance(value.written, str):
        for parts in _spellings(value.written):
            text = _literals(parts)
            spellings.setdefault(text.lower(), text)
    needs = []
    for pattern in value.alternatives:
        plain = plain_text(pattern)
        needs.append(Need(pattern, spellings.get(plain.lower(), plain)))
    return tuple(needs)


def _cased(pattern: Pattern, value: Value) -> str:
    plain = plain_text(pattern)
    if not isinstance(pattern, Text | Glob) or not isinstance(value.written, str) or pattern.cased:
        return plain
    for parts in _spellings(value.written):
        text = _literals(parts)
        if text.lower() == plain:
            return text
    return plain


def _spellings(written: str) -> Iterator[texts.Parts]:
    """The texts that modifiers can make of a written one, the plain one first."""
    plain = texts.parse_text(written)
    forms = [plain]
    yield plain
    with suppress(RuleError):  # more dashes than windash serves: it was not used
        forms += texts.windash(plain)
    yield from forms[1:]
    for form in tuple(forms):
        wide: list[tuple[texts.Parts, bool]] = [(form, False)]
        for encoding in _ENCODINGS:
            try:
                encoded = texts.utf16(form, encoding)
            except RuleError:
                continue
            yield encoded
            wide.append((encoded, False))
            wide.append((texts.with_byte_order_mark(encoded), True))
        for parts, marked in wide:
            if not texts.has_wildcard(parts):
                yield texts.encode_base64(parts, marked)
                yield from texts.encode_base64_offsets(parts, marked)


def _literals(parts: Sequence[object]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def plain_text(pattern: Pattern) -> str:
    """The literals of a pattern as the rule tree has them; '' for patterns that have none."""
    match pattern:
        case Text(_, text):
            return text
        case Glob(parts):
            return _literals(parts)
        case Regex(expression):
            return expression
        case Cidr(network):
            return network
        case Compare(_, number):
            return texts.number_text(number)
        case FieldRef(field):
            return field
    return ""


def cut_like(pattern: Glob, written: str) -> tuple[object, ...]:
    """The parts of a wildcard pattern with its literals in the author's casing."""
    parts: list[object] = []
    at = 0
    for part in pattern.parts:
        if isinstance(part, str):
            cased = written[at : at + len(part)]
            at += len(part)
            if not pattern.cased and cased.lower() != part:  # lower-casing changed a length
                return pattern.parts
            parts.append(cased)
        else:
            parts.append(part)
    return tuple(parts)


def satisfies(text: str, require: Sequence[Need], forbid: Sequence[Pattern]) -> bool:
    """Whether a text is accepted by every required pattern and by no forbidden one.

    A present text fails Null, whatever it is; patterns about other fields are left to the caller.
    """
    lower = text.lower()
    return all(accepts(need.pattern, text, lower) for need in require) and not any(
        accepts(pattern, text, lower, of_others=False) for pattern in forbid
    )


def accepts(pattern: Pattern, text: str, lower: str, *, of_others: bool = True) -> bool:
    """`value_holds` for any pattern: Null and Exists are decided by the text being there.

    Args:
        pattern: any pattern.
        text: the field's text.
        lower: the same in lower case.
        of_others: what to take a FieldRef for, which a text alone cannot decide.
    """
    if type(pattern) is Text:
        op, literal, cased = pattern
        body = text if cased else lower
        if op == "contains":
            return literal in body
        if op == "equals":
            return body == literal
        return body.endswith(literal) if op == "endswith" else body.startswith(literal)
    if isinstance(pattern, AnyText):
        return True
    if isinstance(pattern, Null):
        return False
    if isinstance(pattern, Exists):
        return pattern.present
    return of_others if isinstance(pattern, FieldRef) else value_holds(pattern, text)
