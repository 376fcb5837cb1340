"""Windows binary XML, as EVTX files hold it: typed values, elements and compiled templates.

The format is described in libyal/libevtx, "Windows XML Event Log (EVTX)". All integers are
little-endian. Windows stores the shape of an event once (a template, with numbered slots) and
per event only the values of the slots; this module does the same, so what it makes is as small
as what Windows makes, and every reader knows its structures.
"""

from __future__ import annotations

import enum
import hashlib
import re
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from sigma_env.errors import SigmaEnvError

FRAGMENT_HEADER = b"\x0f\x01\x01\x00"
END_OF_FRAGMENT = b"\x00"
NAME_BUCKETS = 64
TEMPLATE_BUCKETS = 32
MAX_VALUE_BYTES = 0xFFFF

_XML_NAME = re.compile(r"[^\W\d][\w.\-]*(:[^\W\d][\w.\-]*)?\Z")
_SID = re.compile(r"S-1-(\d+|0x[0-9a-f]+)((?:-\d+){1,15})\Z", re.IGNORECASE)
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NO_DEPENDENCY = 0xFFFF


class EventWriteError(SigmaEnvError):
    """An event holds something that EVTX cannot; nothing of it was written."""


class EventTooLargeError(EventWriteError):
    """An event does not fit in a chunk of 64 KiB, or one of its values in 65,535 bytes."""


class ValueType(enum.IntEnum):
    """Value types of binary XML."""

    NULL = 0x00
    STRING = 0x01
    INT8 = 0x03
    UINT8 = 0x04
    INT16 = 0x05
    UINT16 = 0x06
    INT32 = 0x07
    UINT32 = 0x08
    INT64 = 0x09
    UINT64 = 0x0A
    FLOAT32 = 0x0B
    FLOAT64 = 0x0C
    BOOL = 0x0D
    BINARY = 0x0E
    GUID = 0x0F
    FILETIME = 0x11
    SID = 0x13
    HEX32 = 0x14
    HEX64 = 0x15
    BINXML = 0x21


class TypedValue(NamedTuple):
    """A value and its type, encoded: what a slot of a template takes."""

    type: ValueType
    data: bytes


_PACKED = {
    ValueType.INT8: struct.Struct("<b"),
    ValueType.UINT8: struct.Struct("<B"),
    ValueType.INT16: struct.Struct("<h"),
    ValueType.UINT16: struct.Struct("<H"),
    ValueType.INT32: struct.Struct("<i"),
    ValueType.UINT32: struct.Struct("<I"),
    ValueType.INT64: struct.Struct("<q"),
    ValueType.UINT64: struct.Struct("<Q"),
    ValueType.FLOAT32: struct.Struct("<f"),
    ValueType.FLOAT64: struct.Struct("<d"),
    ValueType.HEX32: struct.Struct("<I"),
    ValueType.HEX64: struct.Struct("<Q"),
}

NULL = TypedValue(ValueType.NULL, b"")
# libevtx refuses NULL in a normal substitution, so an empty value of a body is an empty string.
EMPTY = TypedValue(ValueType.STRING, b"")


def number(value_type: ValueType, value: float) -> TypedValue:
    """A number of a fixed size.

    Raises:
        EventWriteError: the number does not fit the type, or the type is not numeric.
    """
    packed = _PACKED.get(value_type)
    if packed is None:
        raise EventWriteError(f"{value_type.name} is not a numeric type; use one of INT*, UINT*, FLOAT*, HEX*")
    try:
        return TypedValue(value_type, packed.pack(value))
    except (struct.error, OverflowError) as error:
        raise EventWriteError(f"{value!r} does not fit {value_type.name}") from error


def string(value: str) -> TypedValue:
    """A string; NUL and unpaired surrogates are refused, because no reader returns them.

    Raises:
        EventTooLargeError: the text is longer than 65,535 bytes of UTF-16.
        EventWriteError: the text holds a NUL or an unpaired surrogate.
    """
    if "\0" in value:
        raise EventWriteError("a string holds a NUL character, where readers would cut it; remove it")
    try:
        data = value.encode("utf-16-le")
    except UnicodeEncodeError as error:
        raise EventWriteError(f"a string holds an unpaired surrogate at position {error.start}") from error
    if len(data) > MAX_VALUE_BYTES:
        raise EventTooLargeError(f"a string takes {len(data):,} bytes of UTF-16; at most {MAX_VALUE_BYTES:,} fit")
    return TypedValue(ValueType.STRING, data)


