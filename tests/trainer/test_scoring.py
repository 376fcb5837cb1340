"""Where a run's answers are scored: in the process that asks, or in batches in one actor."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sigma_env.engines.base import Matches
from sigma_env.errors import EngineError
from sigma_env.scoring.options import DEFAULT_WEIGHTS
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.scoring.yardstick import Yardstick, measure
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer
from tests.engines.chainsaw.recordings import calls, hunt, logs, replaying, rule
from tests.trainer.test_configs import composed
from trainer.scoring import MOST, Batches, Here, OneActor, Scored, scoring_for

DATASET = load_dataset("starter")
SCORER = Scorer(DATASET)
CASES = [(task.id, reference_answer(other)) for task in DATASET.tasks[:12] for other in DATASET.tasks[:6]]


def test_threads_get_what_one_thread_gets() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda case: Here(SCORER).score_now(*case), CASES))
    assert [one.metrics for one in found] == [SCORER.score(*case).metrics() for case in CASES]


def test_a_score_takes_at_most_a_millisecond_of_cpu() -> None:
    here = Here(SCORER)

    def seconds(number: int) -> list[float]:
        """Of each task's reference, as a text that was never scored."""
        return [here.score_now(task.id, f"{reference_answer(task)}\n# {number}").cpu_seconds for task in DATASET.tasks]

    # The least of some rounds: what others do on the machine slows a core down as well.
    least = [min(found) for found in zip(*map(seconds, range(5)), strict=True)]
    assert 0 < sum(least) / len(least) <= 0.001


class Recorder:
    """A scorer that keeps what it was given, and fails on some answers."""

    def __init__(self, bad: Sequence[str] = (), seconds: float = 0.0) -> None:
        self.batches: list[list[str]] = []
        self._bad, self._seconds = bad, seconds

    def __call__(self, answers: Sequence[tuple[str, str]]) -> list[Score]:
        texts = [answer for _, answer in answers]
        self.batches.append(texts)
        time.sleep(self._seconds)
        if "*" in self._bad or set(texts) & set(self._bad):
            raise EngineError("the engine is gone")
        return [Score(task_id, float(answer), {}, "ok") for task_id, answer in answers]


async def scored(batches: Batches, answers: Sequence[str]) -> list[Scored | BaseException]:
    return await asyncio.gather(*(batches.score("a", answer) for answer in answers), return_exceptions=True)


def rewards(found: Sequence[Scored | BaseException]) -> list[float | None]:
    return [one.reward if isinstance(one, Scored) else None for one in found]


def test_a_full_batch_is_scored_at_once_and_the_rest_after_a_while() -> None:
    recorder = Recorder()

    async def run() -> float:
        began = time.perf_counter()
        found = await scored(Batches(recorder, most=4, wait=0.3), [str(n) for n in range(10)])
        assert rewards(found) == list(range(10))
        return time.perf_counter() - began

    assert 0.3 <= asyncio.run(run()) < 5
    assert [len(batch) for batch in recorder.batches] == [4, 4, 2]


def test_what_comes_while_a_batch_runs_is_the_next_one() -> None:
    recorder = Recorder(seconds=0.3)

    async def run() -> None:
        batches = Batches(recorder, most=64, wait=0.05)
        first = asyncio.create_task(batches.score("a", "1"))
        await asyncio.sleep(0.15)
        assert rewards(await scored(batches, ["2", "3"])) == [2, 3]
        assert (await first).reward == 1

    asyncio.run(run())
    assert recorder.batches == [["1"], ["2", "3"]]


def test_an_answer_that_the_engine_does_not_survive_fails_alone() -> None:
    recorder = Recorder(bad=["13"])
    found = asyncio.run(scored(Batches(recorder), [str(n) for n in range(MOST)]))
    assert rewards(found) == [None if n == 13 else n for n in range(MOST)]
    assert isinstance(found[13], EngineError)
    assert len(recorder.batches) == 13  # the whole, and two halves six times


def test_an_engine_that_is_gone_is_not_asked_for_each_answer() -> None:
    recorder = Recorder(bad=["*"])
    found = asyncio.run(scored(Batches(recorder), [str(n) for n in range(MOST)]))
    assert all(isinstance(one, EngineError) for one in found)
    assert len(recorder.batches) == 3


def test_chainsaw_is_started_once_for_a_batch(tmp_path: Path) -> None:
    """The program replays what the real one did with these two rules."""
    store = logs(tmp_path, "sim.evtx")
    engine = replaying(tmp_path / "bin", [hunt("same-id", "certutil", "cmd")])
    rules = {name: rule(name) for name in ("certutil", "cmd")}
    found = engine.match(list(rules.values()), store)
    yardsticks = {
        name: Yardstick(name, rules[name], store, true, Matches({}))
        for name, true in zip(rules, found, strict=True)
        if isinstance(true, Matches)
    }

    def score_batch(answers: Sequence[tuple[str, str]]) -> list[Score]:
        return measure([(yardsticks[name], answer) for name, answer in answers], engine, DEFAULT_WEIGHTS)

    async def run() -> list[Scored]:
        batches = Batches(score_batch, most=2)
        texts = {name: fenced(to_yaml(one.document)) for name, one in rules.items()}
        return await asyncio.gather(*(batches.score(*answer) for answer in texts.items()))

    scores = asyncio.run(run())
    assert [one.components["iou"] for one in scores] == [1.0, 1.0]
    assert all(one.cpu_seconds > 0.001 for one in scores)  # the program's
    assert len(calls(engine)) == 2  # the truth, and the batch


TWO_PROCESSES = """
import asyncio
import json
import ray
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer
from trainer.config import compose
from trainer.scoring import OneActor

settings = compose("tiny", ["sigmaforge.run_dir=/run", "sigmaforge.dataset=starter"]).sigmaforge
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)


@ray.remote(num_cpus=1)
class Worker:
    def __init__(self):
        self.scoring = OneActor(settings)

    async def score(self, answers):
        return await asyncio.gather(*(self.scoring.score(*answer) for answer in answers))


answers = [(task.id, reference_answer(task)) for task in load_dataset("starter").tasks[:80]]
workers = [Worker.remote(), Worker.remote()]
found = ray.get([worker.score.remote(answers) for worker in workers])
actors = ray.util.list_named_actors()
ray.shutdown()
print(json.dumps([actors, [one.reward for half in found for one in half]]))
"""


def test_all_processes_ask_one_actor() -> None:
    with tempfile.TemporaryDirectory(prefix="sf", dir="/tmp", ignore_cleanup_errors=True) as folder:
        root = str(Path(__file__).parents[2])
        environment = os.environ | {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        command = [sys.executable, "-c", TWO_PROCESSES]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    actors, rewards = json.loads(done.stdout.splitlines()[-1])
    assert actors == ["sigmaforge_scorer"]
    assert rewards == pytest.approx([1.1] * 160)


def test_chainsaws_answers_go_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneActor, "__init__", lambda *_: None)
    assert isinstance(scoring_for(composed("tiny", "sigmaforge.engine=chainsaw").sigmaforge), OneActor)
    assert isinstance(scoring_for(composed("tiny", "sigmaforge.dataset=starter").sigmaforge), Here)
