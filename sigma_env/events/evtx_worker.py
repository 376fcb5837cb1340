"""The part of the EVTX reader that runs in a process of its own, because damaged files can hang or kill it.

Started as a script by `evtx_process`; imports nothing of the package, so that it starts at once. Reads from stdin a
list of paths, writes to stdout one message per record, each flushed before the next is begun: what was read
before a hang is not lost. A message is its length (LENGTH) and a tuple, by `marshal`.
"""

import marshal
import os
import re
import struct
import sys
from collections.abc import Iterator
from typing import Any

RECORD, FAILURE, CHUNK_FAILURE, UNOPENED, END = range(5)
"""First item of a message. The others are for a RECORD: id in its header, time there, JSON, XML ("" if it says no
more than the JSON, None if it could not be read); for a FAILURE (of one record), a CHUNK_FAILURE (of all of a chunk)
and UNOPENED (no record can be read): the reason; for END: none."""

LENGTH = struct.Struct("<I")

_MAX_MEMORY = 4 << 30
_MAX_SECONDS = 120
_MAX_SECONDS_PER_BYTE = 1e-6
_NUMBERED_NAME = re.compile(r'_[1-9][0-9]*(_attributes)?":')


def main() -> None:
    """Serves one list of paths."""
    paths: list[bytes] = marshal.load(sys.stdin.buffer)
    _limit_resources(paths)
    for path in paths:
        for message in messages(path):
            _send(message)
        _send((END,))


def _send(message: tuple[Any, ...]) -> None:
    content = marshal.dumps(message)
    sys.stdout.buffer.write(LENGTH.pack(len(content)) + content)
    sys.stdout.buffer.flush()


def messages(path: bytes) -> Iterator[tuple[Any, ...]]:
    """What is in a file, record by record."""
    from evtx import PyEvtxParser

    one_thread = 1  # the process that takes the messages has more to do than this one
    try:
        json_records = PyEvtxParser(_source(path), one_thread, separate_json_attributes=True).records_json()
        xml_records = PyEvtxParser(_source(path), one_thread, indent=False).records()
    except (OSError, RuntimeError) as error:
        yield UNOPENED, str(error)
        return
    while True:
        try:
            record: dict[str, Any] | None = next(json_records, None)
        except RuntimeError as error:
            yield (CHUNK_FAILURE if str(error).startswith("Failed to parse chunk") else FAILURE), str(error)
            _next_xml(xml_records)
            continue
        if record is None:
            return
        number, document = record["event_record_id"], record["data"]
        yield RECORD, number, record["timestamp"], document, _needed(_next_xml(xml_records), number, document)


def _source(path: bytes) -> Any:
    try:
        return path.decode()
    except UnicodeDecodeError:
        return open(path, "rb")  # noqa: PTH123 - the reader takes names in UTF-8 only


def _next_xml(records: Any) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] | None = next(records, None)
    except RuntimeError:
        return None
    return record


def _needed(record: dict[str, Any] | None, number: int, document: str) -> str | None:
    """The XML of a record, if its JSON leaves out `Data` without a name, or has names that it may have numbered."""
    if record is None or record["event_record_id"] != number:
        return None
    xml: str = record["data"]
    if "<Data>" in xml and "<Data Name=" in xml:
        return xml
    return xml if "<EventData" not in xml and _NUMBERED_NAME.search(document) else ""


def _limit_resources(paths: list[bytes]) -> None:
    """A length in a damaged file must not take all memory, nor a hang outlive the process that would end it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    size = sum(os.path.getsize(path) for path in paths if os.path.exists(path))  # noqa: PTH110, PTH202
    seconds = _MAX_SECONDS + int(size * _MAX_SECONDS_PER_BYTE)
    for kind, wanted in ((resource.RLIMIT_AS, _MAX_MEMORY), (resource.RLIMIT_CPU, seconds)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    # Only marshalled messages may go to stdout, and a panic's report, on stderr, would be the only one of its kind.
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    main()
