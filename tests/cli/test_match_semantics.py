"""`sigma-env match --semantics`: what rules mean is chosen on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli._app import run

SYSMON = "Microsoft-Windows-Sysmon"
RULE = """
title: Without its filter's field
id: 00000000-0000-0000-0000-00000000000c
description: d
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '.exe', EventID: 1}
  filter: {User: system}
  condition: selection and not filter
"""
WINDASH = """
title: Dash
id: dash
description: d
logsource: {category: process_creation}
detection: {s: {CommandLine|windash: '-x'}, condition: s}
"""


def document(number: int, **data: str) -> dict[str, Any]:
    system = {
        "Provider_attributes": {"Name": SYSMON},
        "Channel": f"{SYSMON}/Operational",
        "EventID": 1,
        "EventRecordID": number,
        "TimeCreated_attributes": {"SystemTime": f"2026-03-01T12:00:0{number}.5Z"},
    }
    return {"Event": {"System": system, "EventData": data}}


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "filtered.yml").write_text(RULE)
    (tmp_path / "rules" / "windash.yml").write_text(WINDASH)
    events = [document(1, Image="a.exe"), document(2, Image="B.EXE", User="bob"), document(3, Image="c", User="bob")]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, events)))
    return ["match", "--rules", str(tmp_path / "rules"), "--logs", str(tmp_path / "log.jsonl")]


@pytest.mark.parametrize(("semantics", "records"), [("sigma", [1, 2]), ("chainsaw", [2])])
@pytest.mark.parametrize("again", [False, True], ids=["first", "from-the-cache"])
def test_each_meaning_has_its_matches(
    arguments: list[str], semantics: str, records: list[int], again: bool, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    line = [*arguments, "--semantics", semantics]
    if again:
        assert run(line) == 0
        capfdbinary.readouterr()
    assert run(line) == 0
    printed, said = capfdbinary.readouterr()
    found = [json.loads(one) for one in printed.splitlines()]
    assert [one["event_record_id"] for one in found] == records
    assert (b"unsupported modifiers - windash" in said) == (semantics == "chainsaw")


def test_what_matched_is_said_in_chainsaw_s_patterns(
    arguments: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run([*arguments, "--semantics", "chainsaw"]) == 0
    (found,) = [json.loads(one) for one in capfdbinary.readouterr().out.splitlines()]
    assert found["matched_on"] == [
        {"selection": "selection", "field": "Image", "value": "B.EXE", "pattern": "*.exe"},
        {"selection": "selection", "field": "EventID", "value": "1", "pattern": "1"},
    ]


def test_an_unknown_meaning_is_a_usage_error(arguments: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run([*arguments, "--semantics", "splunk"]) == 2
    assert b"unknown semantics" in capfdbinary.readouterr().err
