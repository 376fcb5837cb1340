"""`sigma-env match`: many rules over logs, as a hunting tool."""

import json
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli._app import run

SYSMON = "Microsoft-Windows-Sysmon/Operational"

RULES = {
    "cmd.yml": r"""
title: Shell
id: 00000000-0000-0000-0000-00000000000b
level: high
status: stable
tags: [attack.execution, attack.t1059.003]
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: ['\cmd.exe', '\command.com'], CommandLine|contains: whoami}
  filter: {User: system}
  condition: selection and not filter
""",
    "b/any.yaml": r"""
title: Any process
level: low
status: test
tags: [attack.discovery]
logsource: {category: process_creation}
detection:
  one: {Image|exists: true}
  other: {Image|endswith: '\cmd.exe'}
  condition: 1 of them
""",
    "linux.yml": "{title: L, id: lin, logsource: {product: linux}, detection: {s: {a: b}, condition: s}}",
    "broken.yml": "{title: B, id: bro, logsource: {product: windows}, detection: {s: {a: b}, condition: s and}}",
}
EVENTS = [
    {"Image": r"C:\cmd.exe", "CommandLine": "cmd /c WHOAMI", "User": "bob", "Computer": "PC1"},
    {"Image": r"C:\cmd.exe", "CommandLine": "cmd /c whoami", "User": "SYSTEM"},
    {"Image": r"C:\note.exe"},
]


def document(number: int, data: dict[str, Any]) -> dict[str, Any]:
    system = {"Channel": SYSMON, "EventID": 1, "EventRecordID": 100 + number, "Computer": data.get("Computer", "PC2")}
    system["TimeCreated_attributes"] = {"SystemTime": f"2026-03-01T12:00:0{number}.5Z"}
    return {"Event": {"System": system, "EventData": {k: v for k, v in data.items() if k != "Computer"}}}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    for name, text in RULES.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(document(i, e)) for i, e in enumerate(EVENTS)))
    return tmp_path


Output = pytest.CaptureFixture[str]


def lines(at: Path, capsys: Output, *options: str) -> list[dict[str, Any]]:
    status = run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--jsonl", *options])
    assert status == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestLines:
    def test_a_line_per_match_sorted_by_file_position_and_rule(self, at: Path, capsys: Output) -> None:
        found = [(line["position"], line["rule_id"]) for line in lines(at, capsys)]
        shell = "00000000-0000-0000-0000-00000000000b"
        assert found == [(0, shell), (0, "any"), (1, "any"), (2, "any")]

    def test_the_keys(self, at: Path, capsys: Output) -> None:
        first = lines(at, capsys)[0]
        assert first == {
            "rule_id": "00000000-0000-0000-0000-00000000000b",
            "title": "Shell",
            "rule_path": str(at / "rules" / "cmd.yml"),
            "level": "high",
            "file": "log.jsonl",
            "event_record_id": 100,
            "position": 0,
            "time": "2026-03-01T12:00:00.500000Z",
            "computer": "PC1",
            "channel": SYSMON,
            "event_id": 1,
            "matched_on": [
                {"selection": "selection", "field": "Image", "value": r"C:\cmd.exe", "pattern": r"\cmd.exe"},
                {"selection": "selection", "field": "CommandLine", "value": "cmd /c WHOAMI", "pattern": "whoami"},
            ],
        }

    def test_only_branches_that_hold_are_what_matched(self, at: Path, capsys: Output) -> None:
        on_note = lines(at, capsys)[-1]["matched_on"]
        assert [(one["selection"], one["field"]) for one in on_note] == [("one", "Image")]

    def test_the_id_falls_back_to_the_stem(self, at: Path, capsys: Output) -> None:
        assert {line["rule_id"] for line in lines(at, capsys) if line["title"] == "Any process"} == {"any"}

    def test_the_second_run_from_the_cache_prints_the_same(self, at: Path, capsys: Output) -> None:
        assert lines(at, capsys) == lines(at, capsys)


