"""Events, one after another → the content of a store."""

from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sigma_env.errors import StoreError
from sigma_env.events.column import ABSENT, Cell, ColumnParts, Scalar, assemble, render
from sigma_env.events.content import ColumnInfo, LogFile, MemoryContent, PartitionInfo, Refs, Unreadable
from sigma_env.events.flatten import FlatEvent, scalars

MAX_FIELDS = 2_000
"""Fields per (channel, EventID): real ones have up to 60, a hostile log must not fill the memory with names."""

MAX_PARTITIONS = 20_000
"""Pairs of channel and EventID, for the same reason; the public attack logs have 367."""

_NULL = -2


class ColumnBuilder:
    """A column that grows by one cell at a time; distinct values are held once."""

    __slots__ = ("_code_of", "_codes", "_keys", "_lists", "elsewhere", "name", "spaced", "system")

    def __init__(self, name: str, *, system: bool) -> None:
        self.name = name
        self.system = system
        self.spaced: tuple[str, ...] = ()
        self.elsewhere = False
        self._codes = array("i")
        self._lists: dict[int, list[int]] = {}
        self._code_of: dict[object, int] = {}
        self._keys: list[tuple[str, int]] = []

    def add(self, row: int, cell: Cell) -> None:
        """Adds a cell in the last row or a later one; a second cell of a row makes it a row of several values."""
        gap = row - len(self._codes)
        if gap > 0:
            self._codes.extend(array("i", [ABSENT]) * gap)
        if gap < 0 or isinstance(cell, list):
            self._add_several(row, scalars(cell))
            return
        code = self._code_of.get(cell) if type(cell) is str else None
        self._codes.append(self._code(cell) if code is None else code)

    def _add_several(self, row: int, elements: Sequence[Scalar]) -> None:
        held = self._lists.get(row)
        if held is None:
            first = [self._codes[row]] if row < len(self._codes) else []
            held = self._lists[row] = [code for code in first if code != ABSENT]
        held += [self._code(e) for e in elements]
        if row == len(self._codes):
            self._codes.append(ABSENT)

    def _code(self, value: Scalar) -> int:
        if value is None:
            return _NULL
        key = render(value)
        code = self._code_of.get(key)
        if code is None:
            code = self._code_of[key] = len(self._keys)
            self._keys.append(key)
        if type(value) is str:
            self._code_of[value] = code
        return code

    def finish(self, n_rows: int) -> ColumnParts:
        """The column of a partition of `n_rows` rows."""
        codes = np.full(n_rows, ABSENT, np.int32)
        codes[: len(self._codes)] = self._codes
        offsets: npt.NDArray[np.int32] | None = None
        if self._lists:
            codes, offsets = self._with_lists(codes)
        codes[codes == _NULL] = len(self._keys)
        return assemble(self._keys, codes, offsets)

    def _with_lists(self, single: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        lengths = (single != ABSENT).astype(np.int64)
        rows = np.fromiter(self._lists, np.int64, len(self._lists))
        lengths[rows] = [len(codes) for codes in self._lists.values()]
        offsets = np.zeros(len(single) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        codes = np.empty(offsets[-1], np.int32)
        alone = single != ABSENT
        codes[offsets[:-1][alone]] = single[alone]
        for row, held in self._lists.items():
            codes[offsets[row] : offsets[row + 1]] = held
        return codes, offsets.astype(np.int32)


class _PartitionBuilder:
    """The events of one (channel, EventID), in the order in which they are added."""

    def __init__(self, channel: str, event_id: int) -> None:
        self.channel = channel
        self.event_id = event_id
        self.n_rows = 0
        self.refs = array("q")
        self._system: dict[str, ColumnBuilder] = {}
        self._data: dict[str, ColumnBuilder] = {}
        self._columns: dict[tuple[bool, str], ColumnBuilder] = {}

    def add(self, event: FlatEvent, file: int, record_id: int, position: int) -> None:
        row = self.n_rows
        for known, fields in ((self._system, event.system), (self._data, event.data)):
            if not fields.keys() <= known.keys() and len(fields.keys() | known.keys()) > MAX_FIELDS:
                raise StoreError(f"channel {self.channel!r}, EventID {self.event_id}: over {MAX_FIELDS} field names")
        for by_name, fields, system in ((self._system, event.system, True), (self._data, event.data, False)):
            for name, cell in fields.items():
                column = by_name.get(name)
                if column is None:
                    column = by_name[name] = self._column(name, system)
                    column.elsewhere = not system and name in event.elsewhere
                column.add(row, cell)
        self.n_rows += 1
        self.refs.extend((file, record_id, position, event.time))

    def _column(self, raw: str, system: bool) -> ColumnBuilder:
        readable = raw.encode("utf-8", "backslashreplace").decode()
        name = readable.replace(" ", "")
        column = self._columns.get((system, name))
        if column is None:
            column = self._columns[system, name] = ColumnBuilder(name, system=system)
        if name != readable:
            column.spaced += (readable.replace(" ", "_"),)
        return column

    def finish(self) -> tuple[PartitionInfo, list[ColumnParts]]:
        columns = sorted(self._columns.values(), key=lambda c: not c.system)  # System first, else as met
        infos = tuple(ColumnInfo(c.name, c.spaced, c.system, c.elsewhere) for c in columns)
        info = PartitionInfo(self.channel, self.event_id, self.n_rows, infos)
        return info, [c.finish(self.n_rows) for c in columns]


class StoreBuilder:
    """Collects events, file by file and in reading order, and makes a store's content of them.

    Attributes:
        files: to be filled by the caller, in the order in which `add` numbers them.
        unreadable: to be filled by the caller.
        n_events: events added so far.
    """

    def __init__(self) -> None:
        self.files: list[LogFile] = []
        self.unreadable: list[Unreadable] = []
        self.n_events = 0
        self._partitions: dict[tuple[str, int], _PartitionBuilder] = {}
        self._spelling: dict[str, str] = {}

    def add(self, event: FlatEvent, file: int, record_id: int, position: int) -> None:
        """Adds an event of file number `file`; `record_id` counts if the event itself has none.

        Raises:
            StoreError: the event would take its partition over a limit; the event was not added.
        """
        key = (event.channel.lower(), event.event_id)
        partition = self._partitions.get(key)
        if partition is None:
            if len(self._partitions) >= MAX_PARTITIONS:
                raise StoreError(f"the logs have over {MAX_PARTITIONS} pairs of channel and EventID")
            channel = self._spelling.setdefault(key[0], render(event.channel)[0])
            partition = self._partitions[key] = _PartitionBuilder(channel, event.event_id)
        number = record_id if event.record_id is None else event.record_id
        partition.add(event, file, number if number < 2**63 else -1, position)
        self.n_events += 1

    def finish(self, fingerprint: str) -> MemoryContent:
        """The content. Partitions are sorted by channel, without case, and EventID. The builder is used up."""
        infos: list[PartitionInfo] = []
        columns: list[ColumnParts] = []
        refs: list[npt.NDArray[np.int64]] = [np.empty((0, 4), np.int64)]
        for key in sorted(self._partitions):
            partition = self._partitions.pop(key)
            if partition.n_rows:
                info, parts = partition.finish()
                infos.append(info)
                columns += parts
                refs.append(np.frombuffer(partition.refs, np.int64).reshape(-1, 4))
        file, record_id, position, time = (np.ascontiguousarray(c) for c in np.concatenate(refs).T)
        every_ref = Refs(file.astype(np.int32), record_id, position.astype(np.int32), time)
        return MemoryContent(fingerprint, self.files, self.unreadable, infos, every_ref, columns)
