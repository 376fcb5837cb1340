"""`sigma-env events`: events under the names that rules use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli._app import run
from sigma_env.cli._logs import printable


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


def nested(channel: str, event_id: int, record: int, data: dict[str, Any]) -> dict[str, Any]:
    system = {
        "EventID": event_id,
        "TimeCreated_attributes": {"SystemTime": f"2026-03-02T08:15:3{record}.123456Z"},
        "EventRecordID": record,
        "Channel": channel,
        "Computer": "PC-1",
    }
    return {"Event": {"System": system, "EventData": data}}


@pytest.fixture
def log(tmp_path: Path) -> str:
    events = [
        nested("System", 7045, 1, {"ServiceName": "PSEXESVC", "Data": ["a", "b\x1b[2J"], "Binary": None}),
        nested("Security", 4688, 2, {"NewProcessName": r"C:\x.exe", "ProcessId": "0x1", "NewProcessId": "0x2"}),
        nested("System", 7036, 3, {"New Name": "é", "Flag": True}),
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    return str(path)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert run(["events", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_event_is_shown_with_its_name_its_logsources_and_its_fields(
    log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", log, "--record", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "log.jsonl:1:0  2026-03-02 08:15:31.123456  PC-1  (service system)",
        "  EventID: 7045",
        "  TimeCreated_SystemTime: 2026-03-02T08:15:31.123456Z",
        "  EventRecordID: 1",
        "  Channel: System",
        "  Computer: PC-1",
        "  ServiceName: PSEXESVC",
        "  Data: a",
        "  Data: b\\x1b[2J",
        "  Binary: null",
        "",
    ]


def test_a_4688_is_also_shown_as_process_creation(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", log, "--event-id", "4688"]) == 0
    head, *fields = capsys.readouterr().out.splitlines()
    assert head.endswith("(category process_creation, service security)")
    assert fields[-8:] == [
        "  NewProcessName: C:\\x.exe",
        "  ProcessId: 0x1",
        "  NewProcessId: 0x2",
        "  as process_creation:",
        "    ProcessId: 0x2",
        "    Image: C:\\x.exe",
        "    ParentProcessId: 0x1",
        "",
    ]


def test_events_stand_in_reading_order(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [e["position"] for e in shown(capsys, log)] == [0, 1, 2]


def test_json_has_typed_values_and_the_reference(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    service, process, _ = shown(capsys, log)
    fields = service.pop("fields")
    assert service == {
        "file": "log.jsonl",
        "event_record_id": 1,
        "position": 0,
        "time": "2026-03-02T08:15:31.123456+00:00",
        "computer": "PC-1",
        "channel": "System",
        "event_id": 7045,
    }
    assert (fields["EventID"], fields["Data"], fields["Binary"]) == (7045, ["a", "b\x1b[2J"], None)
    assert process["process_creation"] == {"ProcessId": "0x2", "Image": r"C:\x.exe", "ParentProcessId": "0x1"}


@pytest.mark.parametrize(
    ("options", "records"),
    [
        (["--channel", "system"], [1, 3]),
        (["--channel", "SYSTEM", "--event-id", "7036"], [3]),
        (["--event-id", "7036", "--event-id", "4688"], [2, 3]),
        (["--record", "2", "--record", "3"], [2, 3]),
        (["--where", "ServiceName=psexe"], [1]),
        (["--where", "Data=B\x1b"], [1]),
        (["--where", "New_Name=É"], [3]),
        (["--where", "Image=x.exe", "--where", "ProcessId=0X2"], [2]),
        (["--where", "Flag=true"], [3]),
        (["--limit", "2"], [1, 2]),
        (["--limit", "0"], [1, 2, 3]),
    ],
)
def test_events_are_chosen(
    log: str, options: list[str], records: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [e["event_record_id"] for e in shown(capsys, log, *options)] == records


def test_fields_are_chosen_by_any_name_that_a_rule_may_use(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--field", "New_Name", "--field", "Image", "--field", "ProcessId", "--field", "Nothing"]
    service, process, named = shown(capsys, log, *chosen)
    assert service["fields"] == {}
    assert process["fields"] == {"Image": r"C:\x.exe", "ProcessId": "0x1"}
    assert process["process_creation"] == {"Image": r"C:\x.exe", "ProcessId": "0x2"}
    assert named["fields"] == {"New_Name": "é"}


def test_what_is_left_out_is_counted(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["events", log, "--limit", "1"])
    assert "2 more events; --limit 0 shows all" in capsys.readouterr().err


def test_what_could_not_be_read_is_a_warning(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Path(log).open("a") as stream:
        stream.write("no event\n")
    assert run(["events", log]) == 0
    assert "warning: not read: log.jsonl, record 3: no JSON" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--event-id", "5"], ["--where", "Nothing=x"], ["--channel", "S"]])
def test_no_event_is_an_error(log: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", log, *options]) == 1
    assert capsys.readouterr().err == "error: no event is as asked for\n"


@pytest.mark.parametrize(
    "options", [["--where", "x"], ["--where", "=x"], ["--limit", "-1"], ["--record", "x"], ["--event-id"]]
)
def test_wrong_options_are_usage_errors(log: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", log, *options]) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("é 1", "é 1"), ("a\tb\n", "a\\tb\\n"), ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e"), ("\x9b2J", "\\x9b2J")],
)
def test_control_characters_do_not_reach_the_terminal(text: str, expected: str) -> None:
    assert printable(text) == expected
