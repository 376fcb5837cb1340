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
    END_OF_FRAGMENT,
    FRAGMENT_HEADER,
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


class Reference(NamedTuple):
    """Where a definition refers to a name.

    Attributes:
        before: the bytes between the reference before and this one.
        name: the name.
        stored_at: where its entry stands, from the definition's start; -1 if the chunk has the name already.
    """

    before: bytes
    name: Name
    stored_at: int


class Definition(NamedTuple):
    """A template's definition but for the offsets that a chunk gives to names.

    Attributes:
        references: what is to be copied and filled in, in order; none if the chunk has all names.
        before: the bytes before each reference, if the chunk has all names.
        names: the name of each reference, as it is stored, if the chunk has all names.
        rest: the bytes behind the last reference.
        size: bytes of all of it.
    """

    references: tuple[Reference, ...]
    before: tuple[bytes, ...]
    names: tuple[bytes, ...]
    rest: bytes
    size: int


_MAX_DEFINITIONS = 64


class Template:
    """A template compiled once and written into any chunk.

    Attributes:
        guid: 16 bytes that identify the shape; made from it, so equal input gives equal files.
        head: how an instance of it begins.
        bucket: the bucket of the chunk's template table.
        names: its names, as chunks store them, in the order of their first use.
    """

    __slots__ = ("_definitions", "_steps", "bucket", "guid", "head", "names")

    def __init__(self, root: Node):
        self._steps = _merge_bytes(_compile_element(root))
        self._definitions: dict[tuple[bool, ...], Definition] = {}
        self.names = tuple(dict.fromkeys(step.stored for step in self._steps if isinstance(step, Name)))
        self.guid = hashlib.blake2b(repr(root).encode("utf-8", "backslashreplace"), digest_size=16).digest()
        self.head = b"\x0c\x01" + self.guid[:4]
        # Format 3.1 hashes the GUID's 16 bytes as if they were eight UTF-16 units.
        self.bucket = name_hash(self.guid) % TEMPLATE_BUCKETS

    def definition(self, known: tuple[bool, ...]) -> Definition:
        """The definition, from its fragment header to its end, for a chunk that has some of `names` already."""
        made = self._definitions.get(known)
        if made is None:
            if len(self._definitions) >= _MAX_DEFINITIONS:
                self._definitions.clear()
            stored = {name for name, has in zip(self.names, known, strict=True) if has}
            made = self._definitions[known] = _define(self._steps, stored)
        return made


def _define(steps: list[Step], stored: set[bytes]) -> Definition:
    content = bytearray(FRAGMENT_HEADER)
    references: list[tuple[int, Name, int]] = []
    open_sizes: list[int] = []
    for step in steps:
        at = len(content)
        if isinstance(step, bytes):
            content += step
        elif isinstance(step, Name):
            new = step.stored not in stored
            references.append((at, step, at + 4 if new else -1))
            # The entry stands behind the reference, and begins with the offset of the next one in its bucket.
            content += bytes(8) + step.stored if new else bytes(4)
            stored.add(step.stored)
        elif step is Size.OPEN:
            open_sizes.append(at)
            content += bytes(4)
        else:
            opened = open_sizes.pop()
            struct.pack_into("<I", content, opened, at - opened - 4)
    content += END_OF_FRAGMENT
    parts, done = [], 0
    for at, name, stored_at in references:
        parts.append(Reference(bytes(content[done:at]), name, stored_at))
        done = at + 4 if stored_at < 0 else at + 8 + len(name.stored)
    rest = bytes(content[done:])
    if any(part.stored_at >= 0 for part in parts):
        return Definition(tuple(parts), (), (), rest, len(content))
    before, names = [part.before for part in parts], [part.name.stored for part in parts]
    return Definition((), tuple(before), tuple(names), rest, len(content))


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


def describe(types: Sequence[ValueType], values: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Descriptors and bytes of plain values, as an Instance takes them.

    Raises:
        EventTooLargeError: together they take more than a body can.
    """
    data = b"".join(values)
    # A descriptor is the size, 16 bits wide, then the type: a size beyond them would spill into the type.
    if len(data) > MAX_VALUE_BYTES:
        raise EventTooLargeError(f"the values of an event take {len(data):,} bytes; at most {MAX_VALUE_BYTES:,} fit")
    fields = [0] * (2 * len(values))
    fields[::2] = map(len, values)
    fields[1::2] = types
    return struct.pack(f"<{len(fields)}H", *fields), data


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
