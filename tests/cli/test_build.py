"""`sigma-env build` and `sigma-env tasks`, as a user types them."""

import json
from pathlib import Path

import pytest

from sigma_env.cli._app import run
from sigma_env.cli.build import REASONS
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.names import BUILT_BY, EMBEDDED
from tests.small import EVENTS, RULES


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    (tmp_path / "rules").mkdir()
    for name, text in RULES.items():
        (tmp_path / "rules" / f"{name}.yml").write_text(text, encoding="utf-8")
    (tmp_path / "rules" / "silent.yml").write_text(RULES["whoami"].replace("cmd.exe", "nowhere.exe"), encoding="utf-8")
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS), encoding="utf-8")
    return tmp_path


def build(own: Path, *more: str) -> int:
    return run(["build", "mine", "--rules", str(own / "rules"), "--logs", str(own / "events.jsonl"), *more])


class TestBuild:
    def test_it_says_what_became_of_the_rules(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert build(own) == 0
        out = capsys.readouterr().out
        assert f"mine: {len(RULES)} tasks of {len(RULES) + 1} rules, on {len(EVENTS)} events" in out
        assert "1 × the rule matches no event of the logs" in out
        assert "left_out.jsonl" in out

    def test_json_is_the_manifest(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert build(own, "--json", "--seed", "3") == 0
        manifest = json.loads(capsys.readouterr().out)
        assert (manifest["name"], manifest["tasks"], manifest["seed"]) == ("mine", len(RULES), 3)
        assert manifest["left_out"].keys() <= REASONS.keys()

    def test_without_a_name_it_lists_what_is_there(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        build(own)
        capsys.readouterr()
        assert run(["build", "--json"]) == 0
        listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["datasets"]}
        assert listed.keys() == {*EMBEDDED, *BUILT_BY, "mine"}
        assert listed["mine"]["built"]
        assert listed["mine"]["tasks"] == len(RULES)
        assert not listed["sigmahq-real"]["built"]
        assert run(["build"]) == 0
        assert "sigmahq-real: build it with: sigma-env fetch" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["mine"], "needs rules and logs"),
            (["mine", "--rules", "r"], "needs rules and logs"),
            (["--rules", "r", "--logs", "l"], "give the dataset a name"),
            (["sigmahq-real", "--logs", "l"], "has rules and logs of its own"),
        ],
    )
    @pytest.mark.usefixtures("own")
    def test_half_a_request_is_a_usage_error(
        self, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["build", *arguments]) == 2
        assert complaint in " ".join(capsys.readouterr().err.split())

    @pytest.mark.usefixtures("own")
    def test_missing_sources_name_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["build", "sigmahq-real"]) == 1
        assert "sigma-env fetch" in capsys.readouterr().err

    def test_a_name_of_the_package_is_refused(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["build", "starter", "--rules", str(own / "rules"), "--logs", str(own / "events.jsonl")]) == 2
        assert "choose another" in capsys.readouterr().err

    def test_what_comes_with_the_package_needs_no_build_and_may_be_asked_for(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["build", "starter"]) == 0
        assert "starter: 164 tasks of 164 rules" in capsys.readouterr().out


class TestTasks:
    def test_a_line_per_task(self, small: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["tasks", "small"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[1:-1]] == [task.id for task in small.tasks]
        assert lines[-1] == f"{len(small.tasks)} of {len(small.tasks)} tasks"

    def test_tasks_are_filtered_by_split_and_text(self, small: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["tasks", "small", "--split", "train", "--json"]) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [task["id"] for task in found] == [task.id for task in small.of_split("train")]
        assert run(["tasks", "small", "--grep", "CERTUTIL"]) == 0
        assert "1 of 7 tasks" in capsys.readouterr().out
        assert run(["tasks", "small", "--grep", "no such text"]) == 0
        assert "0 of 7 tasks" in capsys.readouterr().out

    def test_one_task_is_its_prompt(self, small: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
        task = small.tasks[0]
        assert run(["tasks", "small", "--id", task.id[:10]]) == 0
        out = capsys.readouterr().out
        assert task.request in out
        assert "detection:\n  selection:" in out  # the example in the prompt
        assert task.reference.strip() not in out
        assert run(["tasks", "small", "--id", task.id, "--reference"]) == 0
        assert task.reference.strip() in capsys.readouterr().out

    @pytest.mark.usefixtures("small")
    def test_json_has_the_reference_only_if_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["tasks", "small", "--json"]) == 0
        assert not any("reference" in json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert run(["tasks", "small", "--json", "--reference"]) == 0
        assert all("reference" in json.loads(line) for line in capsys.readouterr().out.splitlines())

    @pytest.mark.parametrize("arguments", [["nowhere"], ["../up"], ["small", "--id", "nope"]])
    @pytest.mark.usefixtures("small")
    def test_what_is_not_there_is_an_error_of_one_line(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["tasks", *arguments]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
