"""From the event that Chainsaw prints to the row of the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import evtx
import pytest

from sigma_env.engines.chainsaw_logs import LinkedLogs
from sigma_env.errors import EngineError, StoreError
from sigma_env.events.build import build, log_paths
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.events.writer import Event
from tests.events.logs_made import START, event, write_log


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


def documents(path: Path) -> list[Mapping[str, Any]]:
    """The events of a file as Chainsaw prints them: it has the same reader."""
    parser = evtx.PyEvtxParser(str(path), separate_json_attributes=True)
    return [json.loads(record["data"]) for record in parser.records_json()]


def linked(folder: Path, events: Iterable[Event]) -> tuple[LinkedLogs, list[Mapping[str, Any]]]:
    (folder / "logs").mkdir()
    write_log(folder / "logs" / "a.evtx", list(events))
    logs = LinkedLogs(build([LogRoot(folder / "logs")]), folder / "links")
    return logs, documents(folder / "links" / "0.evtx")


def positions(logs: LinkedLogs, document: Mapping[str, Any]) -> list[int]:
    return [ref.position for ref in logs.store.refs(logs.rows_of("links/0.evtx", document))]


def test_each_event_is_found_by_its_record(tmp_path: Path) -> None:
    logs, printed = linked(tmp_path, [event([("Image", "x")], record_id=number) for number in (5, 6, 7)])
    assert [positions(logs, document) for document in printed] == [[0], [1], [2]]


def test_of_events_of_one_record_the_time_decides(tmp_path: Path) -> None:
    twice = [event([("Image", "x")], record_id=5, time=START + timedelta(seconds=n)) for n in (1, 2)]
    logs, printed = linked(tmp_path, twice)
    assert [positions(logs, document) for document in printed] == [[0], [1]]


def test_of_events_of_one_record_and_time_the_data_decides(tmp_path: Path) -> None:
    twice = [event([("Image", image), ("User", "u")], record_id=5) for image in ("x", "y")]
    logs, printed = linked(tmp_path, twice)
    assert [positions(logs, document) for document in printed] == [[0], [1]]


def test_events_that_are_alike_in_everything_are_all_meant(tmp_path: Path) -> None:
    logs, printed = linked(tmp_path, [event([("Image", "x")], record_id=5)] * 2)
    assert [positions(logs, document) for document in printed] == [[0, 1], [0, 1]]


def test_an_event_whose_system_names_no_record_is_found_by_its_time(tmp_path: Path) -> None:
    logs, printed = linked(tmp_path, [event([("Image", "x")], record_id=number) for number in (5, 6)])
    document = json.loads(json.dumps(printed[1]))
    del document["Event"]["System"]["EventRecordID"]
    assert positions(logs, document) == [1]


def test_an_event_of_another_time_is_none_of_the_store_s(tmp_path: Path) -> None:
    logs, printed = linked(tmp_path, [event([("Image", "x")], record_id=5)])
    document = json.loads(json.dumps(printed[0]))
    document["Event"]["System"]["TimeCreated_attributes"]["SystemTime"] = "1999-01-01T00:00:00.000000Z"
    assert positions(logs, document) == []


@pytest.mark.parametrize("path", ["", "logs", "logs/1.evtx", "logs/x.evtx", "logs/-1.evtx", "0", "logs/²."])
def test_a_path_that_was_not_given_is_an_error(path: str, tmp_path: Path) -> None:
    logs, printed = linked(tmp_path, [event(record_id=5)])
    assert logs.file_of("logs\\0.evtx") == 0
    with pytest.raises(EngineError, match="was not given"):
        logs.rows_of(path, printed[0])


def test_a_document_that_is_no_event_is_an_error(tmp_path: Path) -> None:
    logs, _ = linked(tmp_path, [event(record_id=5)])
    with pytest.raises(EngineError, match=r"an event of a\.evtx that is none"):
        logs.rows_of("links/0.evtx", {"Event": {"System": 3}})


def test_files_are_linked_under_numbers_and_equal_ones_once(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, number in (("b.EVTX", 1), ("a.evtx", 2), ("same.evtx", 2)):
        write_log(tmp_path / "logs" / name, [event(record_id=number)])
    store = build([LogRoot(tmp_path / "logs")])
    logs = LinkedLogs(store, tmp_path / "links")
    assert sorted(path.name for path in logs.folder.iterdir()) == ["0.evtx", "1.evtx"]
    for index, file in enumerate(store.files):
        assert (logs.folder / f"{index}.evtx").resolve().name == file.name


def test_a_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr("os.link", refuse)
    logs, printed = linked(tmp_path, [event(record_id=5)])
    assert not (logs.folder / "0.evtx").is_symlink()
    assert positions(logs, printed[0]) == [0]


def test_a_kept_store_knows_its_files_too(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    write_log(tmp_path / "logs" / "a.evtx", [event(record_id=1)])
    roots = [LogRoot(tmp_path / "logs", "prefix")]
    for _ in range(2):  # built, then opened
        assert log_paths(build(roots)) == [str(tmp_path / "logs" / "a.evtx")]
    with pytest.raises(StoreError, match="not known where the log files"):
        log_paths(EventStore.from_documents([]))
