"""What the reader promises: every value of a sound record, and a word on everything that it cannot read."""

from __future__ import annotations

import struct
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigma_env.events import evtx_process, evtx_worker
from sigma_env.events.binxml import Element, ValueType, boolean, number, string
from sigma_env.events.flatten import NO_TIME
from sigma_env.events.reader import Problem, ReadEvent, read_log, read_logs
from tests.events.logs_made import START, event, numbered, write_log

CHUNK = 65_536


def read(path: Path) -> tuple[list[ReadEvent], list[Problem]]:
    items = list(read_log(path))
    return [i for i in items if isinstance(i, ReadEvent)], [i for i in items if isinstance(i, Problem)]


def data_of(path: Path) -> list[dict[str, Any]]:
    events, problems = read(path)
    assert problems == []
    return [e.event.data for e in events]


def test_values_keep_their_types_and_order(tmp_path: Path) -> None:
    fields = [("Image", r"C:\a.exe"), ("ProcessId", number(ValueType.UINT32, 5)), ("Initiated", boolean(True))]
    path = write_log(tmp_path / "a.evtx", [event([*fields, ("Empty", "")], record_id=77)])
    events, problems = read(path)
    assert problems == []
    assert events[0].position == 0
    assert events[0].event.record_id == 77
    assert events[0].event.time == round((START.timestamp() + 77) * 1_000_000)
    assert list(events[0].event.data.items()) == [
        ("Image", r"C:\a.exe"),
        ("ProcessId", 5),
        ("Initiated", True),
        ("Empty", ""),
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([("A", "1"), ("B", "x"), ("A", "2"), ("A", "")], {"A": ["1", "2", ""], "B": "x"}),
        ([("A", "1"), ("A", "1")], {"A": ["1", "1"]}),
        ([("A", number(ValueType.UINT32, 1)), ("A", "1")], {"A": [1, "1"]}),
        ([("É\n", "ä"), ("É\n", '"')], {"É\n": ["ä", '"']}),
    ],
)
def test_named_data_that_is_repeated_keeps_all_its_values(tmp_path: Path, data: Any, expected: dict[str, Any]) -> None:
    path = write_log(tmp_path / "a.evtx", [event(data)])
    assert data_of(path) == [expected]


def test_nameless_data_beside_named_data_is_kept(tmp_path: Path) -> None:
    awkward = "<Data>&amp;\"'é\n</Data> &quot;"
    path = write_log(tmp_path / "a.evtx", [event([(None, awkward), ("A", "1"), (None, ""), (None, "z")])])
    assert data_of(path) == [{"A": "1", "Data": [awkward, "", "z"]}]


def test_nameless_data_alone(tmp_path: Path) -> None:
    path = write_log(tmp_path / "a.evtx", [event([(None, "a"), (None, ""), (None, "a")]), event([(None, "one")])])
    assert data_of(path) == [{"Data": ["a", "", "a"]}, {"Data": "one"}]


def test_repeated_elements_of_user_data_are_told_from_numbered_names(tmp_path: Path) -> None:
    def app(name: str, text: str) -> Element:
        return Element(name, children=(string(text),))

    repeated = Element("Apps", children=(app("App", "x"), app("App", "y")))
    numbered_names = Element("Apps", children=(app("App", "x"), app("App_1", "y")))
    events = [event(user_data=repeated), event(user_data=numbered_names)]
    assert data_of(write_log(tmp_path / "a.evtx", events)) == [{"App": ["x", "y"]}, {"App": "x", "App_1": "y"}]


def three_chunks(tmp_path: Path) -> tuple[Path, bytes, int]:
    """A log of several chunks, its bytes, and how many records its first chunk holds."""
    path = write_log(tmp_path / "a.evtx", numbered(700))
    content = path.read_bytes()
    assert len(content) >= 4096 + 3 * CHUNK
    return path, content, struct.unpack_from("<Q", content, 4096 + 16)[0]


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.evtx"
    path.touch()
    assert read(path) == ([], [Problem(None, "the file is empty")])


