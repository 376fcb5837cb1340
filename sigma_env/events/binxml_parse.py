"""Binary XML → elements with typed values: what readers that print XML or JSON leave out.

A reader shows `ProcessId` as 4 or "0x4"; here one sees whether it is a 32-bit number, a pointer or text, in which
order fields stand and what the template holds literally. Structures follow libyal/libevtx, "Windows XML Event
Log (EVTX)". Files may be damaged: every length is checked by the reading that it leads to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sigma_env.errors import SigmaEnvError
from sigma_env.events.binxml import Element, TypedValue, ValueType
from sigma_env.events.binxml_template import Node, Slot

CHUNK_HEADER_BYTES = 512
_RECORD_MAGIC = b"**\0\0"
_MIN_RECORD_BYTES = 28
_MAX_DEPTH = 64
_MORE = 0x40  # flag of tokens: attributes follow, or another one of them
_END, _OPEN, _CLOSE_START, _CLOSE_EMPTY, _CLOSE, _TEXT, _ATTRIBUTE = range(7)
_CDATA, _CHARACTER, _ENTITY, _TEMPLATE, _VALUE, _OPTIONAL, _FRAGMENT = 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x0E, 0x0F
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_U16, _U32 = struct.Struct("<H"), struct.Struct("<I")
_DESCRIPTOR = struct.Struct("<HBx")
_RECORD = struct.Struct("<4sIQQ")


class EventParseError(SigmaEnvError):
    """A record of an EVTX file is damaged, or holds something that is not known."""


class ParsedRecord(NamedTuple):
    """A record of a chunk.

    Attributes:
        number: the id in the record's header.
        ticks: the time there, in intervals of 100 ns since 1601.
        root: its outermost element, `Event`.
    """

    number: int
    ticks: int
    root: Element


class _Nested(NamedTuple):
    """The value of a slot that holds binary XML itself."""

    elements: list[Element]


_SlotValue = TypedValue | _Nested
_Content = Node | Slot | str


def parse_chunk(chunk: bytes) -> Iterator[ParsedRecord | EventParseError]:
    """The records of a chunk of 65,536 bytes, in order; an error stands in the place of each that cannot be read."""
    parser = _Parser(chunk)
    at, free = CHUNK_HEADER_BYTES, min(_U32.unpack_from(chunk, 48)[0], len(chunk))
    while at + _MIN_RECORD_BYTES <= free:
        magic, size, number, ticks = _RECORD.unpack_from(chunk, at)
        if magic != _RECORD_MAGIC or not _MIN_RECORD_BYTES <= size <= free - at:
            yield EventParseError(f"at offset {at} of the chunk stands no record; the rest of the chunk is not read")
            return
        try:
            elements = parser.fragment(at + _RECORD.size, at + size - 4, 0)
            if len(elements) != 1:
                raise EventParseError(f"a record should hold one element; it holds {len(elements)}")
            yield ParsedRecord(number, ticks, elements[0])
        except (EventParseError, struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
            yield EventParseError(f"record {number}: {error}")
        at += size


class _Parser:
    """Reads the records of one chunk, whose names and templates are given by their offsets in it."""

    def __init__(self, chunk: bytes) -> None:
        self._chunk = chunk
        self._definitions: dict[int, tuple[Node, int]] = {}
        self._names: dict[int, tuple[str, int]] = {}

    def fragment(self, at: int, end: int, depth: int) -> list[Element]:
        """The elements between two offsets."""
        if depth > _MAX_DEPTH:
            raise EventParseError(f"binary XML is nested more than {_MAX_DEPTH} deep")
        elements: list[Element] = []
        while at < end and (token := self._chunk[at]) != _END:
            if token == _FRAGMENT:
                at += 4
            elif token == _TEMPLATE:
                element, at = self._instance(at, depth)
                elements.append(element)
            elif token & ~_MORE == _OPEN:
                # Not of a template: exports by way of XML write their elements out, with literal text.
                node, at = self._element(at, depth, in_template=False)
                elements.append(_without_slots(node))
            else:
                raise EventParseError(f"token {token:#04x} where an element should begin")
        return elements

    def _instance(self, at: int, depth: int) -> tuple[Element, int]:
        chunk = self._chunk
        (offset,) = _U32.unpack_from(chunk, at + 6)
        at += 10
        if offset not in self._definitions:
            self._definitions[offset] = self._definition(offset, depth)
        root, end = self._definitions[offset]
        if offset == at:  # the definition stands where it is first used
            at = end
        (count,) = _U32.unpack_from(chunk, at)
        at += 4
        if count > len(chunk) // _DESCRIPTOR.size:
            raise EventParseError(f"a template instance announces {count:,} values")
        described, at = at, at + _DESCRIPTOR.size * count
        values: list[_SlotValue] = []
        for size, kind in _DESCRIPTOR.iter_unpack(chunk[described:at]):
            end = at + size
            if end > len(chunk):
                raise EventParseError("a value reaches beyond the chunk")
            if kind == ValueType.BINXML:
                values.append(_Nested(self.fragment(at, end, depth + 1)))
            else:
                values.append(TypedValue(_known(kind), chunk[at:end]))
            at = end
        return _filled(root, values), at

    def _definition(self, offset: int, depth: int) -> tuple[Node, int]:
        at = offset + 24
        (size,) = _U32.unpack_from(self._chunk, offset + 20)
        if self._chunk[at] == _FRAGMENT:
            at += 4
        root, _ = self._element(at, depth, in_template=True)
        return root, offset + 24 + size

    def _element(self, at: int, depth: int, in_template: bool) -> tuple[Node, int]:
        if depth > _MAX_DEPTH:
            raise EventParseError(f"elements are nested more than {_MAX_DEPTH} deep")
        chunk = self._chunk
        token = chunk[at]
        # Behind the token: in templates the slot that the element depends on, then the element's size.
        name, at = self._name(at + (7 if in_template else 5))
        attributes: tuple[tuple[str, Slot | str], ...] = ()
        if token & _MORE:
            (size,) = _U32.unpack_from(chunk, at)
            attributes, at = self._attributes(at + 4, at + 4 + size)
        if chunk[at] == _CLOSE_EMPTY:
            return Node(name, attributes), at + 1
        if chunk[at] != _CLOSE_START:
            raise EventParseError(f"token {chunk[at]:#04x} within the start of {name}")
        at += 1
        children: list[_Content] = []
        while (token := chunk[at]) != _CLOSE:
            if token & ~_MORE == _OPEN:
                child, at = self._element(at, depth + 1, in_template)
                children.append(child)
            else:
                content, at = self._content(at)
                _append(children, content)
        return Node(name, attributes, tuple(children)), at + 1

    def _attributes(self, at: int, end: int) -> tuple[tuple[tuple[str, Slot | str], ...], int]:
        attributes: list[tuple[str, Slot | str]] = []
        while at < end:
            if self._chunk[at] & ~_MORE != _ATTRIBUTE:
                raise EventParseError(f"token {self._chunk[at]:#04x} where an attribute should begin")
            name, at = self._name(at + 1)
            parts: list[_Content] = []
            while at < end and self._chunk[at] & ~_MORE != _ATTRIBUTE:
                content, at = self._content(at)
                _append(parts, content)
            if len(parts) > 1 or any(isinstance(part, Node) for part in parts):
                raise EventParseError(f"attribute {name} mixes text and values, which is not known of any log")
            attributes += [(name, part) for part in parts if not isinstance(part, Node)]
        return tuple(attributes), at

    def _content(self, at: int) -> tuple[Slot | str, int]:
        chunk = self._chunk
        token = chunk[at] & ~_MORE
        if token in (_VALUE, _OPTIONAL):
            number, kind = struct.unpack_from("<HB", chunk, at + 1)
            return Slot(number, _known(kind), token == _OPTIONAL), at + 4
        if token == _TEXT:
            if chunk[at + 1] != ValueType.STRING:
                raise EventParseError(f"literal text has the type {chunk[at + 1]:#04x}")
            return self._text(at + 2)
        if token == _CDATA:
            return self._text(at + 1)
        if token == _ENTITY:
            name, at = self._name(at + 1)
            if name not in _ENTITIES:
                raise EventParseError(f"the entity &{name[:80]}; is not known")
            return _ENTITIES[name], at
        if token == _CHARACTER:
            return chr(_U16.unpack_from(chunk, at + 1)[0]), at + 3
        raise EventParseError(f"token {token:#04x} within an element")

    def _text(self, at: int) -> tuple[str, int]:
        (length,) = _U16.unpack_from(self._chunk, at)
        end = at + 2 + 2 * length
        return self._chunk[at + 2 : end].decode("utf-16-le"), end

    def _name(self, at: int) -> tuple[str, int]:
        """A name and where to go on: its text stands where it is first used, elsewhere only its offset."""
        (offset,) = _U32.unpack_from(self._chunk, at)
        at += 4
        if offset not in self._names:
            (length,) = _U16.unpack_from(self._chunk, offset + 6)
            end = offset + 8 + 2 * length
            self._names[offset] = (self._chunk[offset + 8 : end].decode("utf-16-le"), end + 2)
        text, end = self._names[offset]
        return text, end if offset == at else at


def _append(content: list[_Content], part: Slot | str) -> None:
    if isinstance(part, str) and content and isinstance(content[-1], str):
        content[-1] += part
    else:
        content.append(part)


_KNOWN = {int(kind): kind for kind in ValueType}


def _known(kind: int) -> ValueType:
    try:
        return _KNOWN[kind]
    except KeyError:
        raise EventParseError(f"values of type {kind:#04x} are not known") from None


def _filled(node: Node, values: Sequence[_SlotValue]) -> Element:
    """The element, with values in the places of slots."""
    name, attributes, content = node
    filled: list[tuple[str, TypedValue | str]] = []
    for attribute, held in attributes:
        value = _value(held, values, name) if isinstance(held, Slot) else held
        if isinstance(value, _Nested):
            raise EventParseError(f"attribute {attribute} of {name} holds elements")
        filled.append((attribute, value))
    children: list[Element | TypedValue | str] = []
    for child in content:
        if isinstance(child, Slot):
            value = _value(child, values, name)
            if isinstance(value, _Nested):
                children += value.elements
            else:
                children.append(value)
        else:
            children.append(_filled(child, values) if isinstance(child, Node) else child)
    return Element(name, tuple(filled), tuple(children))


def _value(slot: Slot, values: Sequence[_SlotValue], name: str) -> _SlotValue:
    try:
        return values[slot.number]
    except IndexError:
        raise EventParseError(f"slot {slot.number} of {name} has no value") from None


def _without_slots(node: Node) -> Element:
    return _filled(node, ())
