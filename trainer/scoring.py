"""Answers to scores inside a training run: in the process that asks, or in batches in one actor of Ray.

The native engine scores an answer in less time than it takes to send it anywhere. Chainsaw is a program that is started
for every batch, so the answers of all processes are collected for it.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from sigma_env.errors import EngineError
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer

MOST: Final = 64
"""Answers in a batch, at most."""
WAIT: Final = 0.2
"""Seconds after which a batch is scored with what has come."""

_ACTOR: Final = "sigmaforge_scorer"
_SCORING: Final = threading.Lock()
"""verl scores in threads. One answer at a time costs nothing: the engine holds Python's own lock all the while."""


class Scored(NamedTuple):
    """The numbers of a score, which is all of it that leaves the process.

    Attributes:
        reward: see Score.
        components: see Score.
        status: see Score.
        metrics: see Score.metrics.
        cpu_seconds: that it took to compute; of a batch, an equal share.
    """

    reward: float
    components: Mapping[str, float]
    status: str
    metrics: Mapping[str, float]
    cpu_seconds: float

    @classmethod
    def of(cls, score: Score, cpu_seconds: float) -> "Scored":
        """Of a score."""
        return cls(score.reward, dict(score.components), score.status, score.metrics(), cpu_seconds)


class Scoring(Protocol):
    """Where answers are scored."""

    async def score(self, task_id: str, answer: str) -> Scored:
        """Scores one answer.

        Raises:
            EngineError: the engine failed; the answer has no score.
        """
        ...


def scoring_for(settings: Any) -> Scoring:
    """Where a run's answers are scored.

    Args:
        settings: the keys under `sigmaforge` of its configuration.
    """
    if settings.engine == "chainsaw":
        return OneActor(settings)
    scorer = shared_scorer(settings.dataset, settings.engine, settings.semantics)
    first = scorer.dataset.playable(scorer.engine)[0]
    scorer.score(first, reference_answer(first))  # loads truth and store before a step's time is measured
    return Here(scorer)


@lru_cache(maxsize=4)
def shared_scorer(dataset: str, engine: str, semantics: str) -> Scorer:
    """One scorer for all that score in a process: it keeps what it prepared for each task."""
    return Scorer(load_dataset(dataset), engine, semantics)


class Here:
    """Scores in a thread of this process, one answer at a time."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    async def score(self, task_id: str, answer: str) -> Scored:
        """See Scoring."""
        return await asyncio.to_thread(self.score_now, task_id, answer)

    def score_now(self, task_id: str, answer: str) -> Scored:
        """Scores in the calling thread."""
        with _SCORING:
            began = time.thread_time()
            score = self._scorer.score(task_id, answer)
            return Scored.of(score, time.thread_time() - began)


class Batches:
    """Collects the answers of many callers, and scores them together.

    A batch is scored when it is full, or a while after its first answer came; one batch at a time.
    """

    def __init__(
        self,
        score_batch: Callable[[Sequence[tuple[str, str]]], Sequence[Score]],
        most: int = MOST,
        wait: float = WAIT,
    ) -> None:
        """Prepares.

        Args:
            score_batch: scores (task id, answer) pairs in order, or raises EngineError for all of them.
            most: answers in a batch.
            wait: seconds for which the first answer of a batch waits for others.
        """
        self._score_batch, self._most, self._wait = score_batch, most, wait
        self._waiting: list[tuple[str, str, asyncio.Future[Scored]]] = []
        self._running = asyncio.Lock()
        self._batches: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def score(self, task_id: str, answer: str) -> Scored:
        """See Scoring."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Scored] = loop.create_future()
        self._waiting.append((task_id, answer, found))
        if len(self._waiting) == self._most:
            self._start()
        elif self._timer is None:
            self._timer = loop.call_later(self._wait, self._start)
        return await found

    def _start(self) -> None:
        """Has what waits scored; what comes from now on belongs to the next batch."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        task = asyncio.create_task(self._run(batch))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    async def _run(self, batch: Sequence[tuple[str, str, asyncio.Future[Scored]]]) -> None:
        answers = [(task_id, answer) for task_id, answer, _ in batch]
        async with self._running:
            results = await asyncio.to_thread(self._results, answers)
        for (_, _, found), result in zip(batch, results, strict=True):
            if found.cancelled():
                continue
            if isinstance(result, Exception):
                found.set_exception(result)
            else:
                found.set_result(result)

    def _results(self, answers: Sequence[tuple[str, str]]) -> list[Scored | Exception]:
        return self._settled(answers, self._tried(answers))

    def _settled(self, answers: Sequence[tuple[str, str]], tried: list[Scored] | Exception) -> list[Scored | Exception]:
        """A batch that failed is cut in half, so that an answer that no engine survives fails alone.

        Where both halves fail too, it is not one answer's fault, and all of them fail without further runs.
        """
        if not isinstance(tried, Exception):
            return list(tried)
        if len(answers) == 1 or not isinstance(tried, EngineError):
            return [tried] * len(answers)
        middle = len(answers) // 2
        halves = [(half, self._tried(half)) for half in (answers[:middle], answers[middle:])]
        if all(isinstance(found, Exception) for _, found in halves):
            return [tried] * len(answers)
        return [result for half, found in halves for result in self._settled(half, found)]

    def _tried(self, answers: Sequence[tuple[str, str]]) -> list[Scored] | Exception:
        before = _cpu_seconds()
        try:
            scores = self._score_batch(answers)
        except Exception as error:
            return error
        share = (_cpu_seconds() - before) / len(answers)
        return [Scored.of(score, share) for score in scores]


def _cpu_seconds() -> float:
    """Of this thread, and of programs that the process has run: one batch runs at a time."""
    times = os.times()
    return time.thread_time() + times.children_user + times.children_system


class OneActor:
    """Scores in the one actor of a run, from wherever in the cluster it is asked."""

    def __init__(self, settings: Any) -> None:
        import ray

        options = {"name": _ACTOR, "get_if_exists": True, "num_cpus": 0, "max_concurrency": 10_000}
        named = ray.remote(ScoringActor).options(**options)
        self._actor = named.remote(settings.dataset, settings.engine, settings.semantics)

    async def score(self, task_id: str, answer: str) -> Scored:
        """See Scoring."""
        scored: Scored = await self._actor.score.remote(task_id, answer)
        return scored


class ScoringActor:
    """Batches, as an actor of Ray."""

    def __init__(self, dataset: str, engine: str, semantics: str) -> None:
        self._batches = Batches(shared_scorer(dataset, engine, semantics).score_batch)

    async def score(self, task_id: str, answer: str) -> Scored:
        """See Scoring."""
        return await self._batches.score(task_id, answer)
