"""Plain make_vec scores answers in one batch, and is what Gymnasium's own vector environments are, step by step."""

import json
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from sigma_env.engines.native import NativeEngine
from sigma_env.errors import EngineError, OptionError
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_answer
from sigma_env.vector import SigmaRuleVectorEnv
from tests.scoring.answers import ANSWERS
from tests.small import NAME

SAME_STEP = {"autoreset_mode": AutoresetMode.SAME_STEP}


def make(num_envs: int = 3, **kwargs: Any) -> VectorEnv[Any, Any, Any]:
    return gym.make_vec("SigmaForge-v0", num_envs=num_envs, dataset=NAME, split=None, **kwargs)


@pytest.fixture
def envs(small: Dataset) -> SigmaRuleVectorEnv:
    made = make()
    assert isinstance(made, SigmaRuleVectorEnv)
    return made


def plain(value: Any) -> Any:
    """Infos as JSON has them, so that dtype and layout are compared too."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(map(plain, value.tolist()))]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return list(map(plain, value)) if isinstance(value, tuple | list) else value


def played(envs: VectorEnv[Any, Any, Any], rounds: Sequence[Sequence[str]]) -> list[Any]:
    seen = [envs.reset(seed=11)]
    seen += [envs.step(tuple(answers)) for answers in rounds]
    envs.close()
    return plain(seen)


def test_plain_make_vec_makes_it_and_names_its_autoreset(envs: SigmaRuleVectorEnv) -> None:
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.num_envs == 3
    assert envs.max_reward == 1.1
    assert envs.spec is not None
    assert envs.spec.id == "SigmaForge-v0"
    observations, _ = envs.reset(seed=1)
    assert observations in envs.observation_space
    actions = envs.action_space.sample()
    assert actions in envs.action_space
    observations, rewards, terminations, truncations, _ = envs.step(actions)
    assert observations in envs.observation_space
    assert rewards.tolist() == [0, 0, 0]
    assert terminations.all()
    assert not truncations.any()


def test_it_is_gymnasiums_own_in_one_batch(small: Dataset) -> None:
    texts = [*ANSWERS.values(), *map(reference_answer, small.tasks)]
    rounds = [texts[i : i + 3] for i in range(0, len(texts) - 2, 3)]
    ours = played(make(), rounds)
    theirs = make(vectorization_mode="sync", vector_kwargs=SAME_STEP)
    assert isinstance(theirs, SyncVectorEnv)
    assert ours == played(theirs, rounds)


def test_async_environments_take_any_text(small: Dataset) -> None:
    texts = [text for name, text in ANSWERS.items() if name != "huge"]
    rounds = [texts[i : i + 2] for i in range(0, len(texts) - 1, 2)]
    own = make(2, vectorization_mode="async", vector_kwargs={"shared_memory": False, **SAME_STEP})
    assert isinstance(own, AsyncVectorEnv)
    assert played(own, rounds) == played(make(2), rounds)


def test_async_environments_refuse_shared_memory_with_the_argument_to_give(small: Dataset) -> None:
    with pytest.raises(ValueError, match="shared_memory=False") as caught:
        make(2, vectorization_mode="async")
    assert 'vector_kwargs={"shared_memory": False}' in str(caught.value.__cause__)


def test_sync_environments_keep_any_text(small: Dataset) -> None:
    own = make(2, vectorization_mode="sync")
    own.reset(seed=1)
    for text in ANSWERS.values():
        observations, _, terminations, _, _ = own.step((text, text))
        assert terminations.all()
        assert observations == ("", "")
        observations, *_ = own.step(("", ""))  # Gymnasium's next-step autoreset spends this action on the reset
        assert all(observations)


def test_final_infos_tell_of_the_answers_and_the_others_of_the_next_tasks(
    envs: SigmaRuleVectorEnv, small: Dataset
) -> None:
    _, first = envs.reset(seed=2)
    answers = [reference_answer(small.task(task_id)) for task_id in first["task_id"]]
    answers[1] = ""
    observations, rewards, _, _, infos = envs.step(answers)
    assert rewards.tolist() == [1.1, 0.0, 1.1]
    final = infos["final_info"]
    assert final["task_id"].tolist() == first["task_id"].tolist()
    assert final["status"].tolist() == ["ok", "no_rule", "ok"]
    assert final["components"]["iou"].tolist() == [1.0, 0.0, 1.0]
    assert infos["final_obs"].tolist() == ["", "", ""]
    assert infos["_final_obs"].all()
    assert infos["_final_info"].all()
    for observation, task_id, chat in zip(observations, infos["task_id"], infos["messages"], strict=True):
        assert small.task(task_id).request in observation
        assert chat[1]["content"] == small.task(task_id).request


def test_one_call_of_the_engine_scores_a_step(envs: SigmaRuleVectorEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    match = NativeEngine.match
    monkeypatch.setattr(NativeEngine, "match", lambda *args: calls.append(len(args[1])) or match(*args))
    envs.reset(seed=1)
    envs.step([ANSWERS["right"], ANSWERS["empty"], ANSWERS["half"]])
    assert calls == [2]


def test_a_fault_of_the_engine_leaves_every_episode_open(
    envs: SigmaRuleVectorEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, infos = envs.reset(seed=1)
    answers = [reference_answer(env.open_task) for env in envs.envs]
    with monkeypatch.context() as patch:
        patch.setattr(NativeEngine, "match", lambda *_: 1 / 0)
        with pytest.raises(EngineError):
            envs.step(answers)
    assert [env.open_task.id for env in envs.envs] == infos["task_id"].tolist()
    assert envs.step(answers)[1].tolist() == [1.1] * 3


def test_environments_have_seeds_of_their_own(small: Dataset) -> None:
    def task_ids(seed: Any, **kwargs: Any) -> list[str]:
        ids: list[str] = make(**kwargs).reset(seed=seed)[1]["task_id"].tolist()
        return ids

    assert task_ids(5) == task_ids([5, 6, 7]) == task_ids(np.int64(5)) == make(seed=5).reset()[1]["task_id"].tolist()
    single = [gym.make("SigmaForge-v0", dataset=NAME, split=None).reset(seed=s)[1]["task_id"] for s in (5, 6, 7)]
    assert task_ids(5) == single
    envs = make()
    envs.reset(seed=5)
    assert envs.np_random_seed == (5, 6, 7)
    assert len(envs.np_random) == 3
    with pytest.raises(OptionError, match="2 seeds were given for 3"):
        envs.reset(seed=[1, 2])


def test_tasks_can_be_asked_for_together_or_one_by_one(envs: SigmaRuleVectorEnv, small: Dataset) -> None:
    ids = [task.id for task in small.tasks[:3]]
    assert envs.reset(options={"task_id": ids})[1]["task_id"].tolist() == ids
    assert envs.reset(options={"task_id": ids[0]})[1]["task_id"].tolist() == [ids[0]] * 3
    with pytest.raises(OptionError, match="2 ids for 3"):
        envs.reset(options={"task_id": ids[:2]})
    with pytest.raises(OptionError, match="unknown reset option"):
        envs.reset(options={"task": ids[0]})


def test_a_mask_resets_some(envs: SigmaRuleVectorEnv) -> None:
    before, _ = envs.reset(seed=1)
    kept = envs.envs[1].open_task
    observations, infos = envs.reset(seed=9, options={"reset_mask": np.array([True, False, True])})
    assert infos["_task_id"].tolist() == [True, False, True]
    assert observations[1] == before[1]
    assert envs.envs[1].open_task is kept
    for mask in ([True, False, True], np.array([1, 0, 1]), np.zeros(3, np.bool_), np.ones(2, np.bool_)):
        with pytest.raises(OptionError, match="reset_mask"):
            envs.reset(options={"reset_mask": mask})


def test_options_are_not_changed(envs: SigmaRuleVectorEnv) -> None:
    options = {"reset_mask": np.ones(3, np.bool_), "task_id": None}
    envs.reset(options=options)
    assert set(options) == {"reset_mask", "task_id"}


@pytest.mark.parametrize("actions", ["one text", ["two", "texts"], []])
def test_each_environment_needs_an_action(envs: SigmaRuleVectorEnv, actions: Any) -> None:
    envs.reset()
    with pytest.raises(OptionError, match="3 environments"):
        envs.step(actions)


def test_a_step_before_the_reset_is_refused(envs: SigmaRuleVectorEnv) -> None:
    with pytest.raises(ResetNeeded):
        envs.step(["", "", ""])


def test_at_least_one_environment(small: Dataset) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        make(0)
    observations, infos = make(1).reset(seed=1)
    assert len(observations) == len(infos["task_id"]) == 1


def test_it_renders_each(small: Dataset) -> None:
    envs = make(2, render_mode="ansi")
    _, infos = envs.reset(seed=1)
    frames = envs.render()
    assert frames is not None
    for frame, task_id in zip(frames, infos["task_id"], strict=True):
        assert frame == f"Task {task_id}\n\n{small.task(task_id).request}"


def test_final_infos_are_json(envs: SigmaRuleVectorEnv) -> None:
    envs.reset(seed=1)
    *_, infos = envs.step([ANSWERS["right"], ANSWERS["unknown place"], ANSWERS["control"]])
    assert json.loads(json.dumps(plain(infos))) == plain(infos)
