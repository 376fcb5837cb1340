"""Whether rules share literals: the exact check of what the vocabulary's halves promise."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.text import parse_text
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.schema import FieldKind
from sigma_env.simulation.schemas import catalogue

SHORTEST_LITERAL: Final = 6
"""Characters from which on a text is a literal that may not be shared."""

_SYSTEM: Final = frozenset({"Provider_Name", "Channel", "EventID"})
_NUMBER_FORM: Final = re.compile(r"[dq]word \(0x[0-9a-f]{8,16}\)")
_SEPARATOR: Final = "\x00"
# The plain character of an escape, or what is none: classes, counts, groups' heads and operators.
_EXPRESSION: Final = re.compile(
    r"\\([^a-zA-Z0-9])|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{[^}]*\}|\(\?[a-zA-Z]*:?|[.*+?^$|()]"
)


class Shared(NamedTuple):
    """A literal of one side that occurs in one of the other: `inner` in `outer`, both in lower case."""

    inner: str
    outer: str


def literals(rule: Rule) -> set[str]:
    r"""The literals of a rule, in lower case: texts between wildcards of at least `SHORTEST_LITERAL` characters.

    Of a regular expression, its runs of plain text. What the events' own form decides is none: values of fields that
    can hold one of few texts (`IntegrityLevel: System`), of `Provider_Name`, `Channel` and `EventID`, and numbers in
    the form `DWORD (0x00000001)`, in which Sysmon shows registry values. Names of fields are never literals.
    """
    found: set[str] = set()
    for test in field_tests(rule.condition):
        if test.field in _SYSTEM or _is_chosen(test.field):
            continue
        for value in test.values:
            written = value.written
            if isinstance(written, str):
                texts = _plain_runs(written) if "re" in test.modifiers else _texts(written)
                found.update(
                    text for text in texts if len(text) >= SHORTEST_LITERAL and not _NUMBER_FORM.fullmatch(text)
                )
    return found


def _texts(written: str) -> Iterator[str]:
    return (part.lower() for part in parse_text(written) if isinstance(part, str))


def _plain_runs(expression: str) -> list[str]:
    plain = _EXPRESSION.sub(lambda found: found[1] or _SEPARATOR, expression)
    return plain.lower().split(_SEPARATOR)


@lru_cache(maxsize=1024)
def _is_chosen(field: str | None) -> bool:
    """Whether every event that has the field gives it one of few texts."""
    specs = [spec for schema in catalogue() for name, spec in schema.by_name.items() if name == field]
    return bool(specs) and all(spec.kind is FieldKind.ENUM for spec in specs)


def shares(left: Iterable[Rule], right: Iterable[Rule]) -> list[Shared]:
    """Every literal of one side that is a part of one of the other, or equal to it.

    Args:
        left: rules, such as those for training.
        right: rules, such as those held out.

    Returns:
        One example for each literal that is shared; empty if the sides share none.
    """
    first, second = _all_literals(left), _all_literals(right)
    return [*_found(first, second), *(shared for shared in _found(second, first) if shared.inner != shared.outer)]


def _all_literals(rules: Iterable[Rule]) -> list[str]:
    return sorted(set().union(*(literals(rule) for rule in rules)))


def _found(needles: list[str], haystack: list[str]) -> Iterator[Shared]:
    """Which needles occur in the haystack; only those are searched of which a beginning occurs in it at all."""
    joined = _SEPARATOR.join(haystack)
    beginnings = {text[at : at + SHORTEST_LITERAL] for text in haystack for at in range(len(text))}
    for needle in needles:
        if needle[:SHORTEST_LITERAL] in beginnings and (at := joined.find(needle)) >= 0:
            begin = joined.rfind(_SEPARATOR, 0, at) + 1
            end = joined.find(_SEPARATOR, at)
            yield Shared(needle, joined[begin : end if end >= 0 else None])
