"""The truth of a task: the events that its reference matches, and those that no score may count."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sigma_env.engines.base import Matches, bit_positions
from sigma_env.events.column import Column, pack_bits
from sigma_env.events.ref import EventRef
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.taxonomy import SYSMON, event_types
from sigma_env.tasks.undecided import UndecidedFinder
from sigma_env.tasks.volatile import volatile_fields


class Truth(NamedTuple):
    """What a task's answers are measured by.

    Attributes:
        true: events that the reference matches.
        ignored: events that count for no answer, whether it matches them or not.
    """

    true: Matches
    ignored: Matches

    @property
    def scored(self) -> Matches:
        """The true events that count."""
        return self.true - self.ignored


class IgnoredEvents:
    """Finds the events that a task ignores, in one store.

    Ignored are events that the task shows; events that are undecided for want of a field (`undecided`); Sysmon
    registry events whose EventType contradicts the reference's category; and, of events that differ only in volatile
    fields, all but the first, counted apart for those that the reference matches and those that it does not.

    Args:
        store: the events.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._undecided = UndecidedFinder(store)
        self._twins = [twins(partition) for partition in store.partitions]
        self._repeated = [_repeated(groups) for groups in self._twins]

    @property
    def common(self) -> Matches:
        """What a task ignores in every partition in which its reference has nothing to say."""
        return Matches({index: rows for index, rows in enumerate(self._repeated) if rows})

    def of(self, rule: Rule, true: Matches, visible: Iterable[EventRef] = ()) -> Matches:
        """The ignored events of a task.

        Args:
            rule: the reference.
            true: what it matches.
            visible: events that the task shows.
        """
        shown = Matches.from_rows(self._store, [self._store.row(ref) for ref in visible])
        unfit = self._undecided.undecided(rule) | contradicting(rule.logsource, self._store)
        affected = true | shown | unfit
        bits = {index: rows for index, rows in self.common.bits.items() if index not in affected.bits}
        for index in affected.bits:
            sets = (m.bits.get(index, 0) for m in (true, shown, unfit))
            if ignored := _ignored_rows(self._twins[index], *sets):
                bits[index] = ignored
        return Matches(bits)


def _ignored_rows(groups: npt.NDArray[np.int64], true: int, shown: int, unfit: int) -> int:
    """The ignored rows of a partition: of each group, in and outside the truth, the first fit row stays."""
    is_shown, is_unfit = _flags(shown, len(groups)), _flags(unfit, len(groups))
    sides = groups * 2 + _flags(true, len(groups))
    # A row that is like a shown one would be known from it.
    keep = ~is_unfit & ~np.isin(sides, sides[is_shown])
    fit = np.flatnonzero(keep)
    _, first = np.unique(sides[fit], return_index=True)
    ignored = np.ones(len(groups), np.bool_)
    ignored[fit[first]] = False
    return pack_bits(ignored)


def _flags(bits: int, size: int) -> npt.NDArray[np.bool_]:
    flags = np.zeros(size, np.bool_)
    flags[bit_positions(bits)] = True
    return flags


def _repeated(groups: npt.NDArray[np.int64]) -> int:
    flags = np.ones(len(groups), np.bool_)
    flags[np.unique(groups, return_index=True)[1]] = False
    return pack_bits(flags)


def twins(partition: Partition) -> npt.NDArray[np.int64]:
    """A number per row, int64, shape (n_rows,): equal for events that differ in volatile fields only."""
    groups = np.zeros(partition.n_rows, np.int64)
    volatile = volatile_fields(partition.channel)
    for column in partition.keyword_columns():
        if column.name not in volatile:
            codes = _row_codes(column)
            groups = np.unique(groups * (int(codes.max()) + 2) + codes + 1, return_inverse=True)[1].reshape(-1)
    return groups


def _row_codes(column: Column) -> npt.NDArray[np.int64]:
    """A number per row that is equal where the column's cells are equal, from -1 on."""
    offsets = column.parts.offsets
    if offsets is None:
        return column.codes.astype(np.int64)
    numbers: dict[bytes, int] = {}
    cells = (column.codes[offsets[r] : offsets[r + 1]].tobytes() for r in range(column.n_rows))
    return np.fromiter((numbers.setdefault(cell, len(numbers)) for cell in cells), np.int64, column.n_rows)


def contradicting(logsource: LogSource, store: EventStore) -> Matches:
    """Events of the category's EventIDs whose EventType says that they are of another category.

    `registry_add` and `registry_delete` both select Sysmon 12; see `taxonomy.event_types`.
    """
    meant = event_types(logsource.category) if logsource.category is not None else None
    bits: dict[int, int] = {}
    for partition in store.by_channel(SYSMON) if meant is not None else ():
        column = partition.column("EventType") if partition.event_id == 12 else None
        if column is not None:
            others = [c for c in range(column.n_values) if column.lower_value(c) not in _lowered(meant)]
            if rows := column.rows_with(others):
                bits[partition.index] = rows
    return Matches(bits)


@lru_cache(maxsize=16)
def _lowered(values: frozenset[str]) -> frozenset[str]:
    return frozenset(value.lower() for value in values)
