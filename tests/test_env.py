"""SigmaRuleEnv as Gymnasium users meet it: one request, one answer, one reward."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from sigma_env.env import SigmaRuleEnv
from sigma_env.errors import DatasetError, DatasetNotBuilt, EngineError, OptionError
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.messages import messages, prompt_text
from sigma_env.tasks.reference import reference_answer
from tests.scoring.answers import ANSWERS
from tests.small import NAME


@pytest.fixture
def env(small: Dataset) -> SigmaRuleEnv:
    return SigmaRuleEnv(NAME, split=None)


def make(**kwargs: Any) -> gym.Env[str, str]:
    return gym.make("SigmaForge-v0", dataset=NAME, split=None, **kwargs)


def tasks_of(env: SigmaRuleEnv, count: int) -> list[str]:
    return [env.reset()[1]["task_id"] for _ in range(count)]


def test_gymnasiums_own_checker_passes_without_a_warning(small: Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make().unwrapped)


def test_a_module_prefix_in_the_id_works_too(small: Dataset) -> None:
    env = gym.make("sigma_env:SigmaForge-v0", dataset=NAME, split=None, seed=3)
    assert isinstance(env.unwrapped, SigmaRuleEnv)
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["kwargs"] == {"dataset": NAME, "split": None, "seed": 3}


def test_the_observation_is_the_whole_prompt(env: SigmaRuleEnv, small: Dataset) -> None:
    for task in small.tasks:
        observation, info = env.reset(options={"task_id": task.id})
        assert observation == prompt_text(messages(task))
        assert observation in env.observation_space
        assert task.request in observation
        assert info == {"task_id": task.id, "messages": messages(task)}


def test_neither_reference_nor_truth_can_be_read_from_what_a_model_sees(env: SigmaRuleEnv, small: Dataset) -> None:
    for task in small.tasks:
        shown = json.dumps(env.reset(options={"task_id": task.id}))
        lines = [line.strip() for line in task.reference.splitlines() if "|" in line or ": [" in line or "ID:" in line]
        assert lines
        assert not [line for line in lines if line in shown]
        assert task.source not in shown


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_step_ends_the_episode_with_the_scorers_reward(env: SigmaRuleEnv, small: Dataset, name: str) -> None:
    task = small.tasks[0]
    env.reset(options={"task_id": task.id})
    observation, reward, terminated, truncated, info = env.step(ANSWERS[name])
    score = Scorer(small).score(task, ANSWERS[name])
    assert (observation, reward, terminated, truncated) == ("", score.reward, True, False)
    assert observation in env.observation_space
    assert type(reward) is float
    assert info == {
        "task_id": task.id,
        "status": score.status,
        "reason": score.reason,
        "components": dict(score.components),
        "tp": score.tp,
        "fp": score.fp,
        "fn": score.fn,
    }
    assert json.loads(json.dumps(info)) == info


def test_the_reference_earns_the_published_maximum(env: SigmaRuleEnv, small: Dataset) -> None:
    assert env.max_reward == 1.1
    for task in small.tasks:
        env.reset(options={"task_id": task.id})
        assert env.step(reference_answer(task))[1] == env.max_reward


def test_the_same_seed_gives_the_same_tasks_and_each_once_before_any_again(env: SigmaRuleEnv, small: Dataset) -> None:
    first = [env.reset(seed=5)[1]["task_id"], *tasks_of(env, 13)]
    assert [env.reset(seed=5)[1]["task_id"], *tasks_of(env, 13)] == first
    assert sorted(first[:7]) == sorted(first[7:]) == sorted(task.id for task in small.tasks)
    orders = {(env.reset(seed=seed)[1]["task_id"], *tasks_of(env, 6)) for seed in range(8)}
    assert len(orders) > 4


def test_the_seed_argument_is_that_of_the_first_reset(small: Dataset) -> None:
    one, other = SigmaRuleEnv(NAME, seed=5), SigmaRuleEnv(NAME)
    assert one.reset()[1] == other.reset(seed=5)[1]
    assert tasks_of(one, 9) == tasks_of(other, 9)
    assert one.reset(seed=6)[1] == other.reset(seed=6)[1]


def test_asking_for_a_task_leaves_the_order_alone(env: SigmaRuleEnv, small: Dataset) -> None:
    env.reset(seed=5)
    expected = tasks_of(env, 4)
    env.reset(seed=5)
    found = []
    for _ in range(4):
        env.reset(options={"task_id": small.tasks[0].id})
        found += tasks_of(env, 1)
    assert found == expected


def test_a_split_has_its_own_tasks(small: Dataset) -> None:
    for split in ("train", "test"):
        env = SigmaRuleEnv(NAME, split=split)
        own = {task.id for task in small.tasks if task.split == split}
        assert set(tasks_of(env, len(own))) == own
    with pytest.raises(OptionError, match="no task in split 'validation'"):
        SigmaRuleEnv(NAME, split="validation")
    with pytest.raises(OptionError, match="unknown split 'all'; there is 'train', 'validation', 'test', and None"):
        SigmaRuleEnv(NAME, split="all")


def test_a_task_outside_the_split_can_be_asked_for(small: Dataset) -> None:
    outside = next(task for task in small.tasks if task.split == "test")
    assert SigmaRuleEnv(NAME, split="train").reset(options={"task_id": outside.id})[1]["task_id"] == outside.id


def test_steps_out_of_order_are_refused(env: SigmaRuleEnv) -> None:
    with pytest.raises(ResetNeeded, match="no episode has begun"):
        env.step("")
    env.reset()
    env.step("")
    with pytest.raises(ResetNeeded, match="the episode is over"):
        env.step("")


@pytest.mark.parametrize("action", [None, 3, b"rule", ["rule"]])
def test_an_action_is_text(env: SigmaRuleEnv, action: Any) -> None:
    env.reset()
    with pytest.raises(OptionError, match="an answer is a text"):
        env.step(action)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"engine": "grep"}, "unknown engine 'grep'; there is 'native'"),
        ({"semantics": "splunk"}, "unknown semantics 'splunk'; there is 'sigma'"),
        ({"weights": [0.1, 0.3, 0.7]}, "exactly the keys"),
        ({"weights": {"yaml_valid": [1], "logsource_correct": 1, "iou": 1}}, "weights.yaml_valid must be a finite"),
        ({"weights": {"iou": 1.0}}, "exactly the keys 'yaml_valid', 'logsource_correct', 'iou'"),
        ({"weights": {"yaml_valid": 1, "logsource_correct": 1, "iou": float("nan")}}, "weights.iou must be a finite"),
        ({"render_mode": "rgb_array"}, "unknown render_mode"),
    ],
)
def test_wrong_arguments_are_named(small: Dataset, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SigmaRuleEnv(NAME, **kwargs)


def test_wrong_options_are_named(env: SigmaRuleEnv) -> None:
    with pytest.raises(OptionError, match="unknown reset option 'task'"):
        env.reset(options={"task": "x"})
    with pytest.raises(OptionError, match="must be the id of a task"):
        env.reset(options={"task_id": 3})
    with pytest.raises(DatasetError, match="no task has the id 'nowhere'"):
        env.reset(options={"task_id": "nowhere"})


def test_a_dataset_that_is_not_built_names_the_command(small: Dataset) -> None:
    with pytest.raises(DatasetNotBuilt, match="sigma-env build sigmahq-real"):
        gym.make("SigmaForge-SigmaHQ-Real-v0")


def test_weights_change_the_reward_and_the_maximum(small: Dataset) -> None:
    weights = {"iou": 1.0, "yaml_valid": 0.0, "logsource_correct": 0.0}
    env = SigmaRuleEnv(NAME, weights=weights)
    task = small.tasks[0]
    env.reset(options={"task_id": task.id})
    assert env.max_reward == 1.0
    _, reward, _, _, info = env.step(ANSWERS["half"])
    assert reward == info["components"]["iou"]


def test_a_fault_of_the_engine_raises_and_the_episode_stays_open(
    env: SigmaRuleEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, info = env.reset()
    answer = reference_answer(env.open_task)
    with monkeypatch.context() as patch:
        patch.setattr(type(env.scorer.engine), "match", lambda *_: 1 / 0)
        with pytest.raises(EngineError, match="ZeroDivisionError"):
            env.step(answer)
    assert env.open_task.id == info["task_id"]
    assert env.step(answer)[1] == env.max_reward


def test_environments_of_a_process_share_store_and_truth(small: Dataset) -> None:
    one, other = SigmaRuleEnv(NAME), SigmaRuleEnv(NAME, split=None, seed=4)
    assert one.scorer is other.scorer
    assert one.dataset is small
    assert SigmaRuleEnv(NAME, weights={"iou": 1, "yaml_valid": 0, "logsource_correct": 0}).scorer is not one.scorer


def test_ansi_shows_the_request_and_then_what_was_right_missed_and_extra(small: Dataset) -> None:
    env = make(render_mode="ansi")
    task = next(task for task in small.tasks if task.source.endswith("whoami.yml"))
    env.reset(options={"task_id": task.id})
    assert env.render() == f"Task {task.id}\n\n{task.request}"
    env.step(ANSWERS["half"])
    frame = env.render()
    assert isinstance(frame, str)
    for shown in (task.request, "CommandLine|contains: ' /all'", "1 right, 1 missed, 0 extra", "Missed: 1 event"):
        assert shown in frame


def test_human_prints_it(small: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    env = make(render_mode="human")
    env.reset()
    env.step("kein \x1b[31mYAML ✓")
    printed = capsys.readouterr().out
    assert "kein \\x1b[31mYAML ✓" in printed
    assert "no_rule" in printed
    assert env.render() is None


def test_a_render_before_the_first_reset_says_so(env: SigmaRuleEnv) -> None:
    assert SigmaRuleEnv(NAME, render_mode="ansi").render() == "No episode has begun."
    assert env.render() is None


PLAY = """
import json, sys
from sigma_env import SigmaRuleEnv
env, lines = SigmaRuleEnv("small", split=None), []
for number, answer in enumerate(json.load(sys.stdin)):
    lines.append([env.reset(seed=number), env.step(answer)])
print(json.dumps(lines))
"""


def test_every_process_sees_the_same(small: Dataset, small_cache: Path) -> None:
    answers = [*ANSWERS.values(), *map(reference_answer, small.tasks)]
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", PLAY],
            input=json.dumps(answers),
            env={"PYTHONHASHSEED": seed, "SIGMA_ENV_CACHE": str(small_cache), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    env, lines = SigmaRuleEnv(NAME, split=None), []
    for number, answer in enumerate(answers):
        lines.append([env.reset(seed=number), env.step(answer)])
    assert json.loads(outputs.pop()) == json.loads(json.dumps(lines))
