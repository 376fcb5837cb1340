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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from sigma_env.events.binxml import (
    NULL,
    Element,
    EventWriteError,
    Instance,
    Node,
    Slot,
    Template,
    TypedValue,
    ValueType,
    filetime,
    filetime_ticks,
    guid,
    number,
    sid,
    to_node,
)
from sigma_env.events.evtx_chunk import Chunk

FILE_HEADER_BYTES = 4096
MAX_CHUNKS = 0xFFFF
_XMLNS = "http://schemas.microsoft.com/win/2004/08/events/event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: the System part and either `data`, `user_data` or neither.

    Attributes:
        provider: name of the provider.
        provider_guid: its GUID; None for a classic event source. In braces it is stored as text, as the
            services that bridge to the classic API do, else as a GUID; readers show it as it is given here.
        provider_source: Provider's EventSourceName attribute, which bridged services have.
        event_id: EventID, 0 to 65,535.
        channel: name of the log.
        computer: name of the host that logged it.
        time: TimeCreated; must be aware, exact to the microsecond.
        record_id: EventRecordID, the number by which people look an event up.
        qualifiers: EventID's Qualifiers attribute, which only classic sources have.
        user_sid: Security's UserID, `S-1-5-18`.
        data: EventData as (name, value) in order; a name of None gives an unnamed `Data`.
        data_name: EventData's own Name attribute, which some providers set (TaskScheduler).
        user_data: the one child of UserData.
    """

    provider: str
    provider_guid: str | None = None
    provider_source: str | None = None
    event_id: int
    version: int = 0
    level: int = 4
    task: int = 0
    opcode: int = 0
    keywords: int = 0
    time: datetime
    record_id: int
    channel: str
    computer: str
    process_id: int = 0
    thread_id: int = 0
    qualifiers: int | None = None
    activity_id: str | None = None
    related_activity_id: str | None = None
    user_sid: str | None = None
    data: Sequence[tuple[str | None, TypedValue]] | None = None
    data_name: str | None = None
    user_data: Element | None = None


class _Provider(NamedTuple):
    name: str
    guid: str | None
    source: str | None


def _is_text(provider_guid: str) -> bool:
    return provider_guid.startswith("{")


_SYSTEM_SLOTS = 19  # Windows numbers the slots of System 0 to 18; the body is slot 19.


def _system_node(provider: _Provider, channel: str, computer: str) -> Node:
    """System, with Windows' own slot numbers; what is NULL vanishes when the event is read."""

    def slot(index: int, value_type: ValueType) -> Slot:
        return Slot(index, value_type, True)

    u8, u16, u32, u64 = ValueType.UINT8, ValueType.UINT16, ValueType.UINT32, ValueType.UINT64
    source: list[tuple[str, Slot | str]] = [("Name", provider.name)]
    if provider.guid is not None:
        source.append(("Guid", provider.guid if _is_text(provider.guid) else slot(13, ValueType.GUID)))
    if provider.source is not None:
        source.append(("EventSourceName", provider.source))
    correlation = (("ActivityID", slot(7, ValueType.GUID)), ("RelatedActivityID", slot(18, ValueType.GUID)))
    return Node(
        "System",
        (),
        (
            Node("Provider", tuple(source)),
            Node("EventID", (("Qualifiers", slot(4, u16)),), (slot(3, u16),)),
            Node("Version", (), (slot(11, u8),)),
            Node("Level", (), (slot(0, u8),)),
            Node("Task", (), (slot(2, u16),)),
            Node("Opcode", (), (slot(1, u8),)),
            Node("Keywords", (), (slot(5, ValueType.HEX64),)),
            Node("TimeCreated", (("SystemTime", slot(6, ValueType.FILETIME)),)),
            Node("EventRecordID", (), (slot(10, u64),)),
            Node("Correlation", correlation),
            Node("Execution", (("ProcessID", slot(8, u32)), ("ThreadID", slot(9, u32)))),
            Node("Channel", (), (channel,)),
            Node("Computer", (), (computer,)),
            Node("Security", (("UserID", slot(12, ValueType.SID)),)),
        ),
    )


def _system_values(event: Event) -> list[TypedValue]:
    values = [NULL] * _SYSTEM_SLOTS
    values[0] = number(ValueType.UINT8, event.level)
    values[1] = number(ValueType.UINT8, event.opcode)
    values[2] = number(ValueType.UINT16, event.task)
    values[3] = number(ValueType.UINT16, event.event_id)
    values[5] = number(ValueType.HEX64, event.keywords)
    values[6] = filetime(event.time)
    values[8] = number(ValueType.UINT32, event.process_id)
    values[9] = number(ValueType.UINT32, event.thread_id)
    values[10] = number(ValueType.UINT64, event.record_id)
    values[11] = number(ValueType.UINT8, event.version)
    if event.qualifiers is not None:
        values[4] = number(ValueType.UINT16, event.qualifiers)
    if event.activity_id is not None:
        values[7] = guid(event.activity_id)
    if event.related_activity_id is not None:
        values[18] = guid(event.related_activity_id)
    if event.provider_guid is not None and not _is_text(event.provider_guid):
        values[13] = guid(event.provider_guid)
    if event.user_sid is not None:
        values[12] = sid(event.user_sid)
    return values


def _data_node(own_name: str | None, names: Sequence[str | None], types: Sequence[ValueType]) -> Node:
    children = (
        Node("Data", (("Name", name),) if name is not None else (), (Slot(index, value_type, False),))
        for index, (name, value_type) in enumerate(zip(names, types, strict=True))
    )
    return Node("EventData", () if own_name is None else (("Name", own_name),), tuple(children))


class _Templates:
    """Compiled templates by what decides their shape; they outlive the chunks they are written to."""

    def __init__(self) -> None:
        self._by_key: dict[object, Template] = {}

    def instance(self, event: Event) -> Instance:
        """The event as template instances: System outside, the body nested in its last slot."""
        if event.data is not None and event.user_data is not None:
            raise EventWriteError("an event has both data and user_data; Windows writes only one of them")
        values: list[TypedValue | Instance] = [*_system_values(event)]
        body = self._body(event)
        if body is not None:
            values.append(body)
        provider = _Provider(event.provider, event.provider_guid, event.provider_source)
        key = (provider, event.channel, event.computer)
        wrapped = event.user_data is not None
        outer = self._by_key.get((key, body is not None, wrapped))
        if outer is None:
            children: tuple[Node | Slot | str, ...] = (_system_node(*key),)
            if body is not None:
                slot = Slot(_SYSTEM_SLOTS, ValueType.BINXML, True)
                children += (Node("UserData", (), (slot,)) if wrapped else slot,)
            outer = Template(Node("Event", (("xmlns", _XMLNS),), children))
            self._by_key[key, body is not None, wrapped] = outer
        return Instance(outer, values)

    def _body(self, event: Event) -> Instance | None:
        if event.data is not None:
            names = tuple(name for name, _ in event.data)
            values = [value for _, value in event.data]
            types = tuple(value.type for value in values)
            key = (event.data_name, names, types)
            template = self._by_key.get(key)
            if template is None:
                template = self._by_key[key] = Template(_data_node(*key))
            return Instance(template, values)
        if event.user_data is not None:
            values = []
            node = to_node(event.user_data, values)
            template = self._by_key.get(node)
            if template is None:
                template = self._by_key[node] = Template(node)
            return Instance(template, values)
        return None


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
        self._templates = _Templates()
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
        instance = self._templates.instance(event)
        ticks = filetime_ticks(event.time)
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
