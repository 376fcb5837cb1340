"""Windows binary XML, as EVTX files hold it: typed values and elements.

The format is described in libyal/libevtx, "Windows XML Event Log (EVTX)". All integers are
little-endian.
"""

from __future__ import annotations

import enum
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
MAX_VALUE_BYTES = 0xFFFF

_SID = re.compile(r"S-1-(\d+|0x[0-9a-f]+)((?:-\d+){1,15})\Z", re.IGNORECASE)
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class EventWriteError(SigmaEnvError):
    """An event holds something that EVTX cannot; nothing of it was written."""


class EventTooLargeError(EventWriteError):
    """An event does not fit in a chunk of 64 KiB, or one of its values in 65,535 bytes."""


class ValueType(enum.IntEnum):
    """Value types of binary XML; of arrays, the type of their elements with the bit 0x80."""

    NULL = 0x00
    STRING = 0x01
    ANSI = 0x02
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
    SIZE = 0x10
    FILETIME = 0x11
    SYSTEMTIME = 0x12
    SID = 0x13
    HEX32 = 0x14
    HEX64 = 0x15
    BINXML = 0x21
    STRINGS = 0x81
    ANSI_STRINGS = 0x82
    INT8S = 0x83
    UINT8S = 0x84
    INT16S = 0x85
    UINT16S = 0x86
    INT32S = 0x87
    UINT32S = 0x88
    INT64S = 0x89
    UINT64S = 0x8A
    FLOAT32S = 0x8B
    FLOAT64S = 0x8C
    BOOLS = 0x8D
    GUIDS = 0x8F
    SIZES = 0x90
    FILETIMES = 0x91
    SYSTEMTIMES = 0x92
    SIDS = 0x93
    HEX32S = 0x94
    HEX64S = 0x95

    # Shapes of events are looked up by their types; Enum's own hash is a Python function, and slow.
    __hash__ = int.__hash__


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


def strings(values: Sequence[str]) -> TypedValue:
    """An array of strings, as classic event sources have it in one `Data`.

    Readers show one `Data` per string, but for python-evtx, which shows one text with all of them.

    Raises:
        EventTooLargeError: the texts take more than 65,535 bytes together.
        EventWriteError: a text holds a NUL or an unpaired surrogate.
    """
    data = b"".join(string(value).data + b"\0\0" for value in values)
    if len(data) > MAX_VALUE_BYTES:
        raise EventTooLargeError(f"an array of strings takes {len(data):,} bytes; at most {MAX_VALUE_BYTES:,} fit")
    return TypedValue(ValueType.STRINGS, data)


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


@lru_cache(maxsize=4096)
def guid(value: str | uuid.UUID) -> TypedValue:
    """A GUID, with or without braces.

    Raises:
        EventWriteError: the text is no GUID.
    """
    try:
        return TypedValue(ValueType.GUID, uuid.UUID(str(value)).bytes_le)
    except ValueError as error:
        raise EventWriteError(f"{value!r} is not a GUID") from error


@lru_cache(maxsize=4096)
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
