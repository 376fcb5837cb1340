"""`sigma-env explain`: a rule on one event, as a tree."""

import io
import json
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from tests.cli.test_match import EVENTS, RULES, document

Output = pytest.CaptureFixture[str]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rule.yml").write_text(RULES["cmd.yml"])
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(document(i, e)) for i, e in enumerate(EVENTS)))
    return tmp_path


def test_the_tree_of_an_event_that_a_filter_excludes(at: Path, capsys: Output) -> None:
    assert run(["explain", "--rule", str(at / "rule.yml"), "--event", f"{at}/log.jsonl:101"]) == 3
    shown = capsys.readouterr().out
    assert "✓ logsource process_creation/windows/- selects Microsoft-Windows-Sysmon/Operational 1" in shown
    assert r"✓ Image|endswith: '\cmd.exe' (1 of 2 hold, one needed) — Image is 'C:\cmd.exe'" in shown
    assert "✗ not" in shown
    assert "✓ User: 'system' — User is 'SYSTEM'" in shown
    assert shown.endswith("no match\n")


def test_a_match(at: Path, capsys: Output) -> None:
    assert run(["explain", "--rule", str(at / "rule.yml"), "--event", f"{at}/log.jsonl:100:0"]) == 0
    assert capsys.readouterr().out.endswith("\nmatch\n")


def test_an_absent_field_is_said_to_be_absent(at: Path, capsys: Output) -> None:
    run(["explain", "--rule", str(at / "rule.yml"), "--event", "log.jsonl:102", "--logs", str(at / "log.jsonl")])
    assert "✗ CommandLine|contains: 'whoami' — the event has no CommandLine" in capsys.readouterr().out


def test_json(at: Path, capsys: Output) -> None:
    run(["explain", "--rule", str(at / "rule.yml"), "--event", f"{at}/log.jsonl:101", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["event"], shown["matches"], shown["logsource"]["selects"]) == ("log.jsonl:101:1", False, True)
    selection, negation = shown["condition"]["children"]
    assert (selection["name"], selection["holds"]) == ("selection", True)
    assert (negation["kind"], negation["holds"]) == ("not", False)


def test_a_logsource_that_does_not_select_the_event(at: Path, capsys: Output) -> None:
    rule = RULES["cmd.yml"].replace("process_creation", "process_craetion")
    (at / "rule.yml").write_text(rule)
    assert run(["explain", "--rule", str(at / "rule.yml"), "--event", f"{at}/log.jsonl:100"]) == 3
    assert "✗ logsource process_craetion/windows/- does not select" in (shown := capsys.readouterr().out)
    assert "the nearest is 'process_creation'" in shown


def test_a_model_s_answer_from_stdin(at: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"<think>hm</think>\n```yaml\n{RULES['cmd.yml']}\n```"))
    assert run(["explain", "--rule", "-", "--event", f"{at}/log.jsonl:100"]) == 0
    assert "rule  answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "event", "status", "said"),
    [
        ("nowhere.yml", "log.jsonl:100", 2, "nowhere.yml"),
        ("rule.yml", "nowhere.evtx:1", 2, "nowhere.evtx"),
        ("rule.yml", "log.jsonl:7", 1, "7"),
        ("log.jsonl", "log.jsonl:100", 1, "log.jsonl"),
    ],
)
def test_errors_name_what_is_wrong(at: Path, capsys: Output, rule: str, event: str, status: int, said: str) -> None:
    assert run(["explain", "--rule", str(at / rule), "--event", f"{at}/{event}"]) == status
    assert said in capsys.readouterr().err


CHAINSAW = """title: t
id: 7a000000-0000-4000-8000-000000000001
description: d
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\\cmd.exe'}
  filter: {Company: x}
  condition: selection and not filter
"""


@pytest.fixture
def sysmon(at: Path) -> Path:
    system = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "EventRecordID": 7,
        "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"},
        "TimeCreated_attributes": {"SystemTime": "2026-01-01T00:00:00.000000Z"},
    }
    (at / "sysmon.jsonl").write_text(json.dumps({"Event": {"System": system, "EventData": {"Image": "C:\\cmd.exe"}}}))
    (at / "chainsaw.yml").write_text(CHAINSAW)
    return at


