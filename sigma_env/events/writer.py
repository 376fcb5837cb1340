"""Write Windows event log files (EVTX 3.1) that any reader of such files accepts.

    with EvtxWriter("Security.evtx") as log:
        log.write(Event(provider="Microsoft-Windows-Security-Auditing", event_id=4624, ...))

Pure Python, streaming (one chunk of 64 KiB in memory) and deterministic: equal events give equal
bytes. Structures and limits follow libyal/libevtx, "Windows XML Event Log (EVTX)"; the layout
of the two nested templates per event is the one that Windows writes.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from sigma_env.events.binxml import EventWriteError, filetime_ticks
from sigma_env.events.evtx_chunk import Chunk
from sigma_env.events.evtx_event import Event
from sigma_env.events.evtx_layout import Layouts

__all__ = ["Event", "EvtxWriter"]

FILE_HEADER_BYTES = 4096
MAX_CHUNKS = 0xFFFF


class EvtxWriter:
    """Writes events to one log file.

    With a path, the file appears when the `with` block ends well and is left out when it does not,
    so that nobody reads half a log. A binary file must be seekable and at its start; it stays open.

    Args:
        target: the path to write, or a binary file.
    """

    def __init__(self, target: str | Path | BinaryIO) -> None:
        self._path = Path(target) if isinstance(target, str | Path) else None
        if isinstance(target, str | Path):
            self._part = Path(target).with_name(f".{Path(target).name}.part")
            self._file: BinaryIO = self._part.open("wb")
        else:
            self._file = target
        self._file.write(bytes(FILE_HEADER_BYTES))
        self._layouts = Layouts()
        self._chunk = Chunk(first_number=1)
        self._chunks_written = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._closed = True
        if self._path is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def write(self, event: Event) -> int:
        """Write one event; returns its position in the file, counted from 1.

        Raises:
            EventTooLargeError: the event does not fit in a chunk; the log stays as it was.
            EventWriteError: the event holds what EVTX cannot, or the file is full; the log stays as it was.
        """
        if self._closed:
            raise EventWriteError("the log is closed; events can no longer be added")
        ticks = filetime_ticks(event.time)
        instance = self._layouts.instance(event, ticks)
        if not self._chunk.append(ticks, instance):
            fresh = Chunk(self._chunk.next_number)
            if self._chunks_written + 2 > MAX_CHUNKS:
                raise EventWriteError(f"the log is full: a file holds {MAX_CHUNKS:,} chunks; write a second one")
            fresh.append(ticks, instance)
            self._flush()
            self._chunk = fresh
        return self._chunk.next_number - 1

    def close(self) -> None:
        """Write what is left and the file header; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        header = struct.pack(
            "<8sQQQIHHHH76xI",
            b"ElfFile\0",
            0,
            self._chunks_written - 1,
            self._chunk.next_number,
            128,
            1,  # format 3.1
            3,
            FILE_HEADER_BYTES,
            self._chunks_written,
            0,
        )
        self._file.seek(0)
        self._file.write(header + struct.pack("<I", zlib.crc32(header[:120])))
        if self._path is None:
            self._file.flush()
        else:
            self._file.close()
            self._part.replace(self._path)

    def _flush(self) -> None:
        self._file.write(self._chunk.to_bytes())
        self._chunks_written += 1
