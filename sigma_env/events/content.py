"""What a store consists of, wherever it lies: the parts that the builder makes, a file holds and a store reads."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sigma_env.events.column import ColumnParts


class LogFile(NamedTuple):
    """A log file that was read.

    Attributes:
        name: its name in event references, with `/`, relative to the root that was given.
        aliases: names of further files with the same content, which were not read again.
        size: bytes.
        n_events: events read from it.
    """

    name: str
    aliases: tuple[str, ...]
    size: int
    n_events: int


class Unreadable(NamedTuple):
    """Something in the logs that could not be read, wholly or in part.

    Attributes:
        file: name of the log file.
        position: index of the record or chunk in reading order in its file; None if it concerns the file.
        reason: for a person.
    """

    file: str
    position: int | None
    reason: str


class ColumnInfo(NamedTuple):
    """An original field of a partition.

    Attributes:
        name: its Sigma name, without spaces.
        aliases: further names: the underscore form of a name that had spaces.
        system: whether it is an element or attribute of System.
        elsewhere: whether it is neither that nor a value of EventData by itself; the first event that has it decides.
    """

    name: str
    aliases: tuple[str, ...]
    system: bool
    elsewhere: bool = False


class PartitionInfo(NamedTuple):
    """The events of one (channel, EventID)."""

    channel: str
    event_id: int
    n_rows: int
    columns: tuple[ColumnInfo, ...]


class Refs(NamedTuple):
    """Where each event stands; one entry per global row.

    Attributes:
        file: int32, index into the files.
        record_id: int64.
        position: int32.
        time: int64, microseconds since 1970 UTC, or `flatten.NO_TIME`.
    """

    file: npt.NDArray[np.int32]
    record_id: npt.NDArray[np.int64]
    position: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]


class StoreContent(Protocol):
    """The content of a store, in memory or in a file."""

    fingerprint: str
    files: Sequence[LogFile]
    unreadable: Sequence[Unreadable]
    partitions: Sequence[PartitionInfo]
    refs: Refs

    def parts(self, index: int) -> ColumnParts:
        """The buffers of a column; columns are counted through all partitions."""
        ...


class MemoryContent:
    """A store's content as ordinary objects."""

    def __init__(
        self,
        fingerprint: str,
        files: Sequence[LogFile],
        unreadable: Sequence[Unreadable],
        partitions: Sequence[PartitionInfo],
        refs: Refs,
        columns: Sequence[ColumnParts],
    ) -> None:
        self.fingerprint = fingerprint
        self.files = files
        self.unreadable = unreadable
        self.partitions = partitions
        self.refs = refs
        self.columns = columns

    def parts(self, index: int) -> ColumnParts:
        """See `StoreContent.parts`."""
        return self.columns[index]
