"""Events of one log file, and what of it cannot be read.

EVTX files are read by the Rust crate evtx, in a process of its own. What it leaves out without a word is found
here: a cut file, records that a chunk announces and that did not come, `Data` elements that its JSON drops (all but
the last of one name, and those without a name beside named ones).
"""

import re
import struct
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import unescape

import orjson

from sigma_env.errors import StoreError
from sigma_env.events.evtx_process import EvtxProcess
from sigma_env.events.evtx_worker import CHUNK_FAILURE, RECORD, UNOPENED
from sigma_env.events.flatten import NO_TIME, FlatEvent, flatten, microseconds

_HEADER_BYTES = 4_096
_CHUNK_BYTES = 65_536
_MIN_RECORD_BYTES = 28
_MAX_CHUNK_RECORDS = _CHUNK_BYTES // _MIN_RECORD_BYTES
_FILE_HEADER = struct.Struct("<8s34xH")
_FILE_MAGIC = b"ElfFile\0"
_CHUNK_HEADER = struct.Struct("<8sQQ")
_CHUNK_MAGIC = b"ElfChnk\0"
_NO_RECORD = 2**64 - 1
_UNNAMED = re.compile(r"<Data>(.*?)</Data>|<Data/>", re.DOTALL)


class ReadEvent(NamedTuple):
    """An event, its position in its file, and the id that its record's header gives it."""

    position: int
    record_id: int
    event: FlatEvent


class Problem(NamedTuple):
    """Something unreadable at a position, or in the file as a whole, and the reason."""

    position: int | None
    reason: str


def read_logs(paths: Sequence[Path]) -> Generator[Iterator[ReadEvent | Problem], None, None]:
    """Reads log files, JSON events from `.json` and `.jsonl`, else EVTX; damage costs what it hits, nothing else.

    Positions count records in reading order, unreadable ones too; a chunk that cannot be read counts as one.

    Yields:
        What is in each file, in order; to be read to its end before the next.
    """
    with EvtxProcess([str(path) for path in paths if not _is_json(path)]) as process:
        for path in paths:
            yield read_json(path) if _is_json(path) else _read_evtx(path, process)


def read_log(path: Path) -> Iterator[ReadEvent | Problem]:
    """Reads one log file; see `read_logs`."""
    for items in read_logs([path]):
        yield from items


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in (".json", ".jsonl")


def _read_evtx(path: Path, process: EvtxProcess) -> Iterator[ReadEvent | Problem]:
    with closing(process.messages()) as messages:
        try:
            size = path.stat().st_size
            announced, cut = _announced(path, size)
        except OSError as error:
            yield Problem(None, _reason(error))
            return
        first = next(messages, None)
        if cut:
            yield Problem(None, cut)
        if first is None:
            return
        if first[0] == UNOPENED:
            if not cut:
                yield Problem(None, first[1])
            return
        read = 0
        # No sound file holds more records than this: a damaged one must come to an end.
        for position, message in zip(range(size // _MIN_RECORD_BYTES + 1), chain([first], messages), strict=False):
            read += message[0] != CHUNK_FAILURE
            if message[0] == RECORD:
                yield from _event(position, *message[1:])
            else:
                yield Problem(position, message[1])
        if read < announced:
            yield Problem(None, f"its chunks announce {announced} records, {read} were found")


def _event(position: int, number: int, time: str, raw: str, xml: str | None) -> Iterator[ReadEvent | Problem]:
    if xml is None:
        yield Problem(position, "read as JSON only: nameless Data beside named ones would be missing")
    try:
        document = _parse(raw)
        if xml and isinstance(document.get("Event"), dict):
            _restore_unnamed(document, xml)
        event = flatten(document, xml or "")
    except (ValueError, StoreError, RecursionError) as error:
        yield Problem(position, _reason(error))
        return
    if event.time == NO_TIME:
        event = event._replace(time=microseconds(time.removesuffix(" UTC")))
    yield ReadEvent(position, number, event)


def _parse(raw: str) -> dict[str, Any]:
    # Repeated names, of which a JSON parser keeps the last, or control characters, which it does not take.
    with suppress(orjson.JSONDecodeError):
        document: dict[str, Any] = orjson.loads(raw)
        length = len(raw) if raw.isascii() else len(raw.encode())
        if len(orjson.dumps(document)) == length:
            return document
    import json

    kept: dict[str, Any] = json.loads(raw, object_pairs_hook=_keep_all, strict=False)
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


def _announced(path: Path, size: int) -> tuple[int, str]:
    """How many records the chunks' headers announce, and what the file lacks, if it was cut."""
    if size == 0:
        return 0, "the file is empty"
    if size < _HEADER_BYTES:
        return 0, f"the file ends after {size} bytes, within its header"
    chunks, rest = divmod(size - _HEADER_BYTES, _CHUNK_BYTES)
    records = 0
    with path.open("rb") as stream:
        magic_of_file, expected = _FILE_HEADER.unpack(stream.read(_FILE_HEADER.size))
        for index in range(chunks):
            stream.seek(_HEADER_BYTES + index * _CHUNK_BYTES)
            magic, first, last = _CHUNK_HEADER.unpack(stream.read(_CHUNK_HEADER.size))
            if magic == _CHUNK_MAGIC and last != _NO_RECORD and first <= last < first + _MAX_CHUNK_RECORDS:
                records += last - first + 1
    if magic_of_file != _FILE_MAGIC:
        return 0, ""  # the reader will say so
    if rest:
        return records, f"the file was cut within chunk {chunks}, whose records are not read"
    if expected > chunks:
        return records, f"the file was cut after {chunks} of {expected} chunks"
    return records, ""


def read_json(path: Path) -> Iterator[ReadEvent | Problem]:
    """Reads JSON events: one per line; a `.json` may also be an array of documents, or one. See `read_logs`."""
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
