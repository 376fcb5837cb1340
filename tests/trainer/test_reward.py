"""The reward of a rollout is the score that the project's scorer gives its text."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from verl import DataProto

from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from tests.trainer.test_configs import composed
from tests.trainer.test_tiny_model import TOKENIZER
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


@pytest.fixture(scope="module")
def manager() -> SigmaRewardManager:
    async def made() -> SigmaRewardManager:
        return SigmaRewardManager(composed("tiny"), TOKENIZER, None)

    return asyncio.run(made())  # verl asks for the running loop


def rollout(text: str, task_id: str = TASK.id) -> DataProto:
    """A finished answer as verl's reward loop gets it, padded."""
    prompt = torch.tensor([TOKENIZER.encode("a prompt")])
    answer = [*TOKENIZER.encode(text, add_special_tokens=False), TOKENIZER.eos_token_id]
    padded = torch.tensor([answer + [TOKENIZER.pad_token_id] * 7])
    mask = torch.tensor([[1] * prompt.shape[1] + [1] * len(answer) + [0] * 7])
    ground_truth = np.array([{"style": "rule", "ground_truth": task_id}], dtype=object)
    tensors = {"prompts": prompt, "responses": padded, "attention_mask": mask}
    return DataProto.from_dict(tensors=tensors, non_tensors={"reward_model": ground_truth})


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


def test_threads_get_what_one_thread_gets(manager: SigmaRewardManager) -> None:
    cases = [(task.id, other.reference) for task in DATASET.tasks[:12] for other in DATASET.tasks[:6]]

    def score(case: tuple[str, str]) -> dict[str, float]:
        return manager.score(case[0], TOKENIZER.encode(case[1]))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(score, cases)) == [SCORER.score(*case).metrics() for case in cases]
