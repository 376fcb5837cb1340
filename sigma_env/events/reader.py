"""Events of one log file, and what of it cannot be read.

EVTX files are read by the Rust crate evtx. What it leaves out without a word is found here: a cut file, records
that a chunk announces and that did not come, `Data` elements that its JSON drops (all but the last of one name, and
those without a name beside named ones).
"""

import re
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from xml.sax.saxutils import unescape

import orjson

from sigma_env.errors import StoreError
from sigma_env.events.flatten import NO_TIME, FlatEvent, flatten, microseconds

_HEADER_BYTES = 4_096
_CHUNK_BYTES = 65_536
_MIN_RECORD_BYTES = 28
_MAX_CHUNK_RECORDS = _CHUNK_BYTES // _MIN_RECORD_BYTES
_CHUNK_COUNT = struct.Struct("<42xH")
_CHUNK_HEADER = struct.Struct("<8sQQ")
_CHUNK_MAGIC = b"ElfChnk\0"
_NO_RECORD = 2**64 - 1
_UNNAMED = re.compile(r"<Data>(.*?)</Data>|<Data/>", re.DOTALL)
_JSON_SUFFIXES = (".json", ".jsonl")


class ReadEvent(NamedTuple):
    """An event, its position in its file, and the id that its record's header gives it."""

    position: int
    record_id: int
    event: FlatEvent


class Problem(NamedTuple):
    """Something unreadable at a position, or in the file as a whole, and the reason."""

    position: int | None
    reason: str


def read_log(path: Path) -> Iterator[ReadEvent | Problem]:
    """Reads a log file: JSON events from `.json` and `.jsonl`, else EVTX.

    Positions count records in reading order, unreadable ones too; a chunk that cannot be read counts as one.
    """
    return read_json(path) if path.suffix.lower() in _JSON_SUFFIXES else read_evtx(path)


