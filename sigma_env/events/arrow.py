"""A store's content as Arrow files that are mapped into memory.

`columns.arrow` has one row per field of a partition, `refs.arrow` one per event; any Arrow tool reads them.
`store.json` holds the rest, and where each of their buffers lies, so that opening a store is two mmaps and needs no
pyarrow, whose import would take longer than all else.
"""

import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sigma_env.errors import StoreError
from sigma_env.events.column import ColumnParts
from sigma_env.events.content import (
    ColumnInfo,
    LogFile,
    MemoryContent,
    PartitionInfo,
    Refs,
    Unreadable,
)
from sigma_env.events.flatten import NO_TIME

FORMAT = 2
"""Version of the files and of what is stored in them; a store of another version is built again."""

_COLUMNS, _REFS, _META = "columns.arrow", "refs.arrow", "store.json"
_MAGIC = b"ARROW1"
_LISTS: dict[str, type[np.generic]] = {
    "codes": np.int32,
    "offsets": np.int32,
    "kinds": np.uint8,
    "starts": np.int64,
    "lower_starts": np.int64,
    "trigrams": np.uint64,
}
_TEXTS = ("text", "lower")
_REF_TYPES: dict[str, type[np.generic]] = {
    "file": np.int32,
    "record_id": np.int64,
    "position": np.int32,
    "time": np.int64,
}


class _Span(NamedTuple):
    """Where a buffer lies in its file, in bytes."""

    begin: int
    size: int


def save(content: MemoryContent, folder: Path) -> None:
    """Writes a store's content into an existing folder."""
    import orjson
    import pyarrow as pa

    parts = [_without_repeats(c) for c in content.columns]
    columns = {name: _list_array(pa, [c[name] for c in parts], dtype) for name, dtype in _LISTS.items()}
    columns |= {name: pa.array([c[name] for c in parts], pa.large_binary()) for name in _TEXTS}
    infos = [(i, p, c) for i, p in enumerate(content.partitions) for c in p.columns]
    directory = {
        "partition": pa.array([i for i, _, _ in infos], pa.int32()),
        "channel": pa.array([p.channel.encode("utf-8", "replace").decode() for _, p, _ in infos], pa.utf8()),
        "event_id": pa.array([p.event_id for _, p, _ in infos], pa.int64()),
        "field": pa.array([c.name for _, _, c in infos], pa.utf8()),
        "aliases": pa.array([list(c.aliases) for _, _, c in infos], pa.list_(pa.utf8())),
        "system": pa.array([c.system for _, _, c in infos], pa.bool_()),
        "elsewhere": pa.array([c.elsewhere for _, _, c in infos], pa.bool_()),
    }
    _write(pa, directory | columns, folder / _COLUMNS)
    _write(pa, _ref_arrays(pa, content), folder / _REFS)
    meta = {
        "format": FORMAT,
        "fingerprint": content.fingerprint,
        "files": content.files,
        "unreadable": content.unreadable,
        "partitions": content.partitions,
        "n_rows": len(content.refs.file),
        "n_columns": len(content.columns),
        "sizes": {name: (folder / name).stat().st_size for name in (_COLUMNS, _REFS)},
        "columns": _spans(pa, folder / _COLUMNS, [*_LISTS, *_TEXTS]),
        "refs": _spans(pa, folder / _REFS, list(_REF_TYPES)),
    }
    (folder / _META).write_bytes(orjson.dumps(meta, default=tuple))


def _without_repeats(parts: ColumnParts) -> dict[str, Any]:
    columns = parts._asdict()
    if parts.lower is parts.text:
        columns["lower"] = None
    if parts.lower_starts is parts.starts:
        columns["lower_starts"] = None
    return columns


def _list_array(pa: Any, values: Sequence[npt.NDArray[Any] | None], dtype: type[np.generic]) -> Any:
    lengths = np.fromiter((0 if v is None else len(v) for v in values), np.int64, len(values))
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    there = [v for v in values if v is not None]
    joined = pa.array(np.concatenate(there) if there else np.empty(0, dtype))
    missing = pa.array([v is None for v in values], pa.bool_())
    return pa.LargeListArray.from_arrays(pa.array(offsets), joined, mask=missing)


def _ref_arrays(pa: Any, content: MemoryContent) -> dict[str, Any]:
    refs = content.refs
    names = pa.array([f.name for f in content.files], pa.utf8())
    # The raw values stay below the nulls, so that the buffer can be read without them.
    known = pa.py_buffer(np.packbits(refs.time != NO_TIME, bitorder="little"))
    time = pa.Array.from_buffers(
        pa.timestamp("us", "UTC"), len(refs.time), [known, pa.py_buffer(np.ascontiguousarray(refs.time))]
    )
    return {
        "file": pa.DictionaryArray.from_arrays(pa.array(refs.file), names),
        "record_id": pa.array(refs.record_id),
        "position": pa.array(refs.position),
        "time": time,
    }


