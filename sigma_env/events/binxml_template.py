"""Templates of binary XML: the shape of an event, compiled once and written into any chunk.

Windows stores the shape of an event once per chunk (a template, with numbered slots) and per event only the
values of the slots; this module does the same, so what it makes is as small as what Windows makes, and every reader
knows its structures. They follow libyal/libevtx, "Windows XML Event Log (EVTX)".
"""

from __future__ import annotations

import enum
import hashlib
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from sigma_env.events.binxml import (
    MAX_VALUE_BYTES,
    Element,
    EventTooLargeError,
    EventWriteError,
    TypedValue,
    ValueType,
    string,
)

NAME_BUCKETS = 64
TEMPLATE_BUCKETS = 32

_XML_NAME = re.compile(r"[^\W\d][\w.\-]*(:[^\W\d][\w.\-]*)?\Z")
_NO_DEPENDENCY = 0xFFFF


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
            # libevtx refuses NULL where a value is not optional.
            children.append(Slot(len(values), child.type, child.type is ValueType.NULL))
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
    """A template and what fills its slots, encoded: first plain values, then instances of other templates.

    Attributes:
        template: the shape.
        descriptors: sizes and types of the plain values, four bytes each.
        values: the plain values, one behind the other.
        nested: what the last slots hold, each a value of type BINXML.
    """

    template: Template
    descriptors: bytes
    values: bytes
    nested: tuple[Instance, ...] = ()


def describe(values: Sequence[TypedValue]) -> tuple[bytes, bytes]:
    """Descriptors and bytes of plain values, as an Instance takes them.

    Raises:
        EventTooLargeError: together they take more than a body can.
    """
    data = b"".join([value.data for value in values])
    # A descriptor is the size, 16 bits wide, then the type: a size beyond them would spill into the type.
    if len(data) > MAX_VALUE_BYTES:
        raise EventTooLargeError(f"the values of an event take {len(data):,} bytes; at most {MAX_VALUE_BYTES:,} fit")
    return struct.pack(f"<{len(values)}I", *[len(data) | kind << 16 for kind, data in values]), data


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
