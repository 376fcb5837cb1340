"""The project's scorer as a reward manager of verl."""

import asyncio
import threading
from functools import lru_cache
from typing import Any, Final

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from trainer.answers import answer_text

_SCORING: Final = threading.Lock()
"""verl scores in threads. One answer at a time costs nothing: the engine holds Python's own lock all the while."""


class SigmaRewardManager(RewardManagerBase):
    """Scores the rollouts of one worker process; the event store is mapped from a file that all of them share."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_unused: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = config.sigmaforge
        self._scorer = shared_scorer(settings.dataset, settings.engine, settings.semantics)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Scores one rollout: the last sequence of `data`.

        Returns:
            The reward, and the numbers that it is made of: `Score.metrics`, the same keys for every answer.
        """
        item = data[-1:][0]
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-len(ids) :].sum())
        task_id = item.non_tensor_batch["reward_model"]["ground_truth"]
        score = await asyncio.to_thread(self.score, task_id, ids[:length].tolist())
        return {"reward_score": score["reward"], "reward_extra_info": score}

    def score(self, task_id: str, ids: list[int]) -> dict[str, float]:
        """Scores the tokens of an answer."""
        text = answer_text(self.tokenizer, ids)
        with _SCORING:
            return self._scorer.score(task_id, text).metrics()


@lru_cache(maxsize=4)
def shared_scorer(dataset: str, engine: str, semantics: str) -> Scorer:
    """One scorer for all managers of a process: it keeps what it prepared for each task."""
    return Scorer(load_dataset(dataset), engine, semantics)