def asked(at: Path, *more: str) -> list[str]:
    return ["explain", "--rule", str(at / "chainsaw.yml"), "--event", f"{at}/sysmon.jsonl:7", *more]


TREE = r"""✗ all of, in this order: the first that is not ✓ is the result
├─ ✓ selection › Image: '*\cmd.exe' — Image is 'C:\cmd.exe'
└─ ✗ not: what is missing stays without a match
   └─ – filter › Company: 'x' — the event has no Company
no match
by the specification: match; the difference is made by missing (a test on an absent field"""


def test_chainsaw_s_meaning_has_its_own_tree_and_names_the_switch(sysmon: Path, capsys: Output) -> None:
    assert run(asked(sysmon)) == 0
    assert capsys.readouterr().out.endswith("\nmatch\n")
    assert run(asked(sysmon, "--semantics", "chainsaw")) == 3
    shown = capsys.readouterr().out
    assert "by    Chainsaw's meaning\n" in shown
    assert "✓ Chainsaw's precondition for logsource process_creation/windows/- lets through" in shown
    assert TREE in shown


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_the_program_s_matches_are_explained_by_its_meaning(
    sysmon: Path, capsys: Output, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = asked(sysmon, "--engine", "chainsaw")
    if source == "stdin":
        monkeypatch.setattr("sys.stdin", io.StringIO(CHAINSAW))
        arguments[2] = "-"
    assert run(arguments) == 3
    shown = capsys.readouterr().out
    assert "Chainsaw's meaning; the program was not run: its meaning in the native engine explains it" in shown
    assert TREE in shown


def test_chainsaw_s_meaning_as_json(sysmon: Path, capsys: Output) -> None:
    assert run(asked(sysmon, "--semantics", "chainsaw", "--json")) == 3
    shown = json.loads(capsys.readouterr().out)
    assert (shown["matches"], shown["specification_matches"], shown["difference"]) == (False, True, ["missing"])
    selection, negation = shown["condition"]["children"]
    assert selection == {
        "kind": "field",
        "result": True,
        "selection": "selection",
        "line": "Image: '*\\cmd.exe'",
        "seen": ["C:\\cmd.exe"],
        "held": ["*\\cmd.exe"],
    }
    assert (negation["kind"], negation["result"], negation["children"][0]["result"]) == ("not", False, None)


@pytest.mark.parametrize("option", [("--semantics", "chainsaw"), ("--engine", "chainsaw")])
def test_a_rule_that_chainsaw_does_not_run_names_reason_and_switch(
    sysmon: Path, capsys: Output, option: tuple[str, str]
) -> None:
    (sysmon / "chainsaw.yml").write_text(CHAINSAW.replace("endswith", "windash"))
    assert run(asked(sysmon, *option)) == 1
    said = capsys.readouterr().err
    assert "Chainsaw does not run it: unsupported modifiers - windash; it is a rule by the specification" in said
    assert "few-modifiers (" in said


def test_a_file_that_is_no_rule_to_chainsaw(sysmon: Path, capsys: Output) -> None:
    (sysmon / "chainsaw.yml").write_text(CHAINSAW.replace("description: d\n", ""))
    assert run(asked(sysmon, "--semantics", "chainsaw")) == 1
    assert "no title or no description" in (said := capsys.readouterr().err)
    assert "description (" in said
    (sysmon / "chainsaw.yml").write_text(f"{CHAINSAW}---\n{CHAINSAW.replace('0001', '0002')}")
    assert run(asked(sysmon, "--semantics", "chainsaw")) == 2
    assert "has 2 rules; choose one with --id" in capsys.readouterr().err
    one = ("--id", "7a000000-0000-4000-8000-000000000002")
    assert run(asked(sysmon, "--semantics", "chainsaw", *one)) == 3
    assert run(["explain", "--rule", "nowhere.yml", "--event", "x.evtx:1", "--semantics", "chainsaw"]) == 2
    assert run(asked(sysmon, "--semantics", "sygma")) == 2
