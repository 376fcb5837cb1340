"""`sigma-env index`: what the logs hold, and what could not be read of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.events.binxml import string
from sigma_env.events.writer import Event, EvtxWriter


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        with EvtxWriter(folder / f"{name}.evtx") as log:
            for number in (1, 2):
                log.write(
                    Event(
                        provider="P",
                        event_id=number,
                        time=datetime(2026, 3, number, 8, 15, 30, tzinfo=UTC),
                        record_id=number,
                        channel="System",
                        computer="PC",
                        data=[("Text", string(text))],
                    )
                )
    return folder


def test_it_tells_files_events_and_aliases(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["index", str(logs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "2 files (1 more have the same content), 4 events, 2026-03-01 08:15:30 to 2026-03-02 08:15:30 UTC"
    )
    assert [line.split() for line in lines[1:4]] == [
        ["2", "events", "a.evtx"],
        ["=", "b.evtx"],
        ["2", "events", "c.evtx"],
    ]
    assert [line.split() for line in lines[5:8]] == [
        ["events", "EventID", "channel"],
        ["2", "1", "System"],
        ["2", "2", "System"],
    ]


def test_it_names_what_it_could_not_read(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "empty\x1b[31m.evtx").touch()
    assert run(["index", str(logs)]) == 0
    shown = capsys.readouterr().out
    assert "not read (1):\n  empty\\x1b[31m.evtx: the file is empty\n" in shown
    assert "\x1b" not in shown


def test_json_has_it_all(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "empty.evtx").touch()
    assert run(["index", "--json", str(logs)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["events"] == 4
    assert shown["first"] == "2026-03-01T08:15:30+00:00"
    assert [(f["name"], f["aliases"], f["events"]) for f in shown["files"]] == [
        ("a.evtx", ["b.evtx"], 2),
        ("c.evtx", [], 2),
        ("empty.evtx", [], 0),
    ]
    assert [(p["channel"], p["event_id"], p["events"]) for p in shown["partitions"]] == [
        ("System", 1, 2),
        ("System", 2, 2),
    ]
    assert "Text" in shown["partitions"][0]["fields"]
    assert shown["unreadable"] == [{"file": "empty.evtx", "position": None, "reason": "the file is empty"}]


def test_many_files_are_listed_on_request(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        (logs / f"{number}.jsonl").touch()
        (logs / f"{number}.evtx").write_bytes(b"junk%d" % number)
    run(["index", str(logs)])
    assert "= b.evtx" not in capsys.readouterr().out
    run(["index", "--files", str(logs)])
    assert "= b.evtx" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no log"])
def test_it_fails_if_nothing_could_be_read(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.evtx").write_bytes(content)
    assert run(["index", str(tmp_path / "a.evtx")]) == 1
    assert "not read (1)" in capsys.readouterr().out


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["index", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'}: No such file")


def test_no_path_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["index"]) == 2
    assert "PATH" in capsys.readouterr().err