def boolean(value: bool) -> TypedValue:
    """A boolean, four bytes wide as Windows writes it."""
    return TypedValue(ValueType.BOOL, b"\1\0\0\0" if value else b"\0\0\0\0")


def binary(value: bytes) -> TypedValue:
    """Bytes. Empty ones become an empty string, since libevtx fails on an empty binary value.

    Raises:
        EventTooLargeError: there are more than 65,535 bytes.
    """
    if len(value) > MAX_VALUE_BYTES:
        raise EventTooLargeError(f"a binary value has {len(value):,} bytes; at most {MAX_VALUE_BYTES:,} fit")
    return TypedValue(ValueType.BINARY, bytes(value)) if value else EMPTY


def guid(value: str | uuid.UUID) -> TypedValue:
    """A GUID, with or without braces.

    Raises:
        EventWriteError: the text is no GUID.
    """
    try:
        return TypedValue(ValueType.GUID, uuid.UUID(str(value)).bytes_le)
    except ValueError as error:
        raise EventWriteError(f"{value!r} is not a GUID") from error


def sid(value: str) -> TypedValue:
    """A security identifier in its text form, `S-1-5-18`.

    Raises:
        EventWriteError: the text is no SID.
    """
    match = _SID.match(value)
    if match is None:
        raise EventWriteError(f"{value!r} is not a SID of the form S-1-5-…")
    parts = match[2].split("-")[1:]
    try:
        authority = int(match[1], 0).to_bytes(6, "big")
        data = bytes((1, len(parts))) + authority + b"".join(int(part).to_bytes(4, "little") for part in parts)
    except OverflowError as error:
        raise EventWriteError(f"{value!r} is not a SID: a part of it is too large") from error
    return TypedValue(ValueType.SID, data)


def filetime_ticks(value: datetime) -> int:
    """Intervals of 100 ns since 1601-01-01 UTC, the clock of Windows.

    Raises:
        EventWriteError: the time has no time zone, or is before 1601.
    """
    if value.tzinfo is None:
        raise EventWriteError(f"the time {value} has no time zone; use an aware datetime")
    delta = value - _FILETIME_EPOCH
    ticks = (delta.days * 86_400 + delta.seconds) * 10_000_000 + delta.microseconds * 10
    if ticks < 0:
        raise EventWriteError(f"the time {value} is before 1601, which a FILETIME cannot hold")
    return ticks


def filetime(value: datetime) -> TypedValue:
    """A time, exact to the microsecond.

    Raises:
        EventWriteError: the time has no time zone, or is before 1601.
    """
    return TypedValue(ValueType.FILETIME, filetime_ticks(value).to_bytes(8, "little"))


@dataclass(frozen=True, slots=True)
class Element:
    """An XML element. A `str` is literal text of the template, a `TypedValue` the value of a slot."""

    name: str
    attributes: Sequence[tuple[str, TypedValue | str]] = ()
    children: Sequence[Element | TypedValue | str] = ()


class Slot(NamedTuple):
    """A substitution: where a template takes the value that has this number in an event."""

    number: int
    type: ValueType
    optional: bool


class Node(NamedTuple):
    """An element of a template: hashable, so a shape is its own key."""

    name: str
    attributes: tuple[tuple[str, Slot | str], ...] = ()
    children: tuple[Node | Slot | str, ...] = ()


