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
from sigma_env.events.volatile import volatile_fields
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.taxonomy import SYSMON, event_types
from sigma_env.tasks.undecided import UndecidedFinder


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
    registry events whose EventType contradicts the reference's category; events that only a part of the reference
    separates which the request does not disclose; where events were made for the task, true ones that were not; and, of
    events that differ only in volatile fields, all but the first, counted apart for those that the reference
    matches and those that it does not.

    Attributes:
        store: the events.
    """

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._undecided = UndecidedFinder(store)
        self._twins = [Twins(partition) for partition in store.partitions]

    @property
    def common(self) -> Matches:
        """What a task ignores in every partition in which its reference has nothing to say."""
        return Matches({index: twins.repeated for index, twins in enumerate(self._twins) if twins.repeated})

    def of(
        self,
        rule: Rule,
        true: Matches,
        visible: Iterable[EventRef] = (),
        *,
        disclosed: Matches | None = None,
        own: Matches | None = None,
    ) -> Matches:
        """The ignored events of a task.

        Args:
            rule: the reference.
            true: what it matches.
            visible: events that the task shows.
            disclosed: what the disclosed part of the reference matches; None if all of it is disclosed.
            own: the true events that may count; None for all of them.
        """
        shown = Matches.from_rows(self.store, [self.store.row(ref) for ref in visible])
        unfit = self._undecided.undecided(rule) | contradicting(rule.logsource, self.store)
        if disclosed is not None:
            unfit |= (true - disclosed) | (disclosed - true)
        if own is not None:
            unfit |= true - own
        affected = true | shown | unfit
        bits = {index: rows for index, rows in self.common.bits.items() if index not in affected.bits}
        for index in affected.bits:
            sets = (m.bits.get(index, 0) for m in (true, shown, unfit))
            if ignored := self._twins[index].ignored(*sets):
                bits[index] = ignored
        return Matches(bits)


class Twins:
    """Which events of a partition differ in volatile fields only.

    Attributes:
        repeated: rows that have a twin before them, as a bit set.
    """

    def __init__(self, partition: Partition) -> None:
        self._groups = twins(partition)
        flags = np.ones(partition.n_rows, np.bool_)
        flags[np.unique(self._groups, return_index=True)[1]] = False
        self.repeated = pack_bits(flags)

    def ignored(self, true: int, shown: int, unfit: int) -> int:
        """The ignored rows: of each group, in and outside the truth, the first fit row stays.

        A row that is like a shown one would be known from it, so it goes too.
        """
        size = len(self._groups)
        is_touched = np.zeros(size, np.bool_)
        is_touched[self._groups[bit_positions(true | shown | unfit)]] = True
        rows = np.flatnonzero(is_touched[self._groups])  # of all other groups the first row stays
        is_shown, is_unfit = _flags(shown, size)[rows], _flags(unfit, size)[rows]
        sides = self._groups[rows] * 2 + _flags(true, size)[rows]
        fit = np.flatnonzero(~is_unfit & ~np.isin(sides, sides[is_shown]))
        _, first = np.unique(sides[fit], return_index=True)
        touched, ignored = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        touched[rows] = ignored[rows] = True
        ignored[rows[fit[first]]] = False
        return self.repeated & ~pack_bits(touched) | pack_bits(ignored)


def _flags(bits: int, size: int) -> npt.NDArray[np.bool_]:
    flags = np.zeros(size, np.bool_)
    flags[bit_positions(bits)] = True
    return flags


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
