"""`sigma-env validate`: exit 1 and a list if a dataset's own answers do not earn the maximum."""

import json

import pytest

from sigma_env.cli._app import run
from sigma_env.scoring import validate as module
from sigma_env.tasks.dataset import Dataset
from tests.scoring.answers import ANSWERS
from tests.small import NAME

Output = pytest.CaptureFixture[str]


def test_a_valid_dataset(small: Dataset, capsys: Output) -> None:
    assert run(["validate", NAME]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("7 tasks, ")
    assert captured.out.endswith("all earn 1.1\n")
    assert captured.err == ""


def test_json(small: Dataset, capsys: Output) -> None:
    assert run(["validate", NAME, "--json", "--limit", "2"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["answers"] > 20
    del shown["answers"]
    assert shown == {
        "dataset": NAME,
        "engine": "native",
        "max_reward": 1.1,
        "tasks": 2,
        "left_out": 0,
        "failures": [],
    }


def test_failures_are_listed_with_task_equivalent_reward_and_reason(
    small: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(module, "equivalents", lambda _: [("sloppy", ANSWERS["no filter"])] * 10)
    assert run(["validate", NAME]) == 1
    shown = capsys.readouterr().out
    assert "70 do not earn 1.1:" in shown
    whoami = next(task for task in small.tasks if task.source.endswith("whoami.yml"))
    assert f"  task {whoami.id} (small:whoami.yml), sloppy earns 0.8667\n    Extra: 1 event" in shown
    assert run(["validate", NAME, "--json"]) == 1
    failure = json.loads(capsys.readouterr().out)["failures"][0]
    assert set(failure) == {"task_id", "source", "answer", "reward", "why"}


def test_a_dataset_that_is_not_there_names_the_command(small: Dataset, capsys: Output) -> None:
    assert run(["validate", "sigmahq-real"]) == 1
    assert "sigma-env build sigmahq-real" in capsys.readouterr().err