def to_node(element: Element, values: list[TypedValue]) -> Node:
    """The shape of an element; the values of its slots are appended to `values`."""
    attributes: list[tuple[str, Slot | str]] = []
    for name, attribute in element.attributes:
        if isinstance(attribute, TypedValue):
            # Windows makes every attribute optional: a NULL then drops the attribute.
            attributes.append((name, Slot(len(values), attribute.type, True)))
            values.append(attribute)
        else:
            attributes.append((name, attribute))
    children: list[Node | Slot | str] = []
    for child in element.children:
        if isinstance(child, Element):
            children.append(to_node(child, values))
        elif isinstance(child, TypedValue):
            children.append(Slot(len(values), child.type, False))
            values.append(child)
        else:
            children.append(child)
    return Node(element.name, tuple(attributes), tuple(children))


def name_hash(utf16: bytes) -> int:
    """The 16-bit hash that places names and template GUIDs in a chunk's buckets."""
    value = 0
    for (unit,) in struct.iter_unpack("<H", utf16):
        value = (value * 65599 + unit) & 0xFFFF
    return value


class Name(NamedTuple):
    """An element or attribute name as a chunk stores it, less the pointer to the next name."""

    stored: bytes
    bucket: int


@lru_cache(maxsize=4096)
def to_name(text: str) -> Name:
    """Encode a name.

    Raises:
        EventWriteError: the text is no XML name, or too long for a chunk.
    """
    if not _XML_NAME.match(text):
        raise EventWriteError(f"{text[:80]!r} is not an XML name")
    data = string(text).data
    digest = name_hash(data)
    return Name(struct.pack("<HH", digest, len(data) // 2) + data + b"\0\0", digest % NAME_BUCKETS)


class Size(enum.Enum):
    """Marks in a compiled template: a 32-bit size field, and the end of what it counts."""

    OPEN = enum.auto()
    CLOSE = enum.auto()


Step = bytes | Name | Size


class Template:
    """A template compiled once and written into any chunk.

    Attributes:
        steps: bytes to copy, names to store or refer to, and size fields to fill in.
        guid: 16 bytes that identify the shape; made from it, so equal input gives equal files.
        bucket: the bucket of the chunk's template table.
    """

    __slots__ = ("bucket", "guid", "steps")

    def __init__(self, root: Node):
        self.steps = _merge_bytes(_compile_element(root))
        self.guid = hashlib.blake2b(repr(root).encode("utf-8", "backslashreplace"), digest_size=16).digest()
        # Format 3.1 hashes the GUID's 16 bytes as if they were eight UTF-16 units.
        self.bucket = name_hash(self.guid) % TEMPLATE_BUCKETS


class Instance(NamedTuple):
    """A template and the values of its slots; a value may be an instance itself (type BINXML)."""

    template: Template
    values: Sequence[TypedValue | Instance]


def _merge_bytes(steps: list[Step]) -> list[Step]:
    merged: list[Step] = []
    for step in steps:
        last = merged[-1] if merged else None
        if isinstance(step, bytes) and isinstance(last, bytes):
            merged[-1] = last + step
        else:
            merged.append(step)
    return merged


def _compile_content(content: Slot | str) -> bytes:
    if isinstance(content, Slot):
        return struct.pack("<BHB", 0x0E if content.optional else 0x0D, content.number, content.type)
    data = string(content).data
    return b"\x05\x01" + struct.pack("<H", len(data) // 2) + data


def _compile_element(node: Node) -> list[Step]:
    optional = [child.number for child in node.children if isinstance(child, Slot) and child.optional]
    # An element depends on a slot (and vanishes when it is NULL) iff it holds exactly one optional slot.
    dependency = optional[0] if len(optional) == 1 else _NO_DEPENDENCY
    steps: list[Step] = [struct.pack("<BH", 0x41 if node.attributes else 0x01, dependency), Size.OPEN]
    steps.append(to_name(node.name))
    if node.attributes:
        steps.append(Size.OPEN)
        for position, (name, content) in enumerate(node.attributes, 1):
            more = position < len(node.attributes)
            steps += (b"\x46" if more else b"\x06", to_name(name), _compile_content(content))
        steps.append(Size.CLOSE)
    if node.children:
        steps.append(b"\x02")
        for child in node.children:
            steps += _compile_element(child) if isinstance(child, Node) else [_compile_content(child)]
        steps.append(b"\x04")
    else:
        steps.append(b"\x03")
    steps.append(Size.CLOSE)
    return steps
