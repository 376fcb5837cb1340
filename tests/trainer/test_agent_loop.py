"""A rollout's request: verl's own single turn, with a seed that follows from what is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from verl.experimental.agent_loop.agent_loop import DictConfigWrap
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.workers.rollout.replica import TokenOutput

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from tests.trainer.test_configs import composed
from tests.trainer.test_tiny_model import TOKENIZER
from trainer.agent_loop import SeededAgentLoop
from trainer.seeds import request_seed

TASK, OTHER = load_dataset("starter").of_split("train")[:2]
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}


class Server:
    """Stands for vLLM, and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def generate(self, **request: Any) -> TokenOutput:
        self.asked.append(request)
        return TokenOutput(
            token_ids=TOKENIZER.encode("an answer"), log_probs=[-1.0] * len(TOKENIZER.encode("an answer"))
        )


def requests(config: Any, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """What the server is asked for rows as verl's worker hands them over."""
    server, sampling = Server(), dict(SAMPLING)

    async def run() -> None:
        for row in rows:
            loop = SeededAgentLoop(
                trainer_config=DictConfigWrap(config),
                server_manager=server,
                tokenizer=TOKENIZER,
                processor=None,
                dataset_cls=RLHFDataset,
                data_config=DictConfigWrap(config.data),
                hf_model_type="qwen3",
            )
            output = await loop.run(sampling, **row)
            assert output.response_ids == TOKENIZER.encode("an answer")

    asyncio.run(run())
    assert sampling == SAMPLING, "the parameters are shared by all rollouts of a prompt"
    return server.asked


def row(rollout: int, step: int = 1, task: Any = TASK, **more: Any) -> dict[str, Any]:
    extra = {"index": 0, "split": task.split, "task_id": task.id}
    return {"raw_prompt": messages(task), "global_steps": step, "session_id": rollout, "extra_info": extra, **more}


def seeds(config: Any, *rows: dict[str, Any]) -> list[int]:
    return [request["sampling_params"]["seed"] for request in requests(config, *rows)]


GROUP = [row(rollout) for rollout in range(8)]


def test_the_rollouts_of_a_group_have_seeds_of_their_own() -> None:
    assert len(set(seeds(composed("tiny"), *GROUP))) == 8


def test_two_runs_with_one_seed_agree_and_with_another_differ() -> None:
    assert seeds(composed("tiny"), *GROUP) == seeds(composed("tiny"), *GROUP)
    assert not set(seeds(composed("tiny"), *GROUP)) & set(seeds(composed("tiny", "sigmaforge.seed=1"), *GROUP))


def test_step_task_and_repeat_have_seeds_of_their_own() -> None:
    rows = [*GROUP, *(row(i, step=2) for i in range(8)), *(row(i, task=OTHER) for i in range(8))]
    again = [row(i, repeat=1) for i in range(8)]
    assert len(set(seeds(composed("tiny"), *rows, *again))) == 32


def test_the_first_time_a_task_is_dispatched_in_a_step_is_what_evaluation_asks() -> None:
    asked = seeds(composed("tiny", "sigmaforge.seed=3"), row(5, step=2), row(5, step=2, repeat=0))
    assert asked == [request_seed(3, 2, TASK.id, 5)] * 2


def test_the_rest_of_the_request_is_verls() -> None:
    [request] = requests(composed("tiny"), GROUP[0])
    assert {name: value for name, value in request["sampling_params"].items() if name != "seed"} == SAMPLING
    prompt = TOKENIZER.apply_chat_template(messages(TASK), add_generation_prompt=True)["input_ids"]
    assert list(request["prompt_ids"]) == prompt


@pytest.mark.parametrize("overlay", ["tiny", "qwen3_14b"])
def test_verl_finds_it_by_name(overlay: str) -> None:
    agent = composed(overlay).actor_rollout_ref.rollout.agent
    with open(agent.agent_loop_config_path, encoding="utf-8") as file:  # noqa: PTH123  # as verl does
        found = {loop["name"]: loop["_target_"] for loop in yaml.safe_load(file)}
    assert found[agent.default_agent_loop] == f"{SeededAgentLoop.__module__}.{SeededAgentLoop.__name__}"
