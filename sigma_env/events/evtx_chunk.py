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
    ValueType,
)
from sigma_env.events.binxml_template import NAME_BUCKETS, TEMPLATE_BUCKETS, Instance, Template

CHUNK_BYTES = 65_536
CHUNK_HEADER_BYTES = 512
# Windows leaves at least 8 bytes free, and libevtx loses a record that ends at the chunk's very end.
CHUNK_END = CHUNK_BYTES - 8
MAX_RECORD_BYTES = CHUNK_END - CHUNK_HEADER_BYTES
_RECORD_HEADER = struct.Struct("<IIQQ")
_U32 = struct.Struct("<I")
_DESCRIPTOR = struct.Struct("<HBB")
_RECORD_MAGIC = 0x2A2A
# Offset of the next definition in its bucket, GUID, size.
_DEFINITION_HEADER_BYTES = 24
_NO_RECORD = 0xFFFF_FFFF_FFFF_FFFF


class Chunk:
    """64 KiB of records with their own tables of names and templates."""

    def __init__(self, first_number: int) -> None:
        self._buffer = bytearray(CHUNK_HEADER_BYTES)
        self._first_number = self.next_number = first_number
        self._last_record = 0
        self._names: dict[bytes, bytes] = {}  # offset as it is referred to, by the name as it is stored
        self._name_heads = [0] * NAME_BUCKETS
        self._templates: dict[bytes, bytes] = {}  # by GUID
        self._template_heads = [0] * TEMPLATE_BUCKETS
        self._undo: list[tuple[dict[bytes, bytes], bytes, list[int], int, int]] = []

    def append(self, ticks: int, instance: Instance) -> bool:
        """Append a record; False, with the chunk as it was, if it needs an emptier chunk.

        Raises:
            EventTooLargeError: no chunk could hold it.
        """
        start = len(self._buffer)
        self._undo.clear()
        parts: list[bytes] = [b"", FRAGMENT_HEADER]
        try:
            end = self._put_instance(instance, start + _RECORD_HEADER.size + len(FRAGMENT_HEADER), parts)
            size = (end + len(END_OF_FRAGMENT) + 4 - start + 7) // 8 * 8
            # An emptier chunk only adds definitions, so what is too large here is too large anywhere.
            if size > MAX_RECORD_BYTES:
                raise EventTooLargeError(
                    f"an event takes {size:,} bytes with its templates; at most {MAX_RECORD_BYTES:,} fit in a chunk"
                )
        except EventTooLargeError:
            self._roll_back()
            raise
        if start + size > CHUNK_END:
            self._roll_back()
            return False
        parts[0] = _RECORD_HEADER.pack(_RECORD_MAGIC, size, self.next_number, ticks)
        parts.append(bytes(start + size - 4 - end) + _U32.pack(size))
        self._buffer += b"".join(parts)
        self._last_record = start
        self.next_number += 1
        return True

    def _roll_back(self) -> None:
        for table, key, heads, bucket, head in reversed(self._undo):
            del table[key]
            heads[bucket] = head

    def _put_instance(self, instance: Instance, at: int, parts: list[bytes]) -> int:
        """Append an instance that begins at an offset of the chunk to `parts`; returns the offset of its end."""
        template, descriptors, values, nested = instance
        offset = self._templates.get(template.guid)
        parts.append(template.head)
        at += len(template.head) + 4
        if offset is not None:
            parts.append(offset)
        else:
            parts.append(_U32.pack(at))
            at = self._put_definition(template, at, parts)
        parts += (_U32.pack(len(descriptors) // 4 + len(nested)), descriptors)
        at += 4 + len(descriptors) + 4 * len(nested) + len(values)
        if not nested:
            parts.append(values)
            return at
        described = len(parts)
        parts += (b"", values)
        sizes = b""
        for part in nested:
            parts.append(FRAGMENT_HEADER)
            end = self._put_instance(part, at + len(FRAGMENT_HEADER), parts) + len(END_OF_FRAGMENT)
            parts.append(END_OF_FRAGMENT)
            if end - at > MAX_VALUE_BYTES:
                raise EventTooLargeError(f"a body takes {end - at:,} bytes; at most {MAX_VALUE_BYTES:,} fit")
            sizes += _DESCRIPTOR.pack(end - at, ValueType.BINXML, 0)
            at = end
        parts[described] = sizes
        return at

    def _put_definition(self, template: Template, at: int, parts: list[bytes]) -> int:
        """Append the definition, which stands where it is first used; returns the offset of its end."""
        names, heads = self._names, self._name_heads
        definition = template.definition(tuple([name in names for name in template.names]))
        parts += (_U32.pack(self._template_heads[template.bucket]), template.guid, _U32.pack(definition.size))
        self._enter(self._templates, template.guid, self._template_heads, template.bucket, at)
        at += _DEFINITION_HEADER_BYTES
        if definition.names:
            copied = [b""] * (2 * len(definition.names))
            copied[::2] = definition.before
            copied[1::2] = map(names.__getitem__, definition.names)
            parts += copied
        for before, name, stored_at in definition.references:
            if stored_at >= 0:
                next_name = heads[name.bucket]
                self._enter(names, name.stored, heads, name.bucket, at + stored_at)
                parts += (before, names[name.stored], _U32.pack(next_name), name.stored)
            else:
                parts += (before, names[name.stored])
        parts.append(definition.rest)
        return at + definition.size

    def _enter(self, table: dict[bytes, bytes], key: bytes, heads: list[int], bucket: int, offset: int) -> None:
        """Puts an entry at the head of its bucket, from where it can be taken back."""
        self._undo.append((table, key, heads, bucket, heads[bucket]))
        table[key] = _U32.pack(offset)
        heads[bucket] = offset

    def to_bytes(self) -> bytes:
        """The chunk with its header and checksums, filled up with zeros."""
        end = len(self._buffer)
        # A log without events is one chunk that counts from 1 to "none".
        last = self.next_number - 1
        numbers = (self._first_number, last) * 2 if self._last_record else (1, *[_NO_RECORD] * 3)
        chunk = self._buffer + bytes(CHUNK_BYTES - end)
        checksum = zlib.crc32(self._buffer[CHUNK_HEADER_BYTES:])
        struct.pack_into("<8s4QIIII", chunk, 0, b"ElfChnk\0", *numbers, 128, self._last_record, end, checksum)
        struct.pack_into(f"<{NAME_BUCKETS}I{TEMPLATE_BUCKETS}I", chunk, 128, *self._name_heads, *self._template_heads)
        struct.pack_into("<I", chunk, 120, 1)
        struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:CHUNK_HEADER_BYTES], zlib.crc32(chunk[:120])))
        return bytes(chunk)