@pytest.mark.parametrize("size", [1, 7, 128, 4095])
def test_a_file_that_ends_in_its_header(tmp_path: Path, size: int) -> None:
    path, content, _ = three_chunks(tmp_path)
    path.write_bytes(content[:size])
    assert read(path) == ([], [Problem(None, f"the file ends after {size} bytes, within its header")])


def test_a_file_with_a_wrong_header(tmp_path: Path) -> None:
    path, content, _ = three_chunks(tmp_path)
    path.write_bytes(b"NotAnEvt" + content[8:])
    events, [problem] = read(path)
    assert events == []
    assert problem.position is None
    assert "Invalid EVTX file header magic" in problem.reason


@pytest.mark.parametrize("lost", [1, 100, CHUNK - 1])
def test_a_file_cut_within_a_chunk(tmp_path: Path, lost: int) -> None:
    path, content, first = three_chunks(tmp_path)
    path.write_bytes(content[: 4096 + 2 * CHUNK - lost])
    events, problems = read(path)
    assert [e.position for e in events] == list(range(first))
    assert problems == [Problem(None, "the file was cut within chunk 1, whose records are not read")]


def test_a_file_cut_between_chunks(tmp_path: Path) -> None:
    path, content, first = three_chunks(tmp_path)
    path.write_bytes(content[: 4096 + CHUNK])
    events, problems = read(path)
    chunks = (len(content) - 4096) // CHUNK
    assert len(events) == first
    assert problems == [Problem(None, f"the file was cut after 1 of {chunks} chunks")]


def test_a_bad_chunk_costs_its_own_records_only(tmp_path: Path) -> None:
    path, content, first = three_chunks(tmp_path)
    damaged = bytearray(content)
    damaged[4096 + CHUNK : 4096 + CHUNK + 8] = b"XXXXXXXX"
    path.write_bytes(damaged)
    events, [problem] = read(path)
    second = struct.unpack_from("<Q", content, 4096 + CHUNK + 16)[0]
    assert [e.event.record_id for e in events] == [*range(1, first + 1), *range(second + 1, 701)]
    assert problem.position == first
    assert events[first].position == first + 1
    assert "Failed to parse chunk" in problem.reason


def test_a_bad_record_costs_itself_only(tmp_path: Path) -> None:
    path, content, _ = three_chunks(tmp_path)
    damaged = bytearray(content)
    at = content.index("x5.exe".encode("utf-16-le"))  # the value of the fifth event; its type stands before it
    record = content.rindex(b"\x2a\x2a\x00\x00", 0, at)
    damaged[record + 24 : at] = bytes([0xFF]) * (at - record - 24)
    path.write_bytes(damaged)
    events, [problem] = read(path)
    assert problem.position == 4
    assert [e.position for e in events] == [p for p in range(700) if p != 4]


def test_records_that_a_chunk_announces_and_lacks_are_missed(tmp_path: Path) -> None:
    path, content, first = three_chunks(tmp_path)
    damaged = bytearray(content)
    struct.pack_into("<Q", damaged, 4096 + 16, first + 5)
    path.write_bytes(damaged)
    events, [problem] = read(path)
    assert len(events) == 700
    assert problem == Problem(None, "its chunks announce 705 records, 700 were found")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spots=st.lists(st.tuples(st.integers(0, 4096 + 2 * CHUNK), st.binary(min_size=1, max_size=12)), max_size=30),
    cut=st.integers(1, 4096 + 2 * CHUNK) | st.none(),
)
def test_no_damage_stops_the_reader(tmp_path: Path, spots: list[tuple[int, bytes]], cut: int | None) -> None:
    content = bytearray(write_log(tmp_path / "sound.evtx", numbered(450)).read_bytes())
    for at, junk in spots:
        content[at : at + len(junk)] = junk
    path = tmp_path / "damaged.evtx"
    path.write_bytes(content[:cut])
    events, problems = read(path)
    # What is not read is a numbered position or a remark on the file; nothing has two positions.
    positions = [e.position for e in events] + [p.position for p in problems if p.position is not None]
    assert sorted(set(positions)) == list(range(len(set(positions))))
    assert len({e.position for e in events}) == len(events)
    assert all(p.reason for p in problems)
    if not spots and cut is not None and cut < len(content):
        assert problems


