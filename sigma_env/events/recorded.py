"""Events of recorded EVTX files, typed as `EvtxWriter` takes them.

    for event in recorded_events(path):
        if isinstance(event, Event): ...

They keep what makes an event of its kind: the order and names of fields, their types, and the values of System.
Written again, every reader shows the same event.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from sigma_env.events.binxml import EMPTY, Element, EventWriteError, TypedValue, ValueType, guid, sid
from sigma_env.events.binxml_parse import EventParseError, ParsedRecord, parse_chunk
from sigma_env.events.evtx_event import Event

_FILE_HEADER_BYTES = 4_096
_CHUNK_BYTES = 65_536
_CHUNK_MAGIC = b"ElfChnk\0"
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_INTEGERS = {
    ValueType.INT8: "<b",
    ValueType.UINT8: "<B",
    ValueType.INT16: "<h",
    ValueType.UINT16: "<H",
    ValueType.INT32: "<i",
    ValueType.UINT32: "<I",
    ValueType.INT64: "<q",
    ValueType.UINT64: "<Q",
    ValueType.HEX32: "<I",
    ValueType.HEX64: "<Q",
    ValueType.FILETIME: "<Q",
}
# Name of the argument of `Event` by the name of System's value.
_NUMBERS = {
    "EventID": "event_id",
    "EventID_Qualifiers": "qualifiers",
    "Version": "version",
    "Level": "level",
    "Task": "task",
    "Opcode": "opcode",
    "Keywords": "keywords",
    "EventRecordID": "record_id",
    "Execution_ProcessID": "process_id",
    "Execution_ThreadID": "thread_id",
    "Execution_ProcessorID": "processor_id",
    "Execution_SessionID": "session_id",
    "Execution_KernelTime": "kernel_time",
    "Execution_UserTime": "user_time",
    "Execution_ProcessorTime": "processor_time",
}
_IDS = {
    "Correlation_ActivityID": "activity_id",
    "Correlation_RelatedActivityID": "related_activity_id",
    "Security_UserID": "user_sid",
}
_TEXTS = {
    "Provider_Name": "provider",
    "Provider_Guid": "provider_guid",
    "Provider_EventSourceName": "provider_source",
    "Channel": "channel",
    "Computer": "computer",
}
_TIME = "TimeCreated_SystemTime"


def recorded_events(source: Path | BinaryIO) -> Iterator[Event | EventParseError]:
    """The events of an EVTX file, in order; an error stands in the place of each record that cannot be read.

    Args:
        source: the path, or a binary file, which stays open.

    Raises:
        OSError: the file cannot be read.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        stream.seek(_FILE_HEADER_BYTES)
        while len(chunk := stream.read(_CHUNK_BYTES)) == _CHUNK_BYTES:
            if not chunk.startswith(_CHUNK_MAGIC):
                continue
            for record in parse_chunk(chunk):
                if isinstance(record, EventParseError):
                    yield record
                    continue
                try:
                    yield _to_event(record)
                except EventParseError as error:
                    yield EventParseError(f"record {record.number}: {error}")


def _to_event(record: ParsedRecord) -> Event:
    """A record as a typed event.

    Raises:
        EventParseError: it has no System, or one with values of types that System never has.
    """
    system: Element | None = None
    body: dict[str, Any] = {"other": []}
    for child in record.root.children:
        if not isinstance(child, Element):
            if not isinstance(child, TypedValue) or child.data:
                raise EventParseError(f"{record.root.name} holds text beside its elements")
        elif child.name == "System" and system is None:
            system = child
        else:
            _add_body(child, body)
    if system is None:
        raise EventParseError(f"{record.root.name} has no System")
    return Event(**_system(system, record.ticks), **body)


def _system(system: Element, record_ticks: int) -> dict[str, Any]:
    """The arguments of `Event` that System gives."""
    fields: dict[str, Any] = dict.fromkeys(_NUMBERS.values())
    fields |= {"provider": "", "channel": "", "computer": "", "time": time_of(record_ticks), "rendered": {}}
    fields["in_channel"] = any(
        isinstance(element, Element) and element.name == "Channel" for element in system.children
    )
    for element in system.children:
        if not isinstance(element, Element):
            raise EventParseError("System holds text beside its elements")
        for name, value in element.attributes:
            _add_value(fields, f"{element.name}_{name}", value)
        if len(element.children) == 1 and not isinstance(element.children[0], Element):
            _add_value(fields, element.name, element.children[0])
        elif element.children:
            raise EventParseError(f"System's {element.name} holds {len(element.children)} values")
    if not fields["in_channel"] and fields["record_id"] is None:
        fields["record_id"] = 0
    for name in ("EventID", "EventRecordID"):
        if fields[_NUMBERS[name]] is None:
            raise EventParseError(f"System has no number as {name}")
    return fields


