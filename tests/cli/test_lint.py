"""`sigma-env lint`: exit statuses, text, JSON and SARIF."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from sigma_env.cli._app import run
from sigma_env.sigma.lint import pysigma
from sigma_env.sigma.lint.checks import CHECKS
from tests.cli.sarif import faults, file_of
from tests.engines.chainsaw.recordings import INPUTS

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

FAULTY = {
    b"sp ace.yml": TYPO.encode(),
    b"per%20cent#?.yml": TYPO.encode(),
    "é😀.yml".encode(): TYPO.encode(),
    b"co:lon'\".yml": TYPO.encode(),
    b"line\nend.yml": TYPO.encode(),
    b"no-text-\xff.yml": TYPO.encode(),
    b"dos.yml": TYPO.replace("\n", "\r\n").encode(),
    b"lines.yml": ("# a\u2028b\x85\n" + TYPO).encode(),
    b"hostile.yml": TYPO.replace("Imag", '"Im\\0\\n\\u2028\\u202e\\U0001f600"').encode(),
    b"surrogate.yml": TYPO.replace("Imag", '"Im\\ud800"').encode(),
    b"empty.yml": b"",
    b"binary.yml": bytes(range(256)),
    b"linux.yml": TYPO.replace("windows", "linux").encode(),
    b"several.yml": f"{TYPO}---\n{TYPO}---\n[".encode(),
}


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


def test_sarif(rules: Path, capsys: Output) -> None:
    assert run(["lint", str(rules), "--sarif", "-"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert faults(log, Path()) == []
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    [one] = log["runs"]
    driver = one["tool"]["driver"]
    assert driver["name"] == "sigma-env lint"
    assert [rule["id"] for rule in driver["rules"]][: len(CHECKS)] == list(CHECKS)
    levels = [rule["defaultConfiguration"]["level"] for rule in driver["rules"]]
    assert levels[: len(CHECKS)] == [check.level.value for check in CHECKS.values()]
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


def test_sarif_without_a_finding_is_a_log_without_results(rules: Path, capsys: Output) -> None:
    assert run(["lint", str(rules / "sound_in_a_folder.yml"), "--sarif", "-"]) == 0
    log = json.loads(capsys.readouterr().out)
    assert faults(log, Path()) == []
    assert log["runs"][0]["results"] == []


@pytest.mark.parametrize("absolute", [False, True])
def test_sarif_of_all_kinds_of_faulty_files(
    absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """What stands there is what the text says, each at a place that the file has."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(INPUTS, "rules", ignore=shutil.ignore_patterns("*.gz"))
    for name, content in FAULTY.items():
        Path(os.fsdecode(b"rules/" + name)).write_bytes(content)
    folder = tmp_path / "rules" if absolute else Path("rules")
    assert run(["lint", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    assert run(["lint", str(folder), "--sarif", "-"]) == 1
    text = capsys.readouterr().out
    log = orjson.loads(text)  # takes no lone surrogates
    assert faults(log, tmp_path) == []
    results = [
        (result["ruleId"], result["level"], file_of(place["artifactLocation"]["uri"], tmp_path), place["region"])
        for result in log["runs"][0]["results"]
        for place in (one["physicalLocation"] for one in result["locations"])
    ]
    assert results == [
        (one["check"], one["level"], tmp_path / one["file"], {"startLine": one["line"], "startColumn": one["column"]})
        for one in told
    ]
    assert {check for check, *_ in results} >= {
        "bad-yaml",
        "invalid-rule",
        "unsupported",
        "unknown-field",
        "not-windows",
        "chainsaw-refused",
        "chainsaw-differs",
    }
    assert {place.name for _, _, place, _ in results} >= {os.fsdecode(name) for name in FAULTY}


@pytest.mark.parametrize("text", ["[", "a: 1\nb: [1,", "a: 1\nb: [1,\n", "a: 1\r\nb: [1,\r\n", "a: 'b"])
def test_a_fault_at_the_end_is_in_the_last_line(text: str, rules: Path, capsys: Output) -> None:
    (rules / "end.yml").write_bytes(text.encode())
    assert run(["lint", str(rules / "end.yml"), "--json"]) == 1
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert finding["line"] == len(text.splitlines())
    assert finding["message"].startswith(f"line {finding['line']}: ")


def broken(log: Any, change: Callable[[Any], object]) -> list[str]:
    copy = deepcopy(log)
    change(copy["runs"][0])
    return faults(copy, Path())


def test_what_sarif_does_not_allow_is_found(rules: Path, capsys: Output) -> None:
    """That the tests above can fail."""
    run(["lint", str(rules), "--sarif", "-"])
    log = json.loads(capsys.readouterr().out)

    def place(found: Any) -> Any:
        return found["results"][0]["locations"][0]["physicalLocation"]

    def uri(text: str) -> Callable[[Any], object]:
        return lambda found: place(found)["artifactLocation"].update(uri=text)

    assert broken(log, lambda found: found.update()) == []
    assert broken(log, lambda found: found.pop("tool"))
    assert broken(log, lambda found: found.update(rules=[]))
    assert broken(log, lambda found: found["results"][0].update(level="fatal"))
    assert broken(log, lambda found: found["results"][0].update(ruleIndex=found["results"][0]["ruleIndex"] + 1))
    assert broken(log, lambda found: found["results"][0].update(ruleIndex=1_000))
    assert broken(log, lambda found: found["results"][0]["message"].update(text=""))
    assert broken(log, lambda found: found["results"][0]["locations"].clear())
    assert broken(log, lambda found: found["tool"]["driver"]["rules"].append(found["tool"]["driver"]["rules"][0]))
    assert broken(log, lambda found: place(found)["region"].update(startLine=0))
    assert broken(log, lambda found: place(found)["region"].update(startLine=True))
    assert broken(log, lambda found: place(found)["region"].update(startLine=1_000))
    assert broken(log, lambda found: place(found)["region"].update(startColumn=1_000))
    for text in (
        "",
        "my rules/typo_in_a_folder.yml",
        "/my%20rules/typo_in_a_folder.yml",
        "a:b/c.yml",
        "my%2rules",
        "x",
    ):
        assert broken(log, uri(text)), text


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
