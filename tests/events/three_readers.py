"""The three independent EVTX readers, and what each makes of a value.

`evtx` is written in Rust, `python-evtx` in Python, libevtx in C; they share no code. Each prints values in its own
way, so a text is turned back into the value that it stands for before it is compared with what was written.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import Evtx.Evtx
import pyevtx
from evtx import PyEvtxParser

from sigma_env.events.binxml import Element, TypedValue, ValueType
from sigma_env.events.recorded import number_of, text_of, time_of
from sigma_env.events.writer import Event

RUST, PYTHON, LIBEVTX = "evtx", "python-evtx", "libevtx"
# Of tags only: a value may be XML too.
_XMLNS = re.compile(r"(<[^<>]*?) xmlns=(?:\"[^\"]*\"|'[^']*')")
_SIGNED = {ValueType.INT8: 8, ValueType.INT16: 16, ValueType.INT32: 32, ValueType.INT64: 64}
_UNSIGNED = {ValueType.UINT8, ValueType.UINT16, ValueType.UINT32, ValueType.UINT64}
_HEX = {ValueType.HEX32, ValueType.HEX64}
_FLOATS = {ValueType.FLOAT32: "<f", ValueType.FLOAT64: "<d"}


class Shown(NamedTuple):
    """A record as a reader shows it: the id in its header, and its XML."""

    number: int
    xml: str


def shown_by_rust(content: bytes) -> list[Shown]:
    parser = PyEvtxParser(io.BytesIO(content), 1, indent=False, validate_checksums=True)
    return [Shown(record["event_record_id"], record["data"]) for record in parser.records()]


def shown_by_python(content: bytes, wanted: Callable[[int], bool] | None = None) -> list[Shown]:
    """As python-evtx needs 8 ms for a record, it prints the wanted ones; the numbers of others have an empty XML."""
    header = Evtx.Evtx.FileHeader(content, 0)
    assert header.verify()
    records = []
    for chunk in header.chunks():
        assert chunk.verify()
        for record in chunk.records():
            number = record.record_num()
            records.append(Shown(number, record.xml() if wanted is None or wanted(number) else ""))
    return records


def shown_by_libevtx(content: bytes) -> list[Shown]:
    file = pyevtx.file()
    file.open_file_object(io.BytesIO(content))
    assert not file.is_corrupted()
    assert file.number_of_recovered_records == 0
    # Its XML ends with a NUL now and then, as C strings do.
    shown = [Shown(record.identifier, record.xml_string.rstrip("\0")) for record in file.records]
    file.close()
    return shown


READERS: dict[str, Callable[[bytes], list[Shown]]] = {
    RUST: shown_by_rust,
    PYTHON: shown_by_python,
    LIBEVTX: shown_by_libevtx,
}


def said(value: TypedValue, text: str, reader: str) -> Any:
    """The value that a reader's text stands for."""
    kind = value.type
    if not value.data:
        return text
    if kind in _SIGNED:
        number = int(text)
        # libevtx prints the sign bit as a minus and the other bits as they are: -5 as -2147483643.
        return -number - 2 ** (_SIGNED[kind] - 1) if reader == LIBEVTX and text.startswith("-") else number
    if kind in _UNSIGNED:
        return int(text)
    if kind in _HEX:
        return int(text, 16)
    if kind in _FLOATS:
        return float(text)
    if kind is ValueType.BOOL:
        return {"true": True, "false": False}[text.lower()]
    if kind is ValueType.BINARY:
        return base64.b64decode(text) if reader == PYTHON else bytes.fromhex(text)
    if kind is ValueType.GUID:
        return UUID(text)
    if kind is ValueType.FILETIME:
        return datetime.fromisoformat(text)
    return text


def meant(value: TypedValue) -> Any:
    """The value that was written."""
    kind, data = value
    if not data:
        return ""
    if kind in _SIGNED or kind in _UNSIGNED or kind in _HEX:
        return number_of(value)
    if kind in _FLOATS:
        return struct.unpack(_FLOATS[kind], data)[0]
    if kind is ValueType.BOOL:
        return data != bytes(4)
    if kind is ValueType.BINARY:
        return data
    if kind is ValueType.GUID:
        return UUID(bytes_le=data)
    if kind is ValueType.FILETIME:
        return time_of(number_of(value))
    text = text_of(value)
    assert text is not None, kind
    return as_xml_shows(text)


