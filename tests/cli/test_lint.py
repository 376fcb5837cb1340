"""`sigma-env lint`: exit statuses, text, JSON and SARIF."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.sigma.lint import pysigma
from sigma_env.sigma.lint.checks import CHECKS

Output = pytest.CaptureFixture[str]

SOUND = """title: Whoami
id: 5a1b2c3d-0000-4000-8000-000000000001
description: Somebody asks who they are.
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    CommandLine|contains: 'whoami'
  condition: selection
"""
TYPO = SOUND.replace("CommandLine|contains", "Imag|endswith").replace("000001", "000002").replace("Whoami", "A typo")
NOTED = SOUND.replace("'whoami'", "'É'").replace("000001", "000003").replace("Whoami", "A letter")


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my rules"
    folder.mkdir()
    for name, text in (("sound", SOUND), ("typo", TYPO), ("noted", NOTED)):
        (folder / f"{name}_in_a_folder.yml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return Path("my rules")


def test_a_finding_has_file_line_level_check_message_and_fix(rules: Path, capsys: Output) -> None:
    assert run(["lint", str(rules / "typo_in_a_folder.yml")]) == 1
    captured = capsys.readouterr()
    first, *_ = captured.out.splitlines()
    assert first.startswith("my rules/typo_in_a_folder.yml:7: note: [chainsaw-differs] its mapping lacks Imag ")
    assert captured.out.splitlines()[1] == (
        "my rules/typo_in_a_folder.yml:9: warning: [unknown-field] no selected event has a field 'Imag'; "
        "the nearest is 'Image' — write 'Image'"
    )
    assert captured.err == "1 rule: 0 errors, 1 warning, 1 note\n"


def test_exit_statuses(rules: Path, capsys: Output) -> None:
    sound, noted, typo = (str(rules / f"{name}_in_a_folder.yml") for name in ("sound", "noted", "typo"))
    assert run(["lint", sound]) == 0
    assert capsys.readouterr().out == ""
    assert run(["lint", noted]) == 0
    assert run(["lint", noted, "--strict"]) == 1
    assert run(["lint", noted, "--strict", "--level", "warning"]) == 0
    assert run(["lint", typo]) == 1
    assert run(["lint", typo, "--level", "error"]) == 0
    assert run(["lint", typo, "--ignore", "unknown-field"]) == 0
    broken = rules / "broken.yml"
    broken.write_text("detection: [\n", encoding="utf-8")
    assert run(["lint", str(broken), "--level", "error"]) == 1


@pytest.mark.parametrize(
    "arguments", [["nothing.yml"], ["my rules", "--ignore", "nonsense"], ["my rules", "--json", "--sarif", "-"], []]
)
def test_usage_errors(rules: Path, capsys: Output, arguments: list[str]) -> None:
    assert run(["lint", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_json(rules: Path, capsys: Output) -> None:
    assert run(["lint", str(rules), "--json", "--level", "warning"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "rules": 3,
        "findings": [
            {
                "file": "my rules/typo_in_a_folder.yml",
                "line": 9,
                "column": 5,
                "rule": "5a1b2c3d-0000-4000-8000-000000000002",
                "check": "unknown-field",
                "level": "warning",
                "message": "no selected event has a field 'Imag'; the nearest is 'Image'",
                "fix": "write 'Image'",
            }
        ],
    }


def test_sarif_has_what_its_schema_requires(rules: Path, capsys: Output) -> None:
    assert run(["lint", str(rules), "--sarif", "-"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    [one] = log["runs"]
    driver = one["tool"]["driver"]
    assert driver["name"] == "sigma-env lint"
    ids = [rule["id"] for rule in driver["rules"]]
    assert ids[: len(CHECKS)] == list(CHECKS)
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in driver["rules"])
    for result in one["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
    [typo] = [result for result in one["results"] if result["ruleId"] == "unknown-field"]
    assert typo["level"] == "warning"
    assert typo["message"]["text"].startswith("no selected event has a field 'Imag'")
    assert typo["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "my%20rules/typo_in_a_folder.yml"},
                "region": {"startLine": 9, "startColumn": 5},
            }
        }
    ]


def test_sarif_into_a_file_beside_the_text(rules: Path, capsys: Output, tmp_path: Path) -> None:
    assert run(["lint", str(tmp_path / rules), "--sarif", "lint.sarif"]) == 1
    assert "[unknown-field]" in capsys.readouterr().out
    [one] = json.loads(Path("lint.sarif").read_text(encoding="utf-8"))["runs"]
    [uri] = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in one["results"]
        if result["ruleId"] == "unknown-field"
    }
    assert uri == (tmp_path / rules / "typo_in_a_folder.yml").as_uri()


def test_pysigmas_checks_can_be_left_out_and_are_if_it_is_not_there(
    rules: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = rules / "twice_in_a_folder.yml"
    twice.write_text(SOUND, encoding="utf-8")
    assert run(["lint", str(rules)]) == 1
    assert "[pysigma/identifier-collision]" in capsys.readouterr().out
    for ignored in ("pysigma", "pysigma/identifier-collision"):
        run(["lint", str(rules), "--ignore", ignored])
        assert "[pysigma/identifier-collision]" not in capsys.readouterr().out
    monkeypatch.setattr(pysigma, "pysigma_is_installed", lambda: False)
    run(["lint", str(rules)])
    captured = capsys.readouterr()
    assert "pysigma/" not in captured.out
    assert "pySigma is not installed: its checks are left out" in captured.err