STAND_IN = """
import sys, time, runpy, json
XML = %r
class PanicException(BaseException): "Named like pyo3's form of a Rust panic."
def record(number, raw=None):
    raw = raw or json.dumps({"Event": {"System": {"EventID": number}}})
    return {"event_record_id": number, "timestamp": "2026-01-02T03:04:05.000006Z UTC", "data": raw}
def records():
%s
class Parser:
    def __init__(self, *_, **__): self.left = records()
    def records_json(self): return self
    def records(self): return self if XML else iter(())
    def __next__(self):
        try: item = next(self.left)
        except StopIteration: raise StopIteration from None
        if isinstance(item, BaseException): raise item
        return item
class Module: PyEvtxParser = Parser
sys.modules["evtx"] = Module
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[ReadEvent], list[Problem]]]:
    """Reads what a stand-in for the Rust reader yields, and a sound file after it."""

    def read_records(body: str, patience: float = 10, xml: bool = True) -> tuple[list[ReadEvent], list[Problem]]:
        script = tmp_path / "stand_in.py"
        script.write_text(STAND_IN % (xml, textwrap.indent(body, "    ")))
        monkeypatch.setattr(evtx_process, "WORKER", (sys.executable, str(script), evtx_worker.__file__))
        monkeypatch.setattr(evtx_process, "PATIENCE_SECONDS", patience)
        return read(write_log(tmp_path / "a.evtx", []))

    return read_records


Reading = Callable[..., tuple[list[ReadEvent], list[Problem]]]
BEFORE = "yield record(1)\n"
AFTER = "\nyield record(3)\n"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("yield PanicException('index out of bounds')", "the reader died with status 1"),
        ("import os; os.abort()", "the reader died with status -6"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the reader died with status -11"),
        ("yield MemoryError()", "the reader died with status 1"),
        ("sys.stdout.buffer.write(b'xx'); sys.stdout.flush(); sys.exit(3)", "the reader died with status 3"),
    ],
)
def test_a_reader_that_dies_costs_the_rest_of_its_file(reading: Reading, fault: str, reason: str) -> None:
    events, problems = reading(BEFORE + fault + AFTER)
    assert [e.event.event_id for e in events] == [1]
    assert problems == [Problem(1, f"{reason}; the rest of the file is not read")]


def test_a_reader_that_hangs_is_ended(reading: Reading) -> None:
    events, problems = reading(BEFORE + "time.sleep(600)" + AFTER, patience=0.4)
    assert [e.event.event_id for e in events] == [1]
    assert problems == [Problem(1, "the reader hung; the rest of the file is not read")]


def test_a_caller_that_takes_its_time_is_not_taken_for_a_hang(
    reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evtx_process, "PATIENCE_SECONDS", 0.2)
    found = []
    for item in read_log(write_log(tmp_path / "b.evtx", numbered(2))):
        time.sleep(0.6)
        found.append(item.position)
    assert found == [0, 1]


def test_files_after_one_that_hangs_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names of a chunk point to each other as the next in their list: the Rust reader follows them for ever."""
    monkeypatch.setattr(evtx_process, "PATIENCE_SECONDS", 0.8)
    hostile = write_log(tmp_path / "a.evtx", numbered(3))
    content = bytearray(hostile.read_bytes())
    first, second = [offset for offset in struct.unpack_from("<64I", content, 4096 + 128) if offset][:2]
    struct.pack_into("<I", content, 4096 + first, second)
    struct.pack_into("<I", content, 4096 + second, first)
    hostile.write_bytes(content)
    paths = [write_log(tmp_path / "0.evtx", numbered(2)), hostile, write_log(tmp_path / "b.evtx", numbered(1))]
    before, bad, after = [list(items) for items in read_logs(paths)]
    assert [item.position for item in before] == [0, 1]
    assert [item.position for item in after] == [0]
    # A reader that gets over it is as good.
    hung = "the reader hung; the rest of the file is not read"
    missed = "its chunks announce 3 records, 0 were found"
    assert bad == [Problem(0, hung), Problem(None, missed)] or [item.position for item in bad] == [0, 1, 2]


