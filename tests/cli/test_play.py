"""`sigma-env play`: what the built-in agents earn, and a game for people."""

import io
import json

import pytest

from sigma_env.cli._app import run
from sigma_env.scoring.agents import AGENT_NAMES
from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from tests.scoring.answers import ANSWERS
from tests.small import NAME

Output = pytest.CaptureFixture[str]


def test_requests_answers_rewards_and_a_table(small: Dataset, capsys: Output) -> None:
    assert run(["play", NAME, "--tasks", "2"]) == 0
    shown = capsys.readouterr().out
    assert sum(line.startswith("task ") for line in shown.splitlines()) == 2
    assert sum(task.request.splitlines()[0] in shown for task in small.tasks) == 2
    assert "  oracle: reward 1.10 of 1.1, IoU 1.00" in shown
    assert "means over 7 tasks of small; the best reward is 1.1" in shown
    rows = {line.split()[0]: line.split()[1:6] for line in shown.splitlines()[-7:-2]}
    assert list(rows) == list(AGENT_NAMES)
    assert rows["oracle"] == ["1.100", "1.000", "1.00", "1.00", "100%"]
    assert rows["empty"] == ["0.000", "0.000", "0.00", "0.00", "0%"]
    best = best_constant(Scorer(small), small.tasks)
    assert rows["constant"][:2] == [f"{best.reward:.3f}", f"{best.iou:.3f}"]


def test_one_agent_in_one_split(small: Dataset, capsys: Output) -> None:
    assert run(["play", NAME, "--agent", "one-literal", "--split", "test", "--tasks", "0"]) == 0
    shown = capsys.readouterr().out
    assert "means over 2 tasks" in shown
    assert "one-literal" in shown
    assert "oracle" not in shown
    assert "the best constant answer earns " in shown.splitlines()[-1]


def test_json_has_every_episode(small: Dataset, capsys: Output) -> None:
    assert run(["play", NAME, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown["agents"]) == set(AGENT_NAMES)
    assert len(shown["episodes"]) == 7 * 5
    assert shown["best_constant"]["reward"] == pytest.approx(shown["agents"]["constant"]["reward"])
    scorer = Scorer(small)
    for episode in shown["episodes"]:
        score = scorer.score(episode["task_id"], episode["answer"])
        assert (episode["reward"], episode["status"], episode["components"]) == (
            score.reward,
            score.status,
            score.components,
        )


def test_the_seed_orders_the_tasks(small: Dataset, capsys: Output) -> None:
    def order(seed: int) -> list[str]:
        run(["play", NAME, "--agent", "empty", "--json", "--seed", str(seed)])
        return [episode["task_id"] for episode in json.loads(capsys.readouterr().out)["episodes"]]

    assert order(1) == order(1)
    assert sorted(order(1)) == sorted(order(2)) == sorted(task.id for task in small.tasks)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_a_person_answers_until_the_input_ends(small: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ANSWERS['right']}\n.\n\n.\nno dot at the end"))
    assert run(["play", NAME, "--interactive", "--seed", "3"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("Your rule, and at its end") == 4
    assert shown.count("Reward ") == 3
    assert shown.count("no_rule: ") == 2


def test_an_unknown_agent_is_a_usage_error(small: Dataset, capsys: Output) -> None:
    assert run(["play", NAME, "--agent", "guess"]) == 2
    assert (
        "there is oracle, one-literal, eventid-only, constant, empty, never-abstains, always-abstains and all"
        in " ".join(capsys.readouterr().err.split())
    )


def test_a_split_without_tasks_is_named(small: Dataset, capsys: Output) -> None:
    assert run(["play", NAME, "--split", "validation"]) == 1
    assert "has no task in split 'validation'" in capsys.readouterr().err
