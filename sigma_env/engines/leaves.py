"""A line of a rule on the columns of a partition: the rows on which it holds."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sigma_env.engines.base import bit_positions
from sigma_env.engines.patterns import codes_of, few_candidates
from sigma_env.engines.plan import Alternatives, Leaf
from sigma_env.events.column import Column
from sigma_env.sigma.rule import AnyText, Exists, FieldRef, Null, TextOp


class Fields(Protocol):
    """What a rule's fields are: a partition, or what stands for one."""

    def column(self, field: str, view: str | None = None, /) -> Column | None:
        """See `Partition.column`."""
        ...

    def keyword_columns(self) -> Sequence[Column]:
        """See `Partition.keyword_columns`."""
        ...


def leaf_rows(leaf: Leaf, partition: Fields, view: str | None, domain: int) -> int:
    """Rows of the domain on which every group of alternatives holds."""
    column = None
    if leaf.field is not None:
        column = partition.column(leaf.field, view)
        if column is None:
            return domain if all(map(_holds_when_absent, leaf.groups)) else 0
    for group in leaf.groups:
        if column is None:
            domain = _in_any_column(group, partition, view, domain)
        else:
            domain = _in_column(group, column, partition, view, domain)
        if not domain:
            return 0
    return domain


def _holds_when_absent(group: Alternatives) -> bool:
    return any(isinstance(p, Null) or (isinstance(p, Exists) and not p.present) for p in group.others)


def _in_column(group: Alternatives, column: Column, partition: Fields, view: str | None, domain: int) -> int:
    """Rows of the domain on which any of the alternatives holds."""
    among = few_candidates(column, domain)
    codes = column.find_any(group.needles, among) if group.needles else []
    if group.cased:
        codes += column.find_any_cased(group.cased, among)
    rows = 0
    for pattern in group.others:
        if isinstance(pattern, Null):
            rows |= ~column.rows_filled
        elif isinstance(pattern, Exists):
            rows |= column.rows_present if pattern.present else ~column.rows_present
        elif isinstance(pattern, AnyText):
            rows |= column.rows_filled
        elif isinstance(pattern, FieldRef):
            rows |= _field_ref(pattern, column, partition, view, domain)
        else:
            codes += codes_of(pattern, column, among)
    if codes:
        rows |= column.rows_with(codes)
    return domain & rows


def _in_any_column(group: Alternatives, partition: Fields, view: str | None, domain: int) -> int:
    """Rows of the domain on which any of the keywords is in some value of the event."""
    found = 0
    for column in partition.keyword_columns():
        hits = _in_column(group, column, partition, view, domain)
        if hits:
            found |= hits
            domain &= ~hits
            if not domain:
                break
    return found


def _field_ref(pattern: FieldRef, column: Column, partition: Fields, view: str | None, domain: int) -> int:
    other = partition.column(pattern.field, view)
    if other is None:
        return 0
    holds = _FIELD_REF_TESTS[pattern.op]
    known: dict[tuple[frozenset[int], frozenset[int]], bool] = {}  # rows repeat the pairs of few values
    found = 0
    for row in bit_positions(domain & column.rows_filled & other.rows_filled).tolist():
        key = frozenset(column.codes_in((row,))), frozenset(other.codes_in((row,)))
        if key not in known:
            theirs = [other.lower_value(c) for c in key[1]]
            known[key] = any(holds(column.lower_value(c), text) for c in key[0] for text in theirs)
        if known[key]:
            found |= 1 << row
    return found


_FIELD_REF_TESTS: dict[TextOp, Callable[[str, str], bool]] = {
    "equals": lambda text, other: text == other,
    "startswith": lambda text, other: text.startswith(other),
    "endswith": lambda text, other: text.endswith(other),
    "contains": lambda text, other: other in text,
}
