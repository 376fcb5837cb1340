"""The reward of a rollout is the score that the project's scorer gives its text."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from verl import DataProto

from sigma_env.cli import _app
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import EngineError
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from tests.trainer.test_configs import composed
from tests.trainer.test_tiny_model import TOKENIZER
from trainer import records
from trainer.data import row
from trainer.records import ENGINE_ERROR, ROLLOUTS, VALIDATION, Record
from trainer.reward import SigmaRewardManager

DATASET = load_dataset("starter")
SCORER = Scorer(DATASET)
TASK = DATASET.of_split("train")[0]
ANSWERS = {
    "reference": TASK.reference,
    "after thinking": f"<think>\nselection: nothing\n</think>\n{TASK.reference}",
    "thinking that never ends": f"<think>\n{TASK.reference}",
    "no rule": "I do not know.",
    "bad yaml": "logsource: [",
    "empty": "",
}


def made(folder: Path) -> SigmaRewardManager:
    """A manager of a run in a folder."""

    async def make() -> SigmaRewardManager:
        return SigmaRewardManager(
            composed("tiny", f"sigmaforge.run_dir={folder}", "sigmaforge.dataset=starter"), TOKENIZER, None
        )

    return asyncio.run(make())  # verl asks for the running loop


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> SigmaRewardManager:
    return made(tmp_path_factory.mktemp("run"))


def rollout(text: str, rollout: int = 0, validation: bool = False) -> DataProto:
    """A finished answer as verl's reward loop gets it, padded."""
    prompt = torch.tensor([TOKENIZER.encode("a prompt")])
    answer = [*TOKENIZER.encode(text, add_special_tokens=False), TOKENIZER.eos_token_id]
    padded = torch.tensor([answer + [TOKENIZER.pad_token_id] * 7])
    mask = torch.tensor([[1] * prompt.shape[1] + [1] * len(answer) + [0] * 7])
    tensors = {"prompts": prompt, "responses": padded, "attention_mask": mask}
    about = row(TASK, "starter", 5, validation) | {"uid": "000003-0001", "global_steps": 3, "session_id": rollout}
    return DataProto.from_dict(tensors, {name: np.array([value]) for name, value in about.items()})


@pytest.mark.parametrize("text", ANSWERS.values(), ids=list(ANSWERS))
def test_it_is_the_scorers_own(manager: SigmaRewardManager, text: str) -> None:
    got = asyncio.run(manager.run_single(rollout(text)))
    expected = SCORER.score(TASK, text)
    assert got == {"reward_score": expected.reward, "reward_extra_info": expected.metrics()}


def test_the_reference_earns_the_maximum(manager: SigmaRewardManager) -> None:
    assert asyncio.run(manager.run_single(rollout(TASK.reference)))["reward_score"] == pytest.approx(1.1)


def test_every_answer_has_the_same_numbers(manager: SigmaRewardManager) -> None:
    infos = [asyncio.run(manager.run_single(rollout(text)))["reward_extra_info"] for text in ANSWERS.values()]
    assert all(info.keys() == infos[0].keys() for info in infos)
    assert all(type(value) is float for info in infos for value in info.values())


def written(folder: Path) -> list[Record]:
    """The records in a folder, of all steps."""
    return [record for step in records.steps(folder) for record in records.read(folder, step)]


def test_every_rollout_is_recorded_as_it_was_scored(tmp_path: Path) -> None:
    manager = made(tmp_path)

    async def score() -> None:
        await asyncio.gather(
            *(manager.run_single(rollout(text, rollout=place)) for place, text in enumerate(ANSWERS.values()))
        )

    asyncio.run(score())
    found = written(tmp_path / ROLLOUTS)
    assert [record.answer for record in found] == list(ANSWERS.values())
    for place, record in enumerate(found):
        expected = SCORER.score(TASK, record.answer)
        assert (record.reward, record.status) == (expected.reward, expected.status)
        assert record.components == expected.components
        assert record.metrics == expected.metrics()
        assert (record.uid, record.step, record.rollout, record.split) == ("000003-0001", 3, place, "train")
        assert record.tokens == len(TOKENIZER.encode(record.answer, add_special_tokens=False)) + 1
        assert record.cpu_seconds >= 0
        assert record.seconds > 0
    assert written(tmp_path / VALIDATION) == []


def test_validation_is_recorded_by_itself(tmp_path: Path) -> None:
    asyncio.run(made(tmp_path).run_single(rollout("", validation=True)))
    assert len(written(tmp_path / VALIDATION)) == 1
    assert written(tmp_path / ROLLOUTS) == []


def test_recorded_answers_score_the_same_at_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = made(tmp_path)
    for text in ANSWERS.values():
        asyncio.run(manager.run_single(rollout(text)))
    [path] = (tmp_path / ROLLOUTS).iterdir()
    assert _app.run(["score", "--answers", str(path)]) == 0
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [score["reward"] for score in scores] == [line["reward"] for line in lines]


def test_our_own_fault_is_no_reward_but_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[object]:
        raise EngineError("the store is gone")

    manager = made(tmp_path)
    monkeypatch.setattr(NativeEngine, "match", fail)
    with pytest.raises(EngineError, match="the store is gone"):
        asyncio.run(manager.run_single(rollout(TASK.reference)))
    [record] = written(tmp_path / ROLLOUTS)
    assert (record.status, record.reward, record.answer) == (ENGINE_ERROR, None, TASK.reference)
