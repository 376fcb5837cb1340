"""The columns of a partition as Chainsaw's mapping names them, and the events that its preconditions let through."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from sigma_env.engines.base import bit_positions
from sigma_env.events.column import FLOAT, TEXT, Cell, Column, Scalar, build_parts
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.chainsaw_fields import cast_of, plain_field
from sigma_env.sigma.chainsaw_mapping import Selected, chainsaw_mapping

_SYSTEM, _EVENT_DATA, _USER_DATA = "Event.System.", "Event.EventData.", "Event.UserData."
_ALIASES = {"Provider": "Provider_Name", "TimeCreated": "TimeCreated_SystemTime"}
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_LEAST = -(2**63)
_DOT = "."
_ATTRIBUTES = "_attributes."
_POSITIONAL = "Event.EventData.Data.#text"


_mapped: "WeakKeyDictionary[EventStore, MappedStore]" = WeakKeyDictionary()


class Seen(NamedTuple):
    """Events of a partition that a rule is tried on: its number, and the bit set of the rows."""

    partition: int
    rows: int


class MappedStore:
    """A store where fields are Chainsaw's.

    Attributes:
        fields: what stands for each partition, in their order.
    """

    def __init__(self, store: EventStore) -> None:
        is_log = np.array([not file.name.lower().endswith((".json", ".jsonl")) for file in store.files], np.bool_)
        read = bool(store.files) and bool(store.files[0].size)  # else the events were given as documents
        of_event = is_log[store.refs_table.file] if read else np.zeros(store.n_events, np.bool_)
        self.fields = [MappedFields(p, of_event[p.base : p.base + p.n_rows]) for p in store.partitions]

    def seen(self, selected: Sequence[Selected] | None) -> list[Seen]:
        """The events that a precondition lets through, of those that have a provider and a time; None lets all."""
        if selected is None:
            return [Seen(number, fields.hunted) for number, fields in enumerate(self.fields) if fields.hunted]
        rows: dict[int, int] = {}
        for one in selected:
            for number, of_provider in self._by_provider.get(one.provider, ()):
                if one.event_ids is None or self.fields[number].partition.event_id in one.event_ids:
                    rows[number] = rows.get(number, 0) | of_provider
        return [Seen(number, rows[number]) for number in sorted(rows)]

    @cached_property
    def _by_provider(self) -> dict[str, list[Seen]]:
        """The hunted events of each provider: preconditions name some fifty, and most partitions have one."""
        found: dict[str, list[Seen]] = {}
        for number, fields in enumerate(self.fields):
            column = fields.partition.system_column("Provider_Name")
            if column is not None and fields.hunted:
                for code in range(column.n_values):
                    rows = column.rows_with((code,)) & fields.hunted
                    if rows:
                        found.setdefault(column.value(code), []).append(Seen(number, rows))
        return found

    def having(self, field: str) -> int:
        """Bit set of the partitions that have a field; for a plain name no column is opened."""
        mapping = chainsaw_mapping()
        field = plain_field(field)
        if field in mapping.event_data:
            return self._with_event_data.get(field, 0)
        if field not in mapping.system and _DOT not in field:
            return 0
        return sum(1 << number for number, fields in enumerate(self.fields) if fields.column(field) is not None)

    @cached_property
    def _with_event_data(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for number, fields in enumerate(self.fields):
            for name in fields.partition.event_data_names():
                found[name] = found.get(name, 0) | 1 << number
        return found


def mapped_store(store: EventStore) -> MappedStore:
    """What stands for a store."""
    known = _mapped.get(store)
    if known is None:
        known = _mapped[store] = MappedStore(store)
    return known


class MappedFields:
    """Stands for a partition where fields are Chainsaw's.

    Attributes:
        partition: the events.
        hunted: bit set of the events that any rule is tried on: those with a provider and a time.
    """

    def __init__(self, partition: Partition, last_wins: "np.typing.NDArray[np.bool_]") -> None:
        """Makes what stands for a partition.

        Args:
            partition: the events.
            last_wins: bool, shape (rows,): of which events only the last of several elements of a name counts.
        """
        self.partition = partition
        self._known: dict[str, Column | None] = {}
        self._last_wins = last_wins
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

    def _rows_of_text(self, name: str) -> int:
        column = self.partition.system_column(name)
        if column is None:
            return 0
        if not column.parts.kinds.any():
            return column.rows_filled
        return column.rows_with(np.flatnonzero(column.parts.kinds == TEXT).tolist())

    def _find(self, field: str) -> Column | None:
        mapping = chainsaw_mapping()
        system = mapping.system.get(field)
        if system is not None:
            return self.partition.system_column(system)
        if field in mapping.event_data:
            column = self._event_data(field)
            return _with_whole_numbers(column) if column is not None and field in mapping.whole_numbers else column
        cast = cast_of(field)
        if cast is not None:
            column = self.column(cast.field)
            return None if column is None else _CASTS[cast.function](column)
        return self._at_path(field)

    def _at_path(self, path: str) -> Column | None:
        """What stands at a path from the root; those that the store cannot follow are no rule's."""
        if path.startswith(_SYSTEM):
            name = path[len(_SYSTEM) :]
            tag, attribute, rest = name.partition(_ATTRIBUTES)
            if attribute:
                return self.partition.system_column(f"{tag}_{rest}")
            return None if "_" in name else self.partition.system_column(_ALIASES.get(name, name))
        if path == _POSITIONAL:
            return self._event_data("Data")
        if path.startswith(_EVENT_DATA):
            return self._event_data(path[len(_EVENT_DATA) :])
        if path.startswith(_USER_DATA):
            above, _, name = path.rpartition(_DOT)
            tag = above.rpartition(_DOT)[2]
            is_attribute = tag.endswith(_ATTRIBUTES[:-1])
            return self.partition.elsewhere_column(f"{tag[: 1 - len(_ATTRIBUTES)]}_{name}" if is_attribute else name)
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


def _changed(column: Column, change: Callable[[Scalar], Scalar]) -> Column:
    """The column with each value changed."""
    rows = bit_positions(column.rows_present).tolist()
    cells: list[Cell] = []
    for row in rows:
        values = [change(value) for value in column.typed_cells(row)]
        cells.append(values[0] if len(values) == 1 else values)
    return Column(column.name, build_parts(column.n_rows, rows, cells))


def _with_whole_numbers(column: Column) -> Column:
    return _changed(column, _number)


def _number(value: Scalar) -> Scalar:
    """Text that is a whole number as that number, as the mapping reads it."""
    if isinstance(value, str) and len(value) <= 20 and _INTEGER.match(value) and _LEAST <= int(value) < -_LEAST:
        return int(value)
    return value


def _whole(value: Scalar) -> Scalar:
    """A value as the whole number that `int(…)` makes of it in a rule; what is none stays as it is."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return int(math.copysign(math.floor(abs(value) + 0.5), value))
    return _number(value)


def _text(value: Scalar) -> Scalar:
    """A value as the text that `str(…)` makes of it: floats without exponent, and without a point if they are whole."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return format(Decimal(repr(value)), "f").removesuffix(".0")


_CASTS: dict[str, Callable[[Column], Column]] = {
    "int": lambda column: _changed(column, _whole),
    "str": lambda column: _changed(column, _text) if (column.parts.kinds == FLOAT).any() else column,
}