def test_a_reader_that_never_comes_to_an_end_is_stopped(reading: Reading) -> None:
    events, problems = reading("while True: yield RuntimeError('again')")
    assert events == []
    assert 0 < len(problems) < 10_000


def test_a_record_without_a_time_has_that_of_its_header(reading: Reading) -> None:
    events, _ = reading(BEFORE)
    assert events[0].event.time == 1_767_323_045_000_006


def test_a_record_whose_xml_cannot_be_read_is_kept_and_said_to_be_less_sure(reading: Reading) -> None:
    events, problems = reading(BEFORE, xml=False)
    assert len(events) == 1
    assert problems == [Problem(0, "read as JSON only: nameless Data beside named ones would be missing")]


def test_names_with_control_characters_are_read(reading: Reading) -> None:
    raw = '{"Event": {"System": {"EventID": 1}, "EventData": {"a\\x01": "x"}}}'
    events, problems = reading(f"yield record(1, '{raw}')")
    assert [e.event.data for e in events] == [{"a\x01": "x"}]
    assert problems == []


@pytest.mark.parametrize("raw", ["{", "[]", "7", '{"Event": 5}', '{"Event": {"System": 1}}', "1e999"])
def test_a_record_that_is_no_event_is_a_problem(reading: Reading, raw: str) -> None:
    events, problems = reading(f"yield record(1, {raw!r})" + AFTER)
    assert [e.position for e in events] == [1]
    assert [p.position for p in problems] == [0]


class TestJson:
    EVENT: ClassVar = {"Event": {"System": {"EventID": 1, "EventRecordID": 9}, "EventData": {"Image": "x"}}}

    @pytest.mark.parametrize("name", ["a.jsonl", "a.JSON"])
    def test_one_event_per_line(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(b"\n" + orjson.dumps(self.EVENT) + b"\nno json\n\n[1]\n" + orjson.dumps(self.EVENT) + b"\n")
        events, problems = read(path)
        assert [(e.position, e.event.record_id) for e in events] == [(0, 9), (3, 9)]
        assert [p.position for p in problems] == [1, 2]
        assert "no JSON" in problems[0].reason
        assert "a list is no event" in problems[1].reason

    @pytest.mark.parametrize("option", [0, orjson.OPT_INDENT_2])
    def test_an_array_of_events(self, tmp_path: Path, option: int) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(orjson.dumps([self.EVENT, {"EventID": 2}], option=option))
        events, problems = read(path)
        assert [(e.event.event_id, e.record_id) for e in events] == [(1, 0), (2, 1)]
        assert problems == []

    def test_one_event_over_several_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(orjson.dumps(self.EVENT, option=orjson.OPT_INDENT_2))
        events, problems = read(path)
        assert [e.event.data for e in events] == [{"Image": "x"}]
        assert problems == []
        assert events[0].event.time == NO_TIME

    def test_what_is_no_json_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b'{"Event": ')
        events, [problem] = read(path)
        assert events == []
        assert "no JSON" in problem.reason

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").touch()
        assert read(tmp_path / "a.json") == ([], [Problem(None, "the file is empty")])
