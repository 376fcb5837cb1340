"""The name of one event, by which a person can look it up in its file."""

from typing import NamedTuple


class EventRef(NamedTuple):
    """Where an event stands.

    Attributes:
        file: path of the log file, with `/`, relative to the root that was given when the store was built.
        record_id: the event's System/EventRecordID. Not unique in a file, let alone across files.
        position: index of the record in its file in reading order, from 0; with `file` it is unique.
    """

    file: str
    record_id: int
    position: int

    def __str__(self) -> str:
        """`FILE:RECORD:POSITION`, the form that `sigma-env explain --event` takes."""
        return f"{self.file}:{self.record_id}:{self.position}"
