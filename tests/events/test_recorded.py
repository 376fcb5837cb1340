"""Real events, read with their types and written again: nothing of them may be lost."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from evtx import PyEvtxParser
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.events import binxml
from sigma_env.events.binxml import EMPTY, NULL, Element, TypedValue, ValueType
from sigma_env.events.binxml_parse import EventParseError
from sigma_env.events.recorded import recorded_events
from sigma_env.events.writer import Event, EvtxWriter

DISTINCT_FILES = 790
EVENTS = 25_298


def written(events: list[Event]) -> bytes:
    target = io.BytesIO()
    with EvtxWriter(target) as log:
        for event in events:
            log.write(event)
    return target.getvalue()


def events_of(content: bytes) -> list[Event]:
    events = []
    for event in recorded_events(io.BytesIO(content)):
        assert isinstance(event, Event), event
        events.append(event)
    return events


def real_files(mirror: Path) -> Iterator[tuple[str, bytes]]:
    """Every EVTX file of the archives, equal ones once."""
    seen = set()
    for path in sorted(mirror.glob("*.tar.gz")):
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if not member.name.lower().endswith(".evtx"):
                    continue
                file = archive.extractfile(member)
                assert file is not None
                content = file.read()
                digest = hashlib.blake2b(content).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield member.name, content


def documents(content: bytes) -> list[bytes]:
    """Each event as the Rust reader shows it, key by key in order; texts, numbers and nulls are told apart."""
    parser = PyEvtxParser(io.BytesIO(content), 1, separate_json_attributes=True)
    return [orjson.dumps(orjson.loads(record["data"])) for record in parser.records_json()]


class RoundTrip(NamedTuple):
    """What came of reading every real file with types, writing its events and reading them again."""

    files: int
    shown: int
    shown_otherwise: list[str]
    typed_otherwise: list[str]
    forms: Counter[str]


@pytest.fixture(scope="module")
def round_trip(mirror: Path) -> RoundTrip:
    trip = RoundTrip(0, 0, [], [], Counter())
    for name, content in real_files(mirror):
        events = events_of(content)
        rewritten = written(events)
        before, after = documents(content), documents(rewritten)
        if before != after:
            trip.shown_otherwise.append(name)
        if events_of(rewritten) != events:
            trip.typed_otherwise.append(name)
        for event in events:
            trip.forms.update(forms(event))
        trip = trip._replace(files=trip.files + 1, shown=trip.shown + len(after))
    return trip


def forms(event: Event) -> Iterator[str]:
    """What is unusual in an event."""
    fields = ("version", "process_id", "processor_id", "binary", "user_data", "data_name", "provider_source")
    yield from (f"no {name}" if getattr(event, name) is None else f"with {name}" for name in fields)
    yield from (name for name in ("rendered", "other") if getattr(event, name))
    if not event.in_channel:
        yield "no channel"
    yield from {value.type.name for _, value in event.data or ()}


def test_every_real_event_comes_back_equal(round_trip: RoundTrip) -> None:
    assert round_trip.shown_otherwise == []
    assert (round_trip.files, round_trip.shown) == (DISTINCT_FILES, EVENTS)


def test_every_real_event_keeps_the_types_that_readers_do_not_show(round_trip: RoundTrip) -> None:
    assert round_trip.typed_otherwise == []


@pytest.mark.parametrize(
    ("form", "events"),
    [
        ("no version", 1_658),
        ("no process_id", 1_658),
        ("with processor_id", 415),
        ("with binary", 2_822),
        ("with user_data", 807),
        ("with data_name", 21),
        ("with provider_source", 1_526),
        ("rendered", 1_287),
        ("other", 2),
        ("no channel", 1),
        ("STRINGS", 1_999),
        ("ANSI", 4),
        ("FLOAT64", 1),
        ("BOOL", 810),
        ("BINARY", 4),
        ("NULL", 308),
    ],
)
def test_real_logs_hold_the_unusual_forms(round_trip: RoundTrip, form: str, events: int) -> None:
    """That every real event comes back says something about a form only if some event has it."""
    assert round_trip.forms[form] == events


def plain(**fields: Any) -> Event:
    return Event(
        **{
            "provider": "Application Error",
            "event_id": 1000,
            "time": datetime(2026, 3, 2, 8, 15, 30, 123456, tzinfo=UTC),
            "record_id": 5,
            "channel": "Application",
            "computer": "PC-1",
        }
        | fields
    )


CLASSIC = {"version": None, "opcode": None, "process_id": None, "thread_id": None, "qualifiers": 0}


def system_of(event: Event) -> dict[str, Any]:
    (document,) = documents(written([event]))
    system: dict[str, Any] = orjson.loads(document)["Event"]["System"]
    return system


def test_a_classic_event_has_no_version_opcode_correlation_or_execution() -> None:
    assert list(system_of(plain(**CLASSIC))) == [
        "Provider_attributes",
        "EventID_attributes",
        "EventID",
        "Level",
        "Task",
        "Keywords",
        "TimeCreated_attributes",
        "EventRecordID",
        "Channel",
        "Computer",
        "Security",
    ]


def test_execution_has_what_traces_put_there() -> None:
    times = {"session_id": 1, "kernel_time": 30, "user_time": 0, "processor_time": 2**40}
    assert system_of(plain(processor_id=3, **times))["Execution_attributes"] == {
        "ProcessID": 0,
        "ThreadID": 0,
        "ProcessorID": 3,
        "SessionID": 1,
        "KernelTime": 30,
        "UserTime": 0,
        "ProcessorTime": 2**40,
    }


def test_a_rendered_value_stands_as_text() -> None:
    rendered = {
        "EventID": "4104",
        "Execution_ProcessID": "12",
        "TimeCreated_SystemTime": "2026-03-02T08:15:30.1234567Z",
    }
    system = system_of(plain(rendered=rendered))
    assert system["EventID"] == "4104"
    assert system["Execution_attributes"] == {"ProcessID": "12", "ThreadID": 0}
    assert system["TimeCreated_attributes"] == {"SystemTime": "2026-03-02T08:15:30.1234567Z"}
    with pytest.raises(binxml.EventWriteError, match="'Channel' is no value of System that can be rendered"):
        written([plain(rendered={"Channel": "x"})])


def test_an_array_of_strings_is_one_data_with_several_texts() -> None:
    event = plain(data=[(None, binxml.strings(["a", "", "c"]))], binary=binxml.binary(b"\1\2"), **CLASSIC)
    (document,) = documents(written([event]))
    assert orjson.loads(document)["Event"]["EventData"] == {"Data": {"#text": ["a", "", "c"]}, "Binary": "0102"}


def test_a_body_part_without_event_data_is_refused() -> None:
    for part in ({"binary": binxml.binary(b"x")}, {"data_name": "N"}):
        with pytest.raises(binxml.EventWriteError, match="parts of EventData"):
            written([plain(**part)])


def test_a_number_that_does_not_fit_is_named() -> None:
    with pytest.raises(binxml.EventWriteError, match="Execution_ProcessID: -1 does not fit UINT32"):
        written([plain(process_id=-1)])


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
VALUES: st.SearchStrategy[TypedValue] = st.one_of(
    TEXT.map(binxml.string),
    st.lists(TEXT, min_size=1, max_size=3).map(binxml.strings),
    st.integers(0, 2**16 - 1).map(lambda n: binxml.number(ValueType.UINT16, n)),
    st.integers(-128, 127).map(lambda n: binxml.number(ValueType.INT8, n)),
    st.floats(allow_nan=False).map(lambda x: binxml.number(ValueType.FLOAT64, x)),
    st.booleans().map(binxml.boolean),
    st.binary(max_size=20).map(binxml.binary),
    st.uuids().map(binxml.guid),
    st.sampled_from([NULL, EMPTY, binxml.sid("S-1-5-18"), TypedValue(ValueType.SIZE, bytes(8))]),
)
TAGS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
ELEMENTS = st.recursive(
    st.builds(Element, TAGS, st.just(()), st.lists(VALUES, max_size=1).map(tuple)),
    lambda inner: st.builds(
        Element,
        TAGS,
        st.lists(st.tuples(TAGS, VALUES | TEXT), max_size=2).map(tuple),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=6,
)
BODIES = st.one_of(
    st.fixed_dictionaries({}),
    st.fixed_dictionaries(
        {
            "data": st.lists(st.tuples(st.none() | TEXT, VALUES), max_size=5),
            "binary": st.none() | VALUES,
            "data_name": st.none() | TEXT,
        }
    ),
    st.fixed_dictionaries({"user_data": ELEMENTS}),
)


def optional(bits: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, 2**bits - 1)


SYSTEMS = st.fixed_dictionaries(
    {
        "version": optional(8),
        "level": optional(8),
        "task": optional(16),
        "opcode": optional(8),
        "keywords": optional(64),
        "process_id": optional(32),
        "thread_id": optional(32),
        "qualifiers": optional(16),
        "processor_id": st.none(),
        "activity_id": st.none() | st.uuids().map(lambda guid: str(guid).upper()),
        "user_sid": st.none() | st.just("S-1-5-21-1-2-3-500"),
        "provider_guid": st.none() | st.uuids().map(str).flatmap(lambda g: st.sampled_from([g.upper(), f"{{{g}}}"])),
        "channel": st.sampled_from(["", "Security"]),
        "rendered": st.dictionaries(st.sampled_from(["Level", "EventRecordID", "Keywords"]), st.just("7")),
    }
)


@settings(max_examples=80)
@given(st.lists(st.tuples(SYSTEMS, BODIES), min_size=1, max_size=5))
def test_any_event_comes_back_with_its_types(parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    events = [plain(**system, **body) for system, body in parts]
    assert [as_read(event) for event in events] == events_of(written(events))


def as_read(event: Event) -> Event:
    """The event as it must come back: a rendered number says the typed one too, and nothing stands for no list."""
    from dataclasses import replace

    numbers = {"Level": "level", "EventRecordID": "record_id", "Keywords": "keywords"}
    changed: dict[str, Any] = {numbers[name]: int(text) for name, text in event.rendered.items()}
    if event.process_id is None and event.thread_id is None:
        changed["activity_id"] = None
    return replace(event, other=[], **changed)


@settings(max_examples=150)
@given(st.data())
def test_damage_costs_records_and_never_more(data: st.DataObject) -> None:
    events = [plain(data=[("A", binxml.string("x" * n)), ("B", binxml.sid("S-1-5-18"))], record_id=n) for n in range(6)]
    content = bytearray(written(events))
    end = struct.unpack_from("<I", content, 4096 + 48)[0]
    for _ in range(data.draw(st.integers(1, 8))):
        content[4096 + data.draw(st.integers(512, end))] = data.draw(st.integers(0, 255))
    for event in recorded_events(io.BytesIO(bytes(content))):
        assert isinstance(event, Event | EventParseError)


def test_a_record_that_cannot_be_read_is_named_and_the_next_is_read() -> None:
    content = bytearray(written([plain(record_id=n) for n in (1, 2, 3)]))
    first = 4096 + 512
    second = first + struct.unpack_from("<I", content, first + 4)[0]
    content[second + 28] = 0x77  # no token
    one, two, three = recorded_events(io.BytesIO(bytes(content)))
    assert isinstance(one, Event)
    assert isinstance(two, EventParseError)
    assert str(two) == "record 2: token 0x77 where an element should begin"
    assert isinstance(three, Event)
    assert three.record_id == 3


def test_a_file_that_was_cut_is_read_to_its_last_whole_chunk() -> None:
    events = [plain(data=[("A", binxml.string("x" * 20_000))], record_id=n) for n in range(4)]
    assert [event.record_id for event in events_of(written(events)[:-1])] == [0, 1, 2]
