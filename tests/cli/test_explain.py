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
