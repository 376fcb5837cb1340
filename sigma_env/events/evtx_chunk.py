"""One chunk of an EVTX file: 64 KiB of records with their own tables of names and templates.

Facts that libyal/libevtx, "Windows XML Event Log (EVTX)", leaves open (the end that a record may
reach, where new table entries go, the hash of template GUIDs) were measured on the files of
EVTX-ATTACK-SAMPLES and hayabusa-sample-evtx.
"""

from __future__ import annotations

import struct
import zlib

from sigma_env.events.binxml import (
    END_OF_FRAGMENT,
    FRAGMENT_HEADER,
    MAX_VALUE_BYTES,
    EventTooLargeError,
    EventWriteError,
    ValueType,
)
from sigma_env.events.binxml_template import NAME_BUCKETS, TEMPLATE_BUCKETS, Instance, Name, Size, Template

CHUNK_BYTES = 65_536
CHUNK_HEADER_BYTES = 512
# Windows leaves at least 8 bytes free, and libevtx loses a record that ends at the chunk's very end.
CHUNK_END = CHUNK_BYTES - 8
MAX_RECORD_BYTES = CHUNK_END - CHUNK_HEADER_BYTES
_RECORD_HEADER = struct.Struct("<IIQQ")
_U32 = struct.Struct("<I")
_DESCRIPTOR = struct.Struct("<HBB")
_RECORD_MAGIC = 0x2A2A
_NO_RECORD = 0xFFFF_FFFF_FFFF_FFFF


class Chunk:
    """64 KiB of records with their own tables of names and templates."""

    def __init__(self, first_number: int) -> None:
        self.buffer = bytearray(CHUNK_HEADER_BYTES)
        self.first_number = self.next_number = first_number
        self._last_record = 0
        self._names: dict[Name, int] = {}
        self._name_heads = [0] * NAME_BUCKETS
        self._templates: dict[bytes, int] = {}  # by GUID
        self._template_heads = [0] * TEMPLATE_BUCKETS
        self._new: list[Name | Template] = []

    def append(self, ticks: int, instance: Instance) -> bool:
        """Append a record; False, with the chunk as it was, if it needs an emptier chunk.

        Raises:
            EventTooLargeError: no chunk could hold it.
        """
        start = len(self.buffer)
        self._new = []
        heads = (list(self._name_heads), list(self._template_heads))
        try:
            fits = self._try_append(start, ticks, instance)
        except EventWriteError:
            self._roll_back(start, heads)
            raise
        if not fits:
            self._roll_back(start, heads)
        return fits

    def _try_append(self, start: int, ticks: int, instance: Instance) -> bool:
        buffer = self.buffer
        buffer += bytes(_RECORD_HEADER.size) + FRAGMENT_HEADER
        self._put_instance(instance)
        buffer += END_OF_FRAGMENT
        buffer += bytes(-(len(buffer) + 4 - start) % 8)
        size = len(buffer) + 4 - start
        buffer += struct.pack("<I", size)
        if len(buffer) > CHUNK_END:
            # An emptier chunk only adds definitions, so what is too large here is too large anywhere.
            if size > MAX_RECORD_BYTES:
                raise EventTooLargeError(
                    f"an event takes {size:,} bytes with its templates; at most {MAX_RECORD_BYTES:,} fit in a chunk"
                )
            return False
        _RECORD_HEADER.pack_into(buffer, start, _RECORD_MAGIC, size, self.next_number, ticks)
        self._last_record = start
        self.next_number += 1
        return True

    def _roll_back(self, start: int, heads: tuple[list[int], list[int]]) -> None:
        for item in self._new:
            if isinstance(item, Template):
                del self._templates[item.guid]
            else:
                del self._names[item]
        self._name_heads, self._template_heads = heads
        del self.buffer[start:]

    def _put_instance(self, instance: Instance) -> None:
        buffer = self.buffer
        template, descriptors, values, nested = instance
        offset = self._templates.get(template.guid)
        buffer += b"\x0c\x01" + template.guid[:4]
        if offset is None:
            self._put_definition(template)
        else:
            buffer += _U32.pack(offset)
        buffer += _U32.pack(len(descriptors) // 4 + len(nested)) + descriptors
        described = len(buffer)
        buffer += bytes(4 * len(nested)) + values
        for position, part in enumerate(nested):
            start = len(buffer)
            buffer += FRAGMENT_HEADER
            self._put_instance(part)
            buffer += END_OF_FRAGMENT
            size = len(buffer) - start
            if size > MAX_VALUE_BYTES:
                raise EventTooLargeError(f"a value or body takes {size:,} bytes; at most {MAX_VALUE_BYTES:,} fit")
            _DESCRIPTOR.pack_into(buffer, described + 4 * position, size, ValueType.BINXML, 0)

    def _put_definition(self, template: Template) -> None:
        """The definition stands where it is first used; its offset is that of the bytes that follow."""
        buffer = self.buffer
        offset = len(buffer) + 4
        buffer += struct.pack("<II", offset, self._template_heads[template.bucket])
        buffer += template.guid + bytes(4) + FRAGMENT_HEADER
        self._templates[template.guid] = self._template_heads[template.bucket] = offset
        self._new.append(template)
        open_sizes: list[int] = []
        for step in template.steps:
            if isinstance(step, bytes):
                buffer += step
            elif isinstance(step, Name):
                self._put_name(step)
            elif step is Size.OPEN:
                open_sizes.append(len(buffer))
                buffer += bytes(4)
            else:
                self._fill_size(open_sizes.pop())
        buffer += END_OF_FRAGMENT
        self._fill_size(offset + 20)

    def _put_name(self, name: Name) -> None:
        offset = self._names.get(name)
        if offset is not None:
            self.buffer += struct.pack("<I", offset)
            return
        offset = len(self.buffer) + 4
        self.buffer += struct.pack("<II", offset, self._name_heads[name.bucket]) + name.stored
        self._names[name] = self._name_heads[name.bucket] = offset
        self._new.append(name)

    def _fill_size(self, at: int) -> None:
        struct.pack_into("<I", self.buffer, at, len(self.buffer) - at - 4)

    def to_bytes(self) -> bytes:
        """The chunk with its header and checksums, filled up with zeros."""
        end = len(self.buffer)
        # A log without events is one chunk that counts from 1 to "none".
        last = self.next_number - 1
        numbers = (self.first_number, last) * 2 if self._last_record else (1, *[_NO_RECORD] * 3)
        chunk = self.buffer + bytes(CHUNK_BYTES - end)
        checksum = zlib.crc32(self.buffer[CHUNK_HEADER_BYTES:])
        struct.pack_into("<8s4QIIII", chunk, 0, b"ElfChnk\0", *numbers, 128, self._last_record, end, checksum)
        struct.pack_into(f"<{NAME_BUCKETS}I{TEMPLATE_BUCKETS}I", chunk, 128, *self._name_heads, *self._template_heads)
        struct.pack_into("<I", chunk, 120, 1)
        struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:CHUNK_HEADER_BYTES], zlib.crc32(chunk[:120])))
        return bytes(chunk)
