"""What the EVTX writer promises: any reader gets back what was written, in files that Windows' rules allow."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import Evtx.Evtx
import orjson
import pytest
from evtx import PyEvtxParser
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.events import binxml
from sigma_env.events.binxml import Element, EventTooLargeError, EventWriteError, TypedValue, ValueType
from sigma_env.events.evtx_chunk import CHUNK_END, MAX_RECORD_BYTES
from sigma_env.events.writer import Event, EvtxWriter

SYSMON = "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"
START = datetime(2026, 3, 2, 8, 15, 30, 123456, tzinfo=UTC)


def event(data: Iterable[tuple[str | None, TypedValue]] | None = (), record_id: int = 1, **fields: Any) -> Event:
    return Event(
        **{
            "provider": "Microsoft-Windows-Sysmon",
            "provider_guid": SYSMON,
            "event_id": 1,
            "version": 5,
            "task": 1,
            "keywords": 0x8000000000000000,
            "time": START,
            "record_id": record_id,
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "computer": "PC-1.example.net",
            "process_id": 2040,
            "thread_id": 3080,
            "user_sid": "S-1-5-18",
            "data": None if data is None else tuple(data),
        }
        | fields
    )


def written(*events: Event) -> bytes:
    target = io.BytesIO()
    with EvtxWriter(target) as log:
        for one in events:
            log.write(one)
    return target.getvalue()


def read(content: bytes) -> list[dict[str, Any]]:
    parser = PyEvtxParser(io.BytesIO(content), separate_json_attributes=True, validate_checksums=True)
    return [orjson.loads(record["data"])["Event"] for record in parser.records_json()]


def read_by_python(content: bytes, folder: Path) -> list[str]:
    path = folder / "log.evtx"
    path.write_bytes(content)
    with Evtx.Evtx.Evtx(str(path)) as log:
        assert log.get_file_header().verify()
        assert all(chunk.verify() for chunk in log.chunks())
        return [record.xml() for record in log.records()]


def chunk_headers(content: bytes) -> list[tuple[int, int, int, int]]:
    """(first number, last number, offset of the last record, free-space offset) of each chunk."""
    headers = []
    for start in range(4096, len(content), 65_536):
        magic, first, last, first_id, last_id, _, last_record, free = struct.unpack_from("<8sQQQQIII", content, start)
        assert magic == b"ElfChnk\0"
        assert (first, last) == (first_id, last_id)
        headers.append((first, last, last_record, free))
    return headers


def test_system_values_come_back() -> None:
    (back,) = read(written(event(record_id=77, activity_id="{00000000-1111-2222-3333-444444444444}")))
    assert back["System"] == {
        "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": SYSMON},
        "EventID": 1,
        "Version": 5,
        "Level": 4,
        "Task": 1,
        "Opcode": 0,
        "Keywords": "0x8000000000000000",
        "TimeCreated_attributes": {"SystemTime": "2026-03-02T08:15:30.123456Z"},
        "EventRecordID": 77,
        "Correlation_attributes": {"ActivityID": "00000000-1111-2222-3333-444444444444"},
        "Execution_attributes": {"ProcessID": 2040, "ThreadID": 3080},
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "PC-1.example.net",
        "Security_attributes": {"UserID": "S-1-5-18"},
    }


def test_absent_attributes_are_absent() -> None:
    (back,) = read(written(event(provider_guid=None, user_sid=None, qualifiers=0x4000)))
    assert back["System"]["Provider_attributes"] == {"Name": "Microsoft-Windows-Sysmon"}
    assert back["System"]["EventID_attributes"] == {"Qualifiers": 0x4000}
    assert back["System"]["Correlation"] is None
    assert back["System"]["Security"] is None


@pytest.mark.parametrize(
    ("value", "read_back"),
    [
        (binxml.string("C:\\Users\\Ørsted\\日本 😀 <&>\"'"), "C:\\Users\\Ørsted\\日本 😀 <&>\"'"),
        (binxml.string(""), ""),
        (binxml.number(ValueType.INT8, -5), -5),
        (binxml.number(ValueType.UINT8, 255), 255),
        (binxml.number(ValueType.INT16, -300), -300),
        (binxml.number(ValueType.UINT16, 65_535), 65_535),
        (binxml.number(ValueType.INT32, -70_000), -70_000),
        (binxml.number(ValueType.UINT32, 4_294_967_295), 4_294_967_295),
        (binxml.number(ValueType.INT64, -(2**63)), -(2**63)),
        (binxml.number(ValueType.UINT64, 2**64 - 1), 2**64 - 1),
        (binxml.number(ValueType.FLOAT64, 1.5), "1.5"),
        (binxml.number(ValueType.HEX32, 0x29C), "0x29c"),
        (binxml.number(ValueType.HEX64, 0x3E7), "0x3e7"),
        (binxml.boolean(True), True),
        (binxml.boolean(False), False),
        (binxml.binary(b"\x00\xff"), "00FF"),
        (binxml.binary(b""), ""),
        (binxml.guid("{0197231e-a8da-4b3f-9d0a-0123456789ab}"), "0197231E-A8DA-4B3F-9D0A-0123456789AB"),
        (binxml.sid("S-1-5-21-1004336348-1177238915-682003330-512"), "S-1-5-21-1004336348-1177238915-682003330-512"),
        (binxml.sid("s-1-16-12288"), "S-1-16-12288"),
        (binxml.filetime(START), "2026-03-02T08:15:30.123456Z"),
    ],
)
def test_every_type_comes_back(value: TypedValue, read_back: object) -> None:
    (back,) = read(written(event([("Before", binxml.string("x")), ("Field", value), ("After", binxml.string("y"))])))
    assert back["EventData"] == {"Before": "x", "Field": read_back, "After": "y"}


def test_python_evtx_reads_the_same(tmp_path: Path) -> None:
    data = [
        ("Image", binxml.string("C:\\a & b.exe")),
        ("LogonId", binxml.number(ValueType.HEX64, 0x3E7)),
        ("User", binxml.sid("S-1-5-18")),
        (None, binxml.string("unnamed")),
    ]
    first, second = read_by_python(written(event(data), event(data, record_id=2)), tmp_path)
    assert '<Data Name="Image">C:\\a &amp; b.exe</Data>' in first
    assert '<Data Name="LogonId">0x00000000000003e7</Data>' in first
    assert '<Data Name="User">S-1-5-18</Data>' in first
    assert "<Data>unnamed</Data>" in first
    assert "<EventRecordID>2</EventRecordID>" in second


def test_a_guid_comes_back_as_it_was_given() -> None:
    plain = "5770385F-C22A-43E0-BF4C-06F5698FFBD9"
    back = read(written(event(provider_guid=plain), event(provider_guid=f"{{{plain.lower()}}}", provider_source="Old")))
    assert back[0]["System"]["Provider_attributes"]["Guid"] == plain
    assert back[1]["System"]["Provider_attributes"]["Guid"] == f"{{{plain.lower()}}}"
    assert back[1]["System"]["Provider_attributes"]["EventSourceName"] == "Old"


def test_event_data_may_have_a_name() -> None:
    (back,) = read(written(event([("TaskName", binxml.string("\\Job"))], data_name="TaskRegisteredEvent")))
    assert back["EventData"] == {"TaskName": "\\Job"}
    assert back["EventData_attributes"] == {"Name": "TaskRegisteredEvent"}


def test_user_data_keeps_its_element_and_namespace() -> None:
    body = Element(
        "LogFileCleared",
        [("xmlns", "http://manifests.microsoft.com/win/2004/08/windows/eventlog")],
        [
            Element("SubjectUserSid", (), [binxml.sid("S-1-5-21-1-2-3-1104")]),
            Element("SubjectUserName", [("Kind", binxml.string("user"))], [binxml.string("helen")]),
            Element("Literal", [("A", "b")], ["text of the template"]),
            Element("Nothing"),
        ],
    )
    (back,) = read(written(event(data=None, user_data=body)))
    cleared = back["UserData"]["LogFileCleared"]
    assert cleared["SubjectUserSid"] == "S-1-5-21-1-2-3-1104"
    assert cleared["SubjectUserName"] == "helen"
    assert cleared["SubjectUserName_attributes"] == {"Kind": "user"}
    assert cleared["Literal"] == "text of the template"
    assert cleared["Nothing"] is None
    assert "EventData" not in back


def test_an_event_may_have_no_body() -> None:
    (back,) = read(written(event(data=None)))
    assert set(back) == {"System"}


def test_data_and_user_data_together_are_refused() -> None:
    with pytest.raises(EventWriteError, match="both data and user_data"):
        written(event(user_data=Element("U")))


def test_an_empty_log_is_one_empty_chunk() -> None:
    content = written()
    assert len(content) == 4096 + 65_536
    assert read(content) == []
    # Windows' own empty logs count from 1 to "none".
    assert struct.unpack_from("<QQQQIII", content, 4096 + 8) == (1, *[2**64 - 1] * 3, 128, 0, 512)


def test_file_header() -> None:
    content = written(*[event(record_id=n) for n in range(1, 4)])
    magic, first, last, next_id, size, minor, major, block, chunks = struct.unpack_from("<8sQQQIHHHH", content, 0)
    assert (magic, first, last, next_id) == (b"ElfFile\0", 0, 0, 4)
    assert (size, minor, major, block, chunks) == (128, 1, 3, 4096, 1)
    assert struct.unpack_from("<I", content, 124)[0] == zlib.crc32(content[:120])


def test_records_roll_over_to_the_next_chunk() -> None:
    events = [event([("Text", binxml.string(f"{n:04d}" * (n % 900)))], record_id=9000 + n) for n in range(400)]
    content = written(*events)
    headers = chunk_headers(content)
    assert len(headers) > 5
    assert headers[0][0] == 1
    assert headers[-1][1] == 400
    assert all(after[0] == before[1] + 1 for before, after in pairwise(headers))
    assert all(free <= CHUNK_END for *_, free in headers)
    back = read(content)
    assert [one["System"]["EventRecordID"] for one in back] == list(range(9000, 9400))
    assert [one["EventData"]["Text"] for one in back] == [f"{n:04d}" * (n % 900) for n in range(400)]


def test_record_sizes_are_multiples_of_eight_and_repeated_at_the_end() -> None:
    content = written(*[event([("A", binxml.string("x" * n))]) for n in range(20)])
    offset = 4096 + 512
    for _ in range(20):
        magic, size = struct.unpack_from("<II", content, offset)
        assert magic == 0x2A2A
        assert size % 8 == 0
        assert struct.unpack_from("<I", content, offset + size - 4) == (size,)
        offset += size


def test_a_template_is_defined_once_per_chunk() -> None:
    one = len(written(event([("A", binxml.string("x"))])).rstrip(b"\0"))
    many = len(written(*[event([("A", binxml.string("x"))], record_id=n) for n in range(51)]).rstrip(b"\0"))
    assert (many - one) / 50 < 300


@settings(max_examples=25, deadline=None)
@given(st.integers(31_000, 33_500), st.sampled_from("aé漢😀"))
def test_an_event_is_written_whole_or_refused(length: int, character: str) -> None:
    text = character * (length // len(character.encode("utf-16-le")) * 2)
    target = io.BytesIO()
    log = EvtxWriter(target)
    log.write(event([("A", binxml.string("before"))]))
    try:
        log.write(event([("B", binxml.string(text))], record_id=2))
        expected = ["before", text, "after"]
    except EventTooLargeError:
        assert len(text.encode("utf-16-le")) > MAX_RECORD_BYTES - 2_500
        expected = ["before", "after"]
    log.write(event([("A", binxml.string("after"))], record_id=3))
    log.close()
    assert [next(iter(one["EventData"].values())) for one in read(target.getvalue())] == expected


def test_several_values_that_are_too_large_together_are_refused() -> None:
    with pytest.raises(EventTooLargeError, match="at most"):
        written(event([(f"Field{n}", binxml.string("x" * 20_000)) for n in range(3)]))


def test_a_refused_event_leaves_no_trace() -> None:
    good = [event([("A", binxml.string("1"))]), event([("A", binxml.string("2"))], record_id=2)]
    target = io.BytesIO()
    with EvtxWriter(target) as log:
        log.write(good[0])
        with pytest.raises(EventTooLargeError):
            log.write(event([(f"N{n}", binxml.string("x" * 20_000)) for n in range(3)]))
        with pytest.raises(EventWriteError):
            log.write(event(event_id=70_000))
        assert log.write(good[1]) == 2
    assert target.getvalue() == written(*good)


@pytest.mark.parametrize(
    "make",
    [
        lambda: binxml.string("a\0b"),
        lambda: binxml.string("\ud800"),
        lambda: binxml.string("x" * 40_000),
        lambda: binxml.binary(b"x" * 70_000),
        lambda: binxml.number(ValueType.UINT8, 256),
        lambda: binxml.number(ValueType.UINT32, -1),
        lambda: binxml.number(ValueType.STRING, 1),
        lambda: binxml.guid("not a guid"),
        lambda: binxml.sid("S-1-5"),
        lambda: binxml.sid("S-1-5-99999999999"),
        lambda: binxml.filetime(datetime(2026, 1, 1)),
        lambda: binxml.filetime(datetime(1600, 1, 1, tzinfo=UTC)),
        lambda: written(event(data=None, user_data=Element("not a name"))),
        lambda: written(event(user_sid="nobody")),
    ],
)
def test_what_evtx_cannot_hold_is_refused(make: Any) -> None:
    with pytest.raises(EventWriteError):
        make()


def test_equal_events_give_equal_bytes() -> None:
    def make() -> bytes:
        return written(*[event([("A", binxml.string(str(n)))], record_id=n) for n in range(50)])

    assert make() == make()


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.evtx"
    with pytest.raises(EventWriteError), EvtxWriter(path) as log:  # noqa: PT012 - the error must leave the block
        log.write(event())
        log.write(event(event_id=70_000))
    assert list(tmp_path.iterdir()) == []
    with EvtxWriter(path) as log:
        log.write(event())
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]
    assert len(read(path.read_bytes())) == 1
    with pytest.raises(EventWriteError, match="closed"):
        log.write(event())


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=120)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9 _.\-]{0,20}", fullmatch=True).filter(lambda name: name != "Data")
VALUES = st.one_of(
    TEXT.map(lambda text: (binxml.string(text), text)),
    st.integers(0, 2**64 - 1).map(lambda n: (binxml.number(ValueType.UINT64, n), n)),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: (binxml.number(ValueType.INT32, n), n)),
    st.integers(0, 2**64 - 1).map(lambda n: (binxml.number(ValueType.HEX64, n), hex(n))),
    st.booleans().map(lambda flag: (binxml.boolean(flag), flag)),
    st.binary(min_size=1, max_size=40).map(lambda data: (binxml.binary(data), data.hex().upper())),
    st.uuids().map(lambda guid: (binxml.guid(guid), str(guid).upper())),
)
BODIES = st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=10, unique_by=lambda item: item[0])


@settings(max_examples=60, deadline=None)
@given(st.lists(BODIES, min_size=1, max_size=12), st.integers(0, 10**6))
def test_any_values_come_back(bodies: list[Any], seconds: int) -> None:
    events = [
        event(
            [(name, value) for name, (value, _) in body],
            record_id=position,
            time=START + timedelta(seconds=seconds + position),
        )
        for position, body in enumerate(bodies)
    ]
    back = read(written(*events))
    assert [one["EventData"] for one in back] == [{name: plain for name, (_, plain) in body} for body in bodies]
    assert [one["System"]["EventRecordID"] for one in back] == list(range(len(bodies)))
