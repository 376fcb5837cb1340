"""Three readers that share no code say the same of what the writer wrote: the same records with the same values."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.events import binxml
from sigma_env.events.binxml import EMPTY, Element, TypedValue, ValueType
from sigma_env.events.evtx_chunk import CHUNK_END
from sigma_env.events.recorded import recorded_events
from sigma_env.events.writer import Event, EvtxWriter
from sigma_env.simulation.world import Company, background, write_logs
from tests.events.three_readers import (
    LIBEVTX,
    PYTHON,
    READERS,
    RUST,
    Shown,
    equal,
    leaves_of,
    meant,
    said,
    shown_by_libevtx,
    shown_by_python,
    shown_by_rust,
    shown_leaves,
    shown_system,
    system_of,
)

START = datetime(2026, 3, 2, 8, 15, 30, 123456, tzinfo=UTC)


def written(events: list[Event]) -> bytes:
    target = io.BytesIO()
    with EvtxWriter(target) as log:
        for event in events:
            log.write(event)
    return target.getvalue()


def check(event: Event, shown: Shown, reader: str) -> None:
    """That a reader says of a record what its event says."""
    system = shown_system(shown.xml)
    for name, value in system_of(event).items():
        assert equal(system[name], value), (reader, name, shown.xml)
    wanted, got = leaves_of(event), shown_leaves(shown.xml, reader)
    assert [name for name, _ in got] == [name for name, _ in wanted], (reader, shown.xml)
    for (name, value), (_, text) in zip(wanted, got, strict=True):
        assert equal(said(value, text, reader), meant(value)), (reader, name, text, value)


def check_all(events: list[Event]) -> None:
    content = written(events)
    for reader, read in READERS.items():
        shown = read(content)
        assert [one.number for one in shown] == list(range(1, len(events) + 1)), reader
        for event, one in zip(events, shown, strict=True):
            check(event, one, reader)


def event(record_id: int = 1, **fields: Any) -> Event:
    return Event(
        **{
            "provider": "Microsoft-Windows-Sysmon",
            "provider_guid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
            "event_id": 1,
            "version": 5,
            "task": 1,
            "keywords": 0x8000000000000000,
            "time": START + timedelta(seconds=record_id),
            "record_id": record_id,
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "computer": "PC-1.example.net",
            "process_id": 2040,
            "thread_id": 3080,
            "user_sid": "S-1-5-18",
        }
        | fields
    )


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Logs of a simulated company on a quiet day."""
    folder = tmp_path_factory.mktemp("logs")
    company = Company.default()
    write_logs(background(company, 0, 600), company, folder, 0)
    return sorted(folder.glob("*/*.evtx"))


def first_of_each_kind(events: list[Event]) -> Callable[[int], bool]:
    """Whether a record is the first, or the last, of its provider and EventID in the file."""
    kinds: dict[tuple[str, int], list[int]] = {}
    for number, one in enumerate(events, 1):
        kinds.setdefault((one.provider, one.event_id), []).append(number)
    wanted = {number for numbers in kinds.values() for number in (numbers[0], numbers[-1])}
    return wanted.__contains__


def test_simulated_logs_are_read_alike(simulated: list[Path]) -> None:
    assert len(simulated) > 40
    for path in simulated:
        check_file(path)


def check_file(path: Path) -> None:
    """That the three readers say the same of a file's records, and what was written."""
    content = path.read_bytes()
    events = [one for one in recorded_events(path) if isinstance(one, Event)]
    numbers = list(range(1, len(events) + 1))
    by_reader = {
        RUST: shown_by_rust(content),
        PYTHON: shown_by_python(content, first_of_each_kind(events)),
        LIBEVTX: shown_by_libevtx(content),
    }
    for reader, shown in by_reader.items():
        assert [one.number for one in shown] == numbers
        for one, wanted in zip(shown, events, strict=True):
            if one.xml:
                check(wanted, one, reader)


