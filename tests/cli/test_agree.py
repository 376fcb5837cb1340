"""`sigma-env agree`: where two meanings part, as a table and as JSON, and when that is a failure."""

import json
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli._app import run
from sigma_env.engines import choose
from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import INPUTS, logs, matches_of

HEAD = "title: {0}\nid: {0}\ndescription: d\nlogsource: {{category: process_creation, product: windows}}\n"
RULES = {
    "equal": r"detection: {a: {Image|endswith: '\cmd.exe'}, condition: a}",
    "dashes": "detection: {a: {CommandLine|windash|contains: ' -c'}, condition: a}",
    "order": r"detection: {a: {Image: x}, b: {Image: y}, c: {CommandLine: z}, condition: a or b and c}",
    "broken": "detection: {a: {Image: x}, condition: b}",
}
EVENTS = [{"Image": r"C:\cmd.exe", "CommandLine": "cmd -c x"}, {"Image": "x", "CommandLine": "-"}]


def document(number: int, data: dict[str, Any]) -> dict[str, Any]:
    name = "Microsoft-Windows-Sysmon"
    system: dict[str, Any] = {
        "Channel": f"{name}/Operational",
        "EventID": 1,
        "EventRecordID": 100 + number,
        "Computer": "PC",
    }
    system["TimeCreated_attributes"] = {"SystemTime": "2026-03-01T12:00:00Z"}
    return {"Event": {"System": {**system, "Provider_attributes": {"Name": name}}, "EventData": data}}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rules").mkdir()
    for name, text in RULES.items():
        (tmp_path / "rules" / f"{name}.yml").write_text(HEAD.format(name) + text)
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(document(i, e)) for i, e in enumerate(EVENTS)))
    return tmp_path


Output = pytest.CaptureFixture[str]


def agree(at: Path, *options: str, rules: str = "rules") -> int:
    return run(["agree", "--rules", str(at / rules), "--logs", str(at / "log.jsonl"), *options])