def as_xml_shows(text: str) -> str:
    """A text after a parser of XML has read it: line ends are one character."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, as exactly as the readers print them."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < timedelta(microseconds=10)  # python-evtx calculates times as floats
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= 1e-6 * max(abs(one), abs(other))  # libevtx prints seven digits
    return type(one) is type(other) and one == other


Leaf = tuple[str, TypedValue]


def leaves_of(event: Event) -> list[Leaf]:
    """The values of an event's body in order, each with the name that its element or attribute has."""
    leaves: list[Leaf] = []
    for name, value in event.data or ():
        label = "Data" if name is None else f"Data {name}"
        leaves += [(label, one) for one in elements_of(value)]
    if event.binary is not None:
        leaves.append(("Binary", event.binary))
    if event.user_data is not None:
        leaves += _leaves(event.user_data)
    return leaves


def elements_of(value: TypedValue) -> list[TypedValue]:
    """An array's strings, each of which readers show as an element of its own; any other value by itself."""
    if value.type is not ValueType.STRINGS:
        return [value]
    return [TypedValue(ValueType.STRING, part) for part in _strings(value.data)]


def _strings(data: bytes) -> Iterator[bytes]:
    begin = 0
    for at in range(0, len(data), 2):
        if data[at : at + 2] == b"\0\0":
            yield data[begin:at]
            begin = at + 2


def _leaves(element: Element) -> Iterator[Leaf]:
    for name, value in element.attributes:
        if isinstance(value, TypedValue) and value.data:
            yield f"{element.name}@{name}", value
    for child in element.children:
        if isinstance(child, Element):
            yield from _leaves(child)
        elif isinstance(child, TypedValue):
            yield element.name, child


def shown_leaves(xml: str, reader: str) -> list[tuple[str, str]]:
    """The values of the body as a reader's XML shows them: (name, text) in order."""
    root = ET.fromstring(_XMLNS.sub(r"\1", xml))
    leaves: list[tuple[str, str]] = []
    for section in root:
        if section.tag == "EventData":
            for element in section:
                label = f"{element.tag} {element.get('Name')}" if "Name" in element.attrib else element.tag
                leaves += [(label, text) for text in _texts(element.text or "", reader)]
        elif section.tag == "UserData":
            leaves += [leaf for child in section for leaf in _shown(child)]
    return leaves


def _texts(text: str, reader: str) -> list[str]:
    if reader != PYTHON or not text.startswith("<string>"):
        return [text]
    return text.removeprefix("<string>").rstrip("\n").removesuffix("</string>").split("</string>\n<string>")


def _shown(element: ET.Element) -> Iterator[tuple[str, str]]:
    yield from ((f"{element.tag}@{name}", text) for name, text in element.attrib.items())
    if len(element) == 0:
        yield element.tag, element.text or ""
    for child in element:
        yield from _shown(child)


def system_of(event: Event) -> dict[str, Any]:
    """System's values by name, as they should be read."""
    return {
        "Provider@Name": event.provider,
        "EventID": event.event_id,
        "Level": event.level,
        "Task": event.task,
        "Opcode": event.opcode,
        "Keywords": event.keywords,
        "TimeCreated@SystemTime": event.time,
        "EventRecordID": event.record_id,
        "Execution@ProcessID": event.process_id,
        "Execution@ThreadID": event.thread_id,
        "Channel": event.channel,
        "Computer": event.computer,
        "Security@UserID": event.user_sid,
    }


def shown_system(xml: str) -> dict[str, Any]:
    """The same of a reader's XML; what is absent is None."""
    system = ET.fromstring(_XMLNS.sub(r"\1", xml)).find("System")
    assert system is not None
    shown: dict[str, Any] = {}
    for name, read in _SYSTEM_NAMES.items():
        tag, _, attribute = name.partition("@")
        element = system.find(tag)
        text = None if element is None else element.get(attribute) if attribute else element.text
        shown[name] = read(text) if text else None
    return shown


def _plain(text: str) -> str:
    return text


_SYSTEM_NAMES: dict[str, Callable[[str], Any]] = {
    "Provider@Name": _plain,
    "EventID": int,
    "Level": int,
    "Task": int,
    "Opcode": int,
    "Keywords": lambda text: int(text, 16),
    "TimeCreated@SystemTime": datetime.fromisoformat,
    "EventRecordID": int,
    "Execution@ProcessID": int,
    "Execution@ThreadID": int,
    "Channel": _plain,
    "Computer": _plain,
    "Security@UserID": _plain,
}