def _write(pa: Any, arrays: dict[str, Any], path: Path) -> None:
    batch = pa.record_batch(arrays)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _spans(pa: Any, path: Path, names: Sequence[str]) -> dict[str, list[_Span]]:
    """Where the second buffer (a list's or a text's offsets) and the last one (the values) of each array lie."""
    with pa.memory_map(str(path)) as source:
        base = source.read_buffer(source.size()).address
        source.seek(0)
        reader = pa.ipc.open_file(source)
        if reader.num_record_batches != 1:
            raise StoreError(f"{path}: written in {reader.num_record_batches} batches, not in one")
        batch = reader.get_batch(0)
        spans: dict[str, list[_Span]] = {}
        for name in names:
            buffers = batch.column(name).buffers()
            spans[name] = [_Span(b.address - base if b.size else 0, b.size) for b in (buffers[1], buffers[-1])]
        return spans


class MappedContent:
    """A store's content in a folder that `save` wrote; the folder may be removed while it is open.

    Raises:
        StoreError: the folder does not hold a whole store of this version.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            meta = _load_meta(folder)
            self.fingerprint: str = meta["fingerprint"]
            self.files: Sequence[LogFile] = [LogFile(n, tuple(a), size, events) for n, a, size, events in meta["files"]]
            self.unreadable: Sequence[Unreadable] = [Unreadable(*u) for u in meta["unreadable"]]
            self.partitions: Sequence[PartitionInfo] = [
                PartitionInfo(channel, event_id, n_rows, tuple(ColumnInfo(n, tuple(a), *s) for n, a, *s in columns))
                for channel, event_id, n_rows, columns in meta["partitions"]
            ]
            self._columns = _File(folder / _COLUMNS, meta["sizes"][_COLUMNS], meta["columns"])
            refs = _File(folder / _REFS, meta["sizes"][_REFS], meta["refs"])
            self.refs = Refs(**{name: refs.values(name, dtype) for name, dtype in _REF_TYPES.items()})
            self._offsets = {n: self._columns.offsets(n, meta["n_columns"] + 1) for n in (*_LISTS, *_TEXTS)}
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{folder} holds no event store: {error!r}") from error
        if {len(column) for column in self.refs} != {meta["n_rows"]}:
            raise StoreError(f"{folder}: the references do not belong to the events")

    def __reduce__(self) -> tuple[type["MappedContent"], tuple[Path]]:
        return MappedContent, (self._folder,)

    def parts(self, index: int) -> ColumnParts:
        """See `StoreContent.parts`. Nothing is copied."""
        starts = self._list("starts", index)
        text = self._span("text", index)
        lower_starts = self._list("lower_starts", index)
        lower = self._span("lower", index)
        offsets = self._list("offsets", index)
        trigrams = self._list("trigrams", index)
        return ColumnParts(
            self._list("codes", index),
            offsets if len(offsets) else None,
            self._list("kinds", index),
            text,
            starts,
            lower if len(lower) else text,
            lower_starts if len(lower_starts) else starts,
            trigrams if len(trigrams) else None,
        )

    def _list(self, name: str, index: int) -> npt.NDArray[Any]:
        offsets = self._offsets[name]
        return self._values[name][offsets[index] : offsets[index + 1]]

    def _span(self, name: str, index: int) -> memoryview:
        offsets = self._offsets[name]
        return self._columns.text(name)[offsets[index] : offsets[index + 1]]

    @cached_property
    def _values(self) -> dict[str, npt.NDArray[Any]]:
        return {name: self._columns.values(name, dtype) for name, dtype in _LISTS.items()}


def _load_meta(folder: Path) -> dict[str, Any]:
    import orjson

    meta: dict[str, Any] = orjson.loads((folder / _META).read_bytes())
    if meta["format"] != FORMAT:
        raise StoreError(f"{folder} has format {meta['format']}, not {FORMAT}")
    return meta


class _File:
    """A mapped Arrow file and where its buffers lie."""

    def __init__(self, path: Path, size: int, spans: dict[str, list[list[int]]]) -> None:
        with path.open("rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) != size or self._map[: len(_MAGIC)] != _MAGIC or self._map[-len(_MAGIC) :] != _MAGIC:
            raise StoreError(f"{path} was cut or overwritten")
        self._bytes = memoryview(self._map)
        self._spans = spans

    def values(self, name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        begin, size = self._spans[name][1]
        return np.frombuffer(self._map, dtype, size // np.dtype(dtype).itemsize, begin)

    def offsets(self, name: str, count: int) -> npt.NDArray[np.int64]:
        begin, size = self._spans[name][0]
        offsets = np.frombuffer(self._map, np.int64, count, begin)
        if size < count * 8 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise StoreError(f"the offsets of {name!r} are damaged")
        return offsets

    def text(self, name: str) -> memoryview:
        begin, size = self._spans[name][1]
        return self._bytes[begin : begin + size]