# What XML can hold; that the readers let other characters through, or drop them, is their own affair.
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
        st.sampled_from("\t\n\r<>&\"' "),
    ),
    max_size=60,
)
LONG = st.builds(lambda text, size: (text or "x") * (size // max(1, len(text))), TEXT, st.integers(5_000, 15_000))


def integers(kind: ValueType, low: int, high: int) -> st.SearchStrategy[TypedValue]:
    return st.integers(low, high).map(lambda n: binxml.number(kind, n))


VALUES = st.one_of(
    TEXT.map(binxml.string),
    st.just(EMPTY),
    integers(ValueType.INT8, -(2**7), 2**7 - 1),
    integers(ValueType.INT16, -(2**15), 2**15 - 1),
    integers(ValueType.INT32, -(2**31), 2**31 - 1),
    integers(ValueType.INT64, -(2**63), 2**63 - 1),
    integers(ValueType.UINT8, 0, 2**8 - 1),
    integers(ValueType.UINT16, 0, 2**16 - 1),
    integers(ValueType.UINT32, 0, 2**32 - 1),
    integers(ValueType.UINT64, 0, 2**64 - 1),
    integers(ValueType.HEX32, 0, 2**32 - 1),
    integers(ValueType.HEX64, 0, 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: binxml.number(ValueType.FLOAT32, x)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: binxml.number(ValueType.FLOAT64, x)),
    st.booleans().map(binxml.boolean),
    st.binary(max_size=40).map(binxml.binary),
    st.uuids().map(binxml.guid),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda t: binxml.filetime(t.replace(tzinfo=UTC))),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15).map(
        lambda parts: binxml.sid("-".join(map(str, ("S-1-5", *parts))))
    ),
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True).filter(lambda name: name != "Data")
DATA_FIELDS = st.lists(st.tuples(st.none() | NAMES, VALUES), max_size=8)
USER_DATA = st.builds(
    lambda name, fields: Element(
        name,
        [("xmlns", "http://manifests.microsoft.com/win/2004/08/windows/eventlog")],
        [Element(tag, (), [value]) for tag, value in fields],
    ),
    NAMES,
    st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6),
)
BODIES = st.one_of(
    DATA_FIELDS.map(lambda data: {"data": data}), USER_DATA.map(lambda user_data: {"user_data": user_data})
)


@settings(max_examples=60)
@given(st.lists(BODIES, min_size=1, max_size=2))
def test_events_of_all_types_are_read_alike(bodies: list[dict[str, Any]]) -> None:
    check_all([event(record_id, **body) for record_id, body in enumerate(bodies, 100)])


@settings(max_examples=5)
@given(st.lists(st.tuples(NAMES, LONG), min_size=8, max_size=10), st.integers(0, 8))
def test_events_across_chunks_are_read_alike(fields: list[tuple[str, str]], alignment: int) -> None:
    events = [
        event(record_id, data=[("Pad", binxml.string("p" * alignment)), (name, binxml.string(text))])
        for record_id, (name, text) in enumerate(fields, 1)
    ]
    check_all(events)
    assert len(written(events)) > 4096 + 65_536


def test_chunks_filled_to_their_last_byte_are_read_alike() -> None:
    """libevtx loses a record that ends where its chunk ends; another reader might lose the one that comes next."""
    ends, counts = set(), set()
    for length in range(15_764, 15_788):
        text = "x" * length
        content = written([event(n, data=[("A", binxml.string(text))]) for n in (1, 2, 3)])
        for read in (shown_by_rust, shown_by_libevtx):
            assert [shown_leaves(one.xml, "") for one in read(content)] == [[("Data A", text)]] * 3
        ends.add(struct.unpack_from("<I", content, 4096 + 48)[0])
        counts.add(len(content) // 65_536)
    assert CHUNK_END in ends
    assert counts == {2, 3}


def test_arrays_of_strings_are_read_alike() -> None:
    check_all([event(data=[(None, binxml.strings(["one", "two & three", "é"]))], version=None), event(2, data=[])])