def read_evtx(path: Path) -> Iterator[ReadEvent | Problem]:
    """Reads an EVTX file; damage costs the records that it hits, no others. See `read_log`."""
    try:
        size = path.stat().st_size
        if size < _HEADER_BYTES:
            yield Problem(None, f"the file ends after {size} bytes, within its header" if size else "the file is empty")
            return
        json_records, xml_records = _iterators(path)
        announced, cut = _announced(path, size)
    except (OSError, RuntimeError) as error:
        yield Problem(None, _reason(error))
        return
    if cut:
        yield Problem(None, cut)
    read = 0
    # No sound file holds more records than this: a damaged one must come to an end.
    for position in range(size // _MIN_RECORD_BYTES + 1):
        record = _next(json_records)
        xml = _next(xml_records)
        if record is None:
            break
        read += not isinstance(record, _Failure) or not record.is_chunk
        if isinstance(record, _Failure):
            yield Problem(position, record.reason)
            if record.is_last:
                break
            continue
        yield from _event(position, record, xml)
    if read < announced:
        yield Problem(None, f"its chunks announce {announced} records, {read} were found")


def _event(position: int, record: dict[str, Any], xml: "dict[str, Any] | _Failure | None") -> Iterator[Any]:
    text = ""
    if isinstance(xml, dict) and xml["event_record_id"] == record["event_record_id"]:
        text = xml["data"]
    else:
        yield Problem(position, "read as JSON only: nameless Data beside named ones would be missing")
    try:
        document = _parse(record["data"])
        if "<Data>" in text and "<Data Name=" in text and isinstance(document.get("Event"), dict):
            _restore_unnamed(document, text)
        event = flatten(document, text)
    except (ValueError, StoreError, RecursionError) as error:
        yield Problem(position, _reason(error))
        return
    if event.time == NO_TIME:
        event = event._replace(time=microseconds(str(record["timestamp"]).removesuffix(" UTC")))
    yield ReadEvent(position, record["event_record_id"], event)


def _parse(raw: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(raw)
    length = len(raw) if raw.isascii() else len(raw.encode())
    if len(orjson.dumps(document)) == length:
        return document
    # Repeated names: a JSON parser keeps the last.
    import json

    kept: dict[str, Any] = json.loads(raw, object_pairs_hook=_keep_all)
    return kept


def _keep_all(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in pairs:
        if name not in merged:
            merged[name] = value
        elif name in repeated:
            merged[name].append(value)
        else:
            merged[name] = [merged[name], value]
            repeated.add(name)
    return merged


def _restore_unnamed(document: dict[str, Any], xml: str) -> None:
    body = xml[xml.find("<EventData") : xml.find("</EventData>")]
    values = [unescape(m[1] or "", {"&quot;": '"', "&apos;": "'"}) for m in _UNNAMED.finditer(body)]
    data = document["Event"].get("EventData")
    if values and isinstance(data, dict):
        held = data.get("Data", [])
        data["Data"] = [*(held if isinstance(held, list) else [held]), *values]


class _Failure(NamedTuple):
    reason: str
    is_chunk: bool
    is_last: bool


def _next(records: Iterator[Any]) -> "dict[str, Any] | _Failure | None":
    try:
        record: dict[str, Any] | None = next(records, None)
    except MemoryError:
        raise
    except Exception as error:
        reason = _reason(error)
        return _Failure(reason, reason.startswith("Failed to parse chunk"), is_last=False)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # pyo3's, which is no Exception and cannot be imported
            raise
        return _Failure(f"the reader failed: {_reason(error)}", is_chunk=True, is_last=True)
    return record


def _iterators(path: Path) -> tuple[Iterator[Any], Iterator[Any]]:
    from evtx import PyEvtxParser

    def source() -> str | BinaryIO:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            return path.open("rb")  # the reader takes names in UTF-8 only
        return str(path)

    one_thread = 1  # files are small, and making columns of the events takes most of the time
    return (
        PyEvtxParser(source(), one_thread, separate_json_attributes=True).records_json(),
        PyEvtxParser(source(), one_thread, indent=False).records(),
    )


def _announced(path: Path, size: int) -> tuple[int, str]:
    """How many records the chunks' headers announce, and what the file lacks, if it was cut."""
    chunks, rest = divmod(size - _HEADER_BYTES, _CHUNK_BYTES)
    records = 0
    with path.open("rb") as stream:
        (expected,) = _CHUNK_COUNT.unpack(stream.read(_CHUNK_COUNT.size))
        for index in range(chunks):
            stream.seek(_HEADER_BYTES + index * _CHUNK_BYTES)
            magic, first, last = _CHUNK_HEADER.unpack(stream.read(_CHUNK_HEADER.size))
            if magic == _CHUNK_MAGIC and last != _NO_RECORD and first <= last < first + _MAX_CHUNK_RECORDS:
                records += last - first + 1
    if rest:
        return records, f"the file was cut within chunk {chunks}, whose records are not read"
    if expected > chunks:
        return records, f"the file was cut after {chunks} of {expected} chunks"
    return records, ""


def read_json(path: Path) -> Iterator[ReadEvent | Problem]:
    """Reads JSON events: one document per line; a `.json` may also be an array of documents, or one. See `read_log`."""
    try:
        if path.stat().st_size == 0:
            yield Problem(None, "the file is empty")
            return
        documents = _json_lines(path) if path.suffix.lower() == ".jsonl" or _has_lines(path) else _json_whole(path)
        for position, document in zip(count(), documents, strict=False):
            try:
                if isinstance(document, Problem):
                    raise StoreError(document.reason)
                yield ReadEvent(position, position, flatten(document))
            except (StoreError, RecursionError) as error:
                yield Problem(position, _reason(error))
    except OSError as error:
        yield Problem(None, _reason(error))


def _has_lines(path: Path) -> bool:
    """Whether the first line is a JSON object by itself."""
    with path.open("rb") as stream:
        first = next((line for line in stream if line.strip()), b"")
    try:
        return isinstance(orjson.loads(first), dict)
    except ValueError:
        return False


def _json_lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as stream:
        for line in stream:
            if line.strip():
                try:
                    yield orjson.loads(line)
                except ValueError as error:
                    yield Problem(None, f"no JSON: {error}")


def _json_whole(path: Path) -> Iterator[Any]:
    try:
        whole = orjson.loads(path.read_bytes())
    except ValueError as error:
        yield Problem(None, f"no JSON: {error}")
        return
    yield from whole if isinstance(whole, list) else [whole]


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
