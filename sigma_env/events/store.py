"""All events of a dataset, ready to be searched."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigma_env.errors import StoreError
from sigma_env.events.column import Cell
from sigma_env.events.content import LogFile, MemoryContent, Refs, StoreContent, Unreadable
from sigma_env.events.flatten import NO_TIME
from sigma_env.events.logs import LogRoot
from sigma_env.events.partition import Partition
from sigma_env.events.ref import EventRef

__all__ = ["EventStore", "LogFile", "Partition", "Unreadable"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventStore:
    """Events as columns, partitioned by (channel, EventID).

    Rows are numbered through all partitions, which are sorted by channel, without case, and EventID; within one,
    events stand in the order of their file's name and their position in it. Immutable; safe to share.

    Attributes:
        partitions: all of them; `partitions[i].index == i`.
        n_events: how many events there are.
        fingerprint: hash of the content: equal for equal logs under equal names.
        files: the files that were read, sorted by name.
        unreadable: what could not be read, with the reason.
        roots: where the files lie on this machine, for engines that read them themselves; empty if that is not known.
    """

    def __init__(self, content: StoreContent, roots: Sequence[LogRoot] = ()) -> None:
        self._content = content
        self.roots = tuple(roots)
        self.fingerprint = content.fingerprint
        self.files: Sequence[LogFile] = content.files
        self.unreadable: Sequence[Unreadable] = content.unreadable
        partitions: list[Partition] = []
        base = first_column = 0
        for index, info in enumerate(content.partitions):
            partitions.append(Partition(index, base, first_column, info, content))
            base += info.n_rows
            first_column += len(info.columns)
        self.partitions: Sequence[Partition] = partitions
        self.n_events = base
        self._bases = [p.base for p in partitions]
        self._by_channel: dict[str, list[Partition]] = {}
        for partition in partitions:
            self._by_channel.setdefault(partition.channel.lower(), []).append(partition)

    def __repr__(self) -> str:
        return f"EventStore({self.n_events} events, {len(self.partitions)} partitions, {self.fingerprint[:12]})"

    def __reduce__(self) -> tuple[type["EventStore"], tuple[StoreContent, tuple[LogRoot, ...]]]:
        return EventStore, (self._content, self.roots)

    @classmethod
    def from_documents(cls, documents: Iterable[Mapping[str, Any]], file: str = "documents") -> "EventStore":
        """Makes a store of JSON-like events.

        Args:
            documents: events as `flatten` takes them: nested as EVTX readers give them, or flat.
            file: name of the file in the events' references; an event's position is its place in `documents`.

        Raises:
            StoreError: a document is no event; the message says which.
        """
        from sigma_env.events.documents import content_of

        return cls(content_of(documents, file))

    @classmethod
    def open(cls, folder: Path, roots: Sequence[LogRoot] = ()) -> "EventStore":
        """Opens a saved store. Columns are read when they are first used, from a file that processes share.

        Args:
            folder: where it was saved.
            roots: where its log files lie, if that is known.

        Raises:
            StoreError: the folder does not hold a whole store of this version.
        """
        from sigma_env.events.arrow import MappedContent

        return cls(MappedContent(folder), roots)

    def save(self, folder: Path) -> None:
        """Writes the store into an existing folder, for `open`.

        Raises:
            StoreError: the store is itself an opened one.
        """
        from sigma_env.events.arrow import save

        if not isinstance(self._content, MemoryContent):
            raise StoreError("this store is already saved")
        save(self._content, folder)

    @property
    def refs_table(self) -> Refs:
        """Where the events stand, as arrays."""
        return self._content.refs

    def find(self, channel: str, event_id: int) -> Partition | None:
        """The partition of a channel, compared without case, and EventID."""
        for partition in self.by_channel(channel):
            if partition.event_id == event_id:
                return partition
        return None

    def by_channel(self, channel: str) -> Sequence[Partition]:
        """The partitions of a channel, compared without case, by EventID."""
        return self._by_channel.get(channel.lower(), ())

    def partition_of(self, row: int) -> Partition:
        """The partition in which a global row stands.

        Raises:
            StoreError: there is no such row.
        """
        if not 0 <= row < self.n_events:
            raise StoreError(f"there is no row {row} in a store of {self.n_events} events")
        return self.partitions[bisect_right(self._bases, row) - 1]

    def ref(self, row: int) -> EventRef:
        """The reference of the event in a global row."""
        self.partition_of(row)
        refs = self._content.refs
        return EventRef(self.files[refs.file[row]].name, int(refs.record_id[row]), int(refs.position[row]))

    def refs(self, rows: Iterable[int]) -> list[EventRef]:
        """The references of several rows, in their order."""
        refs = self._content.refs
        wanted = np.fromiter(rows, np.int64)
        absent = wanted[(wanted < 0) | (wanted >= self.n_events)]
        if len(absent):
            raise StoreError(f"there is no row {absent[0]} in a store of {self.n_events} events")
        columns = (refs.file[wanted].tolist(), refs.record_id[wanted].tolist(), refs.position[wanted].tolist())
        return [EventRef(self.files[f].name, r, p) for f, r, p in zip(*columns, strict=True)]

    def row(self, ref: EventRef) -> int:
        """The global row of an event.

        Raises:
            StoreError: the store has no such event.
        """
        from sigma_env.events.lookup import row_of

        return row_of(self, ref)

    def resolve(self, text: str) -> int:
        """The global row of the event that a person calls `FILE:RECORD` or `FILE:RECORD:POSITION`.

        FILE may be an alias, or the end of a path, if only one file's name ends so.

        Raises:
            StoreError: no event is called so, or several are; the message lists them.
        """
        from sigma_env.events.lookup import resolve

        return resolve(self, text)

    def rows_of_file(self, index: int) -> npt.NDArray[np.int64]:
        """Global rows of the events of `files[index]`, in reading order."""
        order, bounds = self._rows_by_file
        return order[bounds[index] : bounds[index + 1]]

    @cached_property
    def _rows_by_file(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        refs = self._content.refs
        order = np.lexsort((refs.position, refs.file))
        return order, np.searchsorted(refs.file[order], np.arange(len(self.files) + 1))

    def event(self, row: int, view: str | None = None) -> dict[str, Cell]:
        """The event under Sigma's field names, for people: value, or list of several, by field.

        Args:
            row: global row.
            view: with "process_creation", a Security 4688 also shows the fields of that category.
        """
        partition = self.partition_of(row)
        return partition.cells(row - partition.base, view)

    def time(self, row: int) -> datetime | None:
        """When the event was written (System/TimeCreated), in UTC; None if it does not say."""
        self.partition_of(row)
        time = int(self._content.refs.time[row])
        return None if time == NO_TIME else _EPOCH + timedelta(microseconds=time)

    def time_range(self) -> tuple[datetime | None, datetime | None]:
        """The times of the first and the last event; None if no event has one."""
        times = self._content.refs.time
        times = times[times != NO_TIME]
        if not len(times):
            return None, None
        return _EPOCH + timedelta(microseconds=int(times.min())), _EPOCH + timedelta(microseconds=int(times.max()))

    def computer(self, row: int) -> str:
        """System/Computer, "" if the event has none."""
        partition = self.partition_of(row)
        column = partition.system_column("Computer")
        values = [] if column is None else column.typed_cells(row - partition.base)
        return str(values[0]) if values and values[0] is not None else ""
