"""`sigma-env simulate`, as a user types it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.simulation.labels import LABELS, read_labels
from sigma_env.simulation.simulate import open_simulated
from tests.small import RULES

GOOD = [name for name in RULES if name != "names"]


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    folder = tmp_path / "rules"
    folder.mkdir()
    for name in GOOD:
        (folder / f"{name}.yml").write_text(RULES[name], encoding="utf-8")
    return folder


def simulate(rules: Path | str, out: Path, *more: str) -> int:
    return run(["simulate", "--rules", str(rules), "--out", str(out), "--background", "60", *more])


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


class TestLogs:
    def test_it_says_how_many_events_there_are_of_each_role(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert simulate(rules, tmp_path / "logs", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        labels = read_labels(tmp_path / "logs")
        assert told["rules"] == told["rules_with_events"] == len(GOOD)
        assert told["roles"] == {**dict.fromkeys(told["roles"], 0), **Counter(label.role for label in labels)}
        assert min(told["roles"].values()) > 0
        assert told["events"] == open_simulated(tmp_path / "logs").n_events

    def test_every_label_names_an_event_of_the_logs(self, rules: Path, tmp_path: Path) -> None:
        assert simulate(rules, tmp_path / "logs") == 0
        store = open_simulated(tmp_path / "logs")
        events = {(ref.file, ref.record_id) for ref in store.refs(range(store.n_events))}
        labels = read_labels(tmp_path / "logs")
        assert {(label.file, label.event_record_id) for label in labels} <= events
        assert {label.rule_id for label in labels if label.role == "positive"} >= set(GOOD)
        assert all(label.broken for label in labels if label.role in ("near_miss", "filtered"))

    def test_what_match_finds_is_what_the_labels_say(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        simulate(rules, tmp_path / "logs")
        capsys.readouterr()
        assert run(["match", "--rules", str(rules), "--logs", str(tmp_path / "logs"), "--jsonl"]) == 0
        matches = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        labels = [label for label in read_labels(tmp_path / "logs") if label.role == "positive"]
        assert {(m["rule_id"], m["file"], m["event_record_id"]) for m in matches} == {
            (label.rule_id, label.file, label.event_record_id) for label in labels
        }

    def test_json_lines_hold_the_same_events(self, rules: Path, tmp_path: Path) -> None:
        simulate(rules, tmp_path / "evtx")
        simulate(rules, tmp_path / "lines", "--format", "jsonl")
        as_lines = [
            label._replace(file=label.file[: -len("jsonl")] + "evtx") for label in read_labels(tmp_path / "lines")
        ]
        assert as_lines == read_labels(tmp_path / "evtx")

    @pytest.mark.usefixtures("rules")
    def test_a_rule_on_standard_input(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(RULES["service"]))
        assert simulate("-", tmp_path / "logs", "--background", "0") == 0
        assert {label.rule_id for label in read_labels(tmp_path / "logs")} == {"stdin"}


class TestSameBytes:
    def test_the_same_seed_in_another_process_with_other_hashes(self, rules: Path, tmp_path: Path) -> None:
        simulate(rules, tmp_path / "here", "--seed", "5")
        arguments = ["simulate", "--rules", str(rules), "--out", str(tmp_path / "there"), "--seed", "5"]
        code = "import sys; from sigma_env.cli._app import run; sys.exit(run(sys.argv[1:]))"
        subprocess.run(
            [sys.executable, "-c", code, *arguments, "--background", "60"],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": "123"},
        )
        assert digest(tmp_path / "there") == digest(tmp_path / "here")

    def test_another_seed_gives_other_logs(self, rules: Path, tmp_path: Path) -> None:
        simulate(rules, tmp_path / "one", "--seed", "1")
        simulate(rules, tmp_path / "two", "--seed", "2")
        assert digest(tmp_path / "one") != digest(tmp_path / "two")


class TestFolder:
    def test_a_folder_that_is_not_empty_is_left_alone(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "logs"
        out.mkdir()
        (out / "mine.txt").write_text("keep")
        assert simulate(rules, out) == 1
        assert "the folder is not empty; name another with --out, or replace its logs with --force" in (
            capsys.readouterr().err
        )
        assert [path.name for path in out.iterdir()] == ["mine.txt"]

    def test_force_replaces_the_logs_and_nothing_else(self, rules: Path, tmp_path: Path) -> None:
        out = tmp_path / "logs"
        simulate(rules, out)
        (out / "mine.txt").write_text("keep")
        assert simulate(rules / "service.yml", out, "--force", "--background", "0") == 0
        assert (out / "mine.txt").read_text() == "keep"
        assert {path.name for path in out.rglob("*.evtx")} == {"System.evtx"}
        assert {label.rule_id for label in read_labels(out)} == {"service"}

    def test_a_fault_leaves_no_half_logs(
        self, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sigma_env.simulation.labels.selects", lambda *_: False)
        assert simulate(rules, tmp_path / "logs") == 1
        assert "evaluator disagree" in capsys.readouterr().err
        assert not [path for path in tmp_path.rglob("*") if path.suffix == ".evtx" or path.name == LABELS]


class TestRules:
    def test_what_cannot_be_run_is_listed_with_the_reason(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (rules / "broken.yml").write_text(
            "title: Broken\nlogsource: {product: windows}\ndetection: {condition: nothing}"
        )
        path_needed = (
            RULES["service"]
            .replace("service: system", "category: process_creation")
            .replace("EventID: 7045, ImagePath|contains: powershell", "Image: no-path.exe")
        )
        (rules / "never.yml").write_text(path_needed, encoding="utf-8")
        assert simulate(rules, tmp_path / "logs", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        reasons = {one["rule_id"]: one["reason"] for one in told["not_simulated"]}
        assert reasons["broken"] == "unsupported"
        assert reasons["never"] in ("implausible value", "schema")
        assert told["rules"] == len(GOOD) + 2

    def test_rules_of_which_none_can_be_run_are_an_error(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (rules / "broken.yml").write_text("title: Broken\ndetection: 7")
        assert simulate(rules / "broken.yml", tmp_path / "logs") == 1
        assert "no rule can be run" in capsys.readouterr().err
        assert not (tmp_path / "logs").exists()

    def test_two_rules_of_one_id_are_refused(
        self, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = textwrap.dedent(RULES["service"])
        (rules / "again.yml").write_text(f"id: service\n{text}", encoding="utf-8")
        assert simulate(rules, tmp_path / "logs") == 1
        assert "id service is given to 2 rules; give each its own" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("more", "complaint"),
        [
            (["--format", "csv"], "'csv' is not served; write one of evtx, jsonl"),
            (["--background", "-1"], "background"),
        ],
    )
    def test_a_wrong_option_is_a_usage_error(
        self, rules: Path, tmp_path: Path, more: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert simulate(rules, tmp_path / "logs", *more) == 2
        assert complaint in " ".join(capsys.readouterr().err.split())
