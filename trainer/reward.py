"""The project's scorer as a reward manager of verl, which records every rollout before groups are filtered."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

from trainer.answers import answer_text
from trainer.records import ENGINE_ERROR, ROLLOUTS, VALIDATION, Record, Writer
from trainer.scoring import Scored, scoring_for


class SigmaRewardManager(RewardManagerBase):
    """Scores the rollouts of one worker process; the event store is mapped from a file that all of them share."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_unused: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        folder = Path(config.sigmaforge.run_dir)
        self._scoring = scoring_for(config.sigmaforge)
        self._rollouts, self._validation = Writer(folder / ROLLOUTS), Writer(folder / VALIDATION)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Scores one rollout, the last sequence of `data`, and records it.

        Returns:
            The reward, and the numbers that it is made of: `Score.metrics`, the same keys for every answer.

        Raises:
            EngineError: the engine failed. The rollout is recorded without a reward, and has no part in training.
        """
        item = data[-1:][0]
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-len(ids) :].sum())
        answer = answer_text(self.tokenizer, ids[:length].tolist())
        rollout = _Rollout(item.non_tensor_batch, answer, length)
        try:
            scored = await self._scoring.score(rollout.task_id, answer)
        except Exception:  # not the answer's fault, whatever it was
            await self._keep(rollout, None)
            raise
        await self._keep(rollout, scored)
        return {"reward_score": scored.reward, "reward_extra_info": dict(scored.metrics)}

    async def _keep(self, rollout: "_Rollout", scored: Scored | None) -> None:
        record = rollout.record(scored)
        writer = self._validation if rollout.validation else self._rollouts
        await asyncio.to_thread(writer.write, record)


class _Rollout:
    """A finished rollout, from the moment when its scoring begins."""

    def __init__(self, about: Mapping[str, Any], answer: str, tokens: int) -> None:
        self.task_id: str = about["extra_info"]["task_id"]
        self.validation: bool = about["extra_info"]["validation"]
        self._about, self._answer, self._tokens = about, answer, tokens
        self._began, self._clock = time.time(), time.perf_counter()

    def record(self, scored: Scored | None) -> Record:
        """What is kept of it; without a score where scoring failed."""
        return Record(
            task_id=self.task_id,
            answer=self._answer,
            uid=str(self._about["uid"]),
            step=int(self._about["global_steps"]),
            rollout=int(self._about["session_id"]),
            split=self._about["extra_info"]["split"],
            reward=None if scored is None else scored.reward,
            components={} if scored is None else scored.components,
            status=ENGINE_ERROR if scored is None else scored.status,
            metrics={} if scored is None else scored.metrics,
            tokens=self._tokens,
            began=self._began,
            seconds=time.perf_counter() - self._clock,
            cpu_seconds=0.0 if scored is None else scored.cpu_seconds,
        )