class TestFilters:
    @pytest.mark.parametrize(
        ("options", "ids"),
        [
            (["--level", "HIGH"], {"00000000-0000-0000-0000-00000000000b"}),
            (["--level", "high", "--level", "low"], {"00000000-0000-0000-0000-00000000000b", "any"}),
            (["--status", "test"], {"any"}),
            (["--tag", "attack.t1059"], {"00000000-0000-0000-0000-00000000000b"}),
            (["--tag", "attack.discovery"], {"any"}),
            (["--id", "any"], {"any"}),
        ],
    )
    def test_rules(self, at: Path, capsys: Output, options: list[str], ids: set[str]) -> None:
        assert {line["rule_id"] for line in lines(at, capsys, *options)} == ids

    def test_from_is_inclusive_and_to_exclusive(self, at: Path, capsys: Output) -> None:
        times = ["--from", "2026-03-01T12:00:00.5Z", "--to", "2026-03-01T13:00:01.5+01:00", "--id", "any"]
        assert [line["position"] for line in lines(at, capsys, *times)] == [0]

    def test_a_tag_is_not_matched_in_the_middle_of_a_word(self, at: Path) -> None:
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--tag", "attack.t10"]) == 1


class TestForms:
    def test_count(self, at: Path, capsys: Output) -> None:
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--count"]) == 0
        shown = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [(row[0], row[3]) for row in shown] == [("3", "Any process"), ("1", "Shell")]

    def test_table_shows_values_as_they_are(self, at: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "250")
        hostile = {"Image": r"C:\[red]\cmd.exe", "CommandLine": "whoami"}
        (at / "log.jsonl").write_text(json.dumps(document(0, hostile)))
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--table"]) == 0
        shown = capsys.readouterr().out
        assert r"C:\[red]\cmd.exe" in shown
        assert "2 matches of 2 rules" in shown

    def test_one_form_at_a_time(self, at: Path) -> None:
        arguments = ["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl")]
        assert run([*arguments, "--table", "--count"]) == 2


class TestLosses:
    def test_rules_that_were_not_run_are_named(self, at: Path, capsys: Output) -> None:
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--jsonl"]) == 0
        shown = capsys.readouterr().err
        assert "linux.yml: not run: product 'linux' has no Windows events" in shown
        assert "broken.yml: not run: " in shown

    def test_the_report(self, at: Path) -> None:
        (at / "more.evtx").write_bytes(b"no log")
        logs = ["--logs", str(at / "log.jsonl"), "--logs", str(at / "more.evtx")]
        assert run(["match", "--rules", str(at / "rules"), *logs, "--report", str(at / "report.json")]) == 0
        report = json.loads((at / "report.json").read_text())
        assert report["rules_run"] == 2
        assert [one["rule_id"] for one in report["not_run"]] == ["bro", "lin"]
        assert all(one["path"] and one["reason"] for one in report["not_run"])
        assert [one["file"] for one in report["unreadable"]] == ["more.evtx"]
        assert (report["events"], report["matches"]) == (3, 4)
        assert set(report["seconds"]) == {"rules", "events", "match", "output"}


class TestStatus:
    def test_1_if_no_rule_was_run(self, at: Path, capsys: Output) -> None:
        assert run(["match", "--rules", str(at / "rules" / "linux.yml"), "--logs", str(at / "log.jsonl")]) == 1
        assert "no rule was run" in capsys.readouterr().err

    def test_1_if_no_log_was_readable(self, at: Path, capsys: Output) -> None:
        (at / "bad.evtx").write_bytes(b"no log")
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "bad.evtx")]) == 1
        assert "bad.evtx" in capsys.readouterr().err

    def test_an_empty_folder_of_logs_is_an_error_that_names_it(self, at: Path, capsys: Output) -> None:
        (at / "empty").mkdir()
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "empty")]) == 1
        assert str(at / "empty") in capsys.readouterr().err

    @pytest.mark.parametrize(
        "wrong",
        [["--rules", "nowhere"], ["--logs", "nowhere"], ["--from", "yesterday"], ["--engine", "other"], ["--what"]],
    )
    def test_2_for_a_usage_error(self, at: Path, wrong: list[str]) -> None:
        assert run(["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), *wrong]) == 2

    def test_3_if_asked_to_fail_on_a_match(self, at: Path) -> None:
        arguments = ["match", "--rules", str(at / "rules"), "--logs", str(at / "log.jsonl"), "--fail-on-match"]
        assert run(arguments) == 3
        assert run([*arguments, "--from", "2027-01-01"]) == 0
