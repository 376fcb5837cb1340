"""The columns of a partition as Chainsaw's mapping names them, and the events that its preconditions let through."""

import re
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from sigma_env.engines.base import bit_positions
from sigma_env.events.column import SEP, TEXT, Cell, Column, build_parts
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.chainsaw_mapping import Selected, chainsaw_mapping

_SYSTEM, _EVENT_DATA, _USER_DATA = "Event.System.", "Event.EventData.", "Event.UserData."
_ALIASES = {"Provider": "Provider_Name", "TimeCreated": "TimeCreated_SystemTime"}
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_LEAST = -(2**63)


_mapped: "WeakKeyDictionary[EventStore, list[MappedFields]]" = WeakKeyDictionary()


def mapped_fields(store: EventStore) -> "list[MappedFields]":
    """What stands for each of a store's partitions."""
    known = _mapped.get(store)
    if known is None:
        known = _mapped[store] = [MappedFields(partition, store) for partition in store.partitions]
    return known


class MappedFields:
    """Stands for a partition where fields are Chainsaw's.

    Attributes:
        partition: the events.
        hunted: bit set of the events that any rule is tried on: those with a provider and a time.
    """

    def __init__(self, partition: Partition, store: EventStore) -> None:
        self.partition = partition
        self._known: dict[str, Column | None] = {}
        files = store.refs_table.file[partition.base : partition.base + partition.n_rows]
        is_log = np.array([not file.name.lower().endswith((".json", ".jsonl")) for file in store.files], np.bool_)
        self._last_wins = is_log[files] if store.files and store.files[0].size else np.zeros(len(files), np.bool_)
        self.hunted = self._rows_of_text("Provider_Name") & self._rows_of_text("TimeCreated_SystemTime")

    def column(self, field: str, _view: str | None = None) -> Column | None:
        """The value that the mapping gives a field, whatever the rule's category; None if no event has it."""
        try:
            return self._known[field]
        except KeyError:
            column = self._find(field)
            if column is not None or field in chainsaw_mapping().event_data:  # a model may ask for any name
                self._known[field] = column
            return column

    def keyword_columns(self) -> Sequence[Column]:
        """Every value of the events, as a partition has them: Chainsaw has no keywords."""
        return self.partition.keyword_columns()

    def let_through(self, selected: Sequence[Selected]) -> int:
        """Bit set of the hunted events that a precondition lets through."""
        provider = self.partition.system_column("Provider_Name")
        rows = 0
        for one in selected:
            if provider is not None and (one.event_ids is None or self.partition.event_id in one.event_ids):
                rows |= provider.rows_with(provider.find_all(SEP + one.provider.encode() + SEP, cased=True))
        return rows & self.hunted

    def _rows_of_text(self, name: str) -> int:
        column = self.partition.system_column(name)
        if column is None:
            return 0
        return column.rows_with(np.flatnonzero(column.parts.kinds == TEXT).tolist())

    def _find(self, field: str) -> Column | None:
        mapping = chainsaw_mapping()
        system = mapping.system.get(field)
        if system is not None:
            return self.partition.system_column(system)
        if field in mapping.event_data:
            column = self._event_data(field)
            return _with_whole_numbers(column) if column is not None and field in mapping.whole_numbers else column
        if field.startswith(_SYSTEM):
            name = field[len(_SYSTEM) :]
            return self.partition.system_column(_ALIASES.get(name, name.replace("_attributes.", "_")))
        if field.startswith(_EVENT_DATA):
            return self._event_data(field[len(_EVENT_DATA) :])
        if field.startswith(_USER_DATA):
            return self.partition.columns.get(field.rpartition(".")[2])
        return None

    def _event_data(self, name: str) -> Column | None:
        column = self.partition.event_data_column(name)
        return _last(column, self._last_wins) if column is not None and column.is_multi else column


def _last(column: Column, wins: "np.typing.NDArray[np.bool_]") -> Column:
    """The column with only the last of the values of the rows where the last wins."""
    offsets, codes = column.parts.offsets, column.parts.codes
    assert offsets is not None
    lengths = np.diff(offsets)
    kept = np.ones(len(codes), np.bool_)
    for row in np.flatnonzero((lengths > 1) & wins).tolist():
        kept[offsets[row] : offsets[row + 1] - 1] = False
    lengths = np.where(wins, np.minimum(lengths, 1), lengths)
    cut = np.zeros(len(offsets), offsets.dtype)
    np.cumsum(lengths, out=cut[1:])
    return Column(column.name, column.parts._replace(codes=codes[kept], offsets=cut))


def _with_whole_numbers(column: Column) -> Column:
    """The column with text that is a whole number as that number."""
    rows = bit_positions(column.rows_present).tolist()
    cells: list[Cell] = []
    for row in rows:
        values = [_number(value) for value in column.typed_cells(row)]
        cells.append(values[0] if len(values) == 1 else values)
    return Column(column.name, build_parts(column.n_rows, rows, cells))


def _number(value: str | int | float | bool | None) -> str | int | float | bool | None:
    if isinstance(value, str) and len(value) <= 20 and _INTEGER.match(value) and _LEAST <= int(value) < -_LEAST:
        return int(value)
    return value