def _add_value(fields: dict[str, Any], name: str, value: TypedValue | str) -> None:
    """Sets the argument that a value of System stands for; text in the place of a number is kept as `rendered`."""
    if isinstance(value, TypedValue) and value.type is ValueType.NULL:
        return
    text = value if isinstance(value, str) else text_of(value)
    if name in _TEXTS:
        if text is None:
            raise EventParseError(f"System's {name} is no text")
        fields[_TEXTS[name]] = text
    elif name in _NUMBERS or name in _IDS or name == _TIME:
        argument = _NUMBERS.get(name) or _IDS.get(name) or "time"
        plain = isinstance(value, TypedValue) and value.type is not ValueType.STRING
        read: Callable[[Any], Any] = number_of if name in _NUMBERS else _time_value if name == _TIME else text_of
        typed = read(value) if plain else _read_text(argument, text or "")
        if typed is not None:
            fields[argument] = typed
        if not plain:
            fields["rendered"][name] = text
    else:
        raise EventParseError(f"System's {name} is not known")


def _read_text(argument: str, text: str) -> Any:
    """The typed value that a text stands for, or None."""
    try:
        if argument == "time":
            time = datetime.fromisoformat(text)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if argument in _NUMBERS.values():
            return int(text, 0)
        make = sid if argument == "user_sid" else guid
        return text_of(make(text))
    except (ValueError, EventWriteError):
        return None


def _add_body(child: Element, body: dict[str, Any]) -> None:
    """Sets the argument of `Event` that takes a child of Event other than System."""
    data = _data(child) if child.name == "EventData" and not body.keys() & {"data", "user_data"} else None
    if data is not None:
        body |= data
        return
    only = child.children[0] if len(child.children) == 1 and not child.attributes else None
    if child.name == "UserData" and isinstance(only, Element) and not body.keys() & {"data", "user_data"}:
        body["user_data"] = only
    else:
        body["other"].append(child)


def _data(event_data: Element) -> dict[str, Any] | None:
    """EventData as the arguments of `Event`; None if it holds more than named and unnamed `Data` and a Binary."""
    own = [value if isinstance(value, str) else None for name, value in event_data.attributes if name == "Name"]
    if len(own) != len(event_data.attributes) or None in own or len(own) > 1:
        return None
    found: dict[str, Any] = {"data": [], "data_name": own[0] if own else None, "binary": None}
    for element in event_data.children:
        if not isinstance(element, Element) or found["binary"] is not None or len(element.children) > 1:
            return None
        value = _slot_value(element)
        name = _own_name(element)
        if value is None or element.name not in ("Data", "Binary") or name is _OTHER_ATTRIBUTES:
            return None
        if element.name == "Data":
            found["data"].append((name, value))
        elif name is None:
            found["binary"] = value
        else:
            return None
    return found


_OTHER_ATTRIBUTES = object()


def _own_name(element: Element) -> object:
    """The Name of a Data element, None if it has no attributes."""
    if not element.attributes:
        return None
    (name, value), *more = element.attributes
    return value if name == "Name" and isinstance(value, str) and not more else _OTHER_ATTRIBUTES


def _slot_value(element: Element) -> TypedValue | None:
    """What an element without child elements holds; literal text becomes a string."""
    (child,) = element.children or (EMPTY,)
    if isinstance(child, str):
        return TypedValue(ValueType.STRING, child.encode("utf-16-le", "surrogatepass"))
    return child if isinstance(child, TypedValue) else None


def number_of(value: TypedValue) -> int:
    """An integer, pointer or FILETIME as a number.

    Raises:
        EventParseError: it is none, or has not the size of its type.
    """
    code = _INTEGERS.get(value.type)
    if code is None or struct.calcsize(code) != len(value.data):
        raise EventParseError(f"{len(value.data)} bytes of type {value.type.name} are no whole number")
    number: int = struct.unpack(code, value.data)[0]
    return number


def time_of(ticks: int) -> datetime:
    """The time of a FILETIME, cut to microseconds.

    Raises:
        EventParseError: it is beyond the year 9999.
    """
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError as error:
        raise EventParseError(f"the time {ticks} is beyond the year 9999") from error


def _time_value(value: TypedValue) -> datetime:
    """The time that a FILETIME value holds; see `time_of`."""
    return time_of(number_of(value))


def text_of(value: TypedValue) -> str | None:
    """The text of a string, GUID (as readers show it: upper case, no braces) or SID; None of other types."""
    data = value.data
    if value.type is ValueType.STRING:
        return data.decode("utf-16-le", "replace").rstrip("\0")
    if value.type is ValueType.ANSI:
        return data.decode("cp1252", "replace").rstrip("\0")
    if value.type is ValueType.GUID and len(data) == 16:
        return str(UUID(bytes_le=data)).upper()
    if value.type is ValueType.SID and len(data) >= 8 and len(data) == 8 + 4 * data[1]:
        parts = struct.unpack_from(f"<{data[1]}I", data, 8)
        return "-".join(map(str, ("S", data[0], int.from_bytes(data[2:8], "big"), *parts)))
    return None