def test_the_json_has_every_difference_with_its_cause_and_its_events(at: Path, capsys: Output) -> None:
    assert agree(at, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["events"] == 2
    assert said["rules"] == {"equal": 1, "different": 1, "only_sigma_runs": 1, "only_chainsaw_runs": 0, "not_run": 1}
    by_id = {row["rule_id"]: row for row in said["differences"]}
    assert set(by_id) == {"dashes", "order"}
    assert by_id["dashes"] == {
        "rule_id": "dashes",
        "title": "dashes",
        "path": str(at / "rules" / "dashes.yml"),
        "verdict": "only_sigma_runs",
        "cause": ["few-modifiers"],
        "reason": "unsupported modifiers - windash",
        "matches": {"sigma": 1, "chainsaw": None},
        "only_sigma": [{"file": "log.jsonl", "event_record_id": 100, "position": 0}],
        "only_chainsaw": [],
    }
    assert by_id["order"]["cause"] == ["precedence"]
    assert [event["event_record_id"] for event in by_id["order"]["only_sigma"]] == [101]
    assert [row["rule_id"] for row in said["not_run"]] == ["broken"]
    assert said["unreadable"] == []
    assert {"cause": ["precedence"], "verdict": "different", "rules": 1, "only_sigma": 1, "only_chainsaw": 0} in said[
        "causes"
    ]


FOREIGN = {
    "linux": ("{category: process_creation, product: linux}", "product 'linux' has no Windows events"),
    "web": ("{category: webserver}", "unknown category 'webserver' selects no event"),
    "unknown": ("{category: process_creations, product: windows}", None),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_rule_that_is_not_for_windows_is_not_run(name: str, at: Path, capsys: Output) -> None:
    """Chainsaw knows no product: it would find this rule's file name in events of Windows."""
    logsource, reason = FOREIGN[name]
    text = HEAD.format(name).replace("{category: process_creation, product: windows}", logsource) + RULES["equal"]
    path = at / "foreign.yml"
    path.write_text(text)
    if reason is None:  # a slip in a rule for Windows is a difference
        assert agree(at, "--json", rules="foreign.yml") == 0
    else:
        assert agree(at, "--json", rules="foreign.yml") == 1
        captured = capsys.readouterr()
        assert json.loads(captured.out)["differences"] == []
        [left_out] = json.loads(captured.out)["not_run"]
        assert (left_out["rule_id"], left_out["path"]) == (name, str(path))
        assert left_out["reason"].startswith(reason)
        assert f"{path}: not run: {reason}" in captured.err
        assert agree(at, "--json", "--any-product", rules="foreign.yml") == 0
    [difference] = json.loads(capsys.readouterr().out)["differences"]
    assert difference["cause"] == ["preconditions"]
    assert [event["event_record_id"] for event in difference["only_chainsaw"]] == [100]


@pytest.mark.usefixtures("everything")
def test_the_real_program_is_not_given_rules_for_other_products(at: Path, capsys: Output) -> None:
    path = at / "rules" / "equal.yml"
    path.write_text(path.read_text().replace("product: windows", "product: linux"))
    assert agree(at, "--engine", "chainsaw", "--json", rules="rules/equal.yml") == 1
    captured = capsys.readouterr()
    assert "not run: product 'linux'" in captured.err
    assert json.loads(captured.out)["differences"] == []
    agree(at, "--engine", "chainsaw", "--any-product", "--json", rules="rules/equal.yml")
    assert len(json.loads(capsys.readouterr().out)["differences"]) == 1


def test_the_recorded_count_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    """The specification's meaning has no aggregations; Chainsaw's finds what the real program was recorded to find."""
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    [expected] = matches_of("count-rule").values()
    logs(tmp_path, "sim.evtx")
    arguments = ["--rules", str(INPUTS / "count" / "count.yml"), "--logs", str(tmp_path / "inputs"), "--json"]
    assert run(["agree", *arguments]) == 0
    [difference] = json.loads(capsys.readouterr().out)["differences"]
    assert difference["verdict"] == "only_chainsaw_runs"
    assert difference["cause"] == ["count"]
    found = [(f"inputs/{event['file']}", event["event_record_id"]) for event in difference["only_chainsaw"]]
    assert len(found) == 85
    assert set(found) == expected


def test_the_table_counts_the_causes_before_it_lists_the_rules(at: Path, capsys: Output) -> None:
    assert agree(at) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "1 rules same events on both sides"
    cause = lines.index("precedence 1 1 0 run by both, with different events")
    rule = lines.index("order 1 0 precedence")
    assert cause < rule
    assert "dashes 1 not run few-modifiers unsupported modifiers - windash" in lines


class Everything(NativeEngine):
    """An engine that matches what no meaning does."""

    name = "chainsaw"

    def match(self, rules: list[Rule], store: EventStore) -> list[Any]:  # type: ignore[override]
        return [Matches.from_rows(store, range(store.n_events)) for _ in rules]


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "make_engine", lambda *_: Everything())


@pytest.mark.usefixtures("everything")
def test_a_difference_without_a_cause_fails_until_a_baseline_has_it(at: Path, capsys: Output) -> None:
    assert agree(at, "--engine", "chainsaw", "--json") == 3
    captured = capsys.readouterr()
    assert f"{at / 'rules' / 'equal.yml'}: equal: differs without a known cause" in captured.err
    known = at / "known.json"
    known.write_text(captured.out)
    assert agree(at, "--engine", "chainsaw", "--baseline", str(known)) == 0
    assert "no known cause" in capsys.readouterr().out


@pytest.mark.usefixtures("everything")
def test_a_baseline_accepts_the_events_that_it_has_and_no_others(at: Path, capsys: Output) -> None:
    agree(at, "--engine", "chainsaw", "--json")
    content = json.loads(capsys.readouterr().out)
    for row in content["differences"]:
        if row["rule_id"] == "equal":
            row["only_chainsaw"].clear()
    (at / "known.json").write_text(json.dumps(content))
    assert agree(at, "--engine", "chainsaw", "--baseline", str(at / "known.json")) == 3
    said = [line for line in capsys.readouterr().err.splitlines() if "not run" not in line]
    assert said == [f"{at / 'rules' / 'equal.yml'}: equal: differs without a known cause"]


def test_a_file_that_is_no_baseline_is_a_usage_error(at: Path, capsys: Output) -> None:
    (at / "known.json").write_text('{"differences": [1]}')
    assert agree(at, "--baseline", str(at / "known.json")) == 2
    assert "is not what sigma-env agree --json prints" in " ".join(capsys.readouterr().err.split())
    assert agree(at, "--baseline", str(at / "none.json")) == 2


def test_a_wrong_choice_is_a_usage_error(at: Path, capsys: Output) -> None:
    assert agree(at, "--engine", "other") == 2
    assert agree(at, rules="nowhere") == 2
    assert "no rule file or folder" in capsys.readouterr().err


def test_without_a_rule_that_runs_nothing_was_compared(at: Path, capsys: Output) -> None:
    assert agree(at, rules="rules/broken.yml") == 1
    assert "no rule was run" in capsys.readouterr().err
