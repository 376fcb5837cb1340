"""A whole run against a server that misbehaves: right scores, right costs, and nothing lost or paid for twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from benchmarks.agents import AGENTS
from benchmarks.asking import Limits
from benchmarks.budget import Budget
from benchmarks.ledger import Ledger
from benchmarks.models import ModelSpec, Price
from benchmarks.numbers import Numbers, numbers_of
from benchmarks.results import Result, load_results
from benchmarks.runs import Settings, estimate, run
from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from tests.benchmarks.quiet import inspects_leftovers
from tests.benchmarks.served import Action, Refuses, Says, Script, Stalls, Writes, served

PRICE = Price(input=2.0, cached_input=0.5, output=10.0, date="2026-01", source="these tests")
COST = (100 * 2.0 + 20 * 10.0) / 1e6
QUICK = Limits(retries=1, backoff=0.01, timeout=5)


def spec(url: str) -> ModelSpec:
    return ModelSpec(
        name="m", title="M", group="closed", inspect="openai-api/local/m", url=url, price=PRICE,
        generation={"max_tokens": 1000},
    )  # fmt: skip


def short(task: Task) -> str:
    return Path(task.source.split(":")[1]).stem


def by_task(small: Dataset, actions: Mapping[str, Callable[[Task, int], Action]]) -> Script:
    """A script by the name of the rule that is asked for; the others are answered rightly."""
    of_request = {task.request: task for task in small.tasks}

    def script(asked: str, count: int) -> Action:
        task = of_request[asked]
        return actions.get(short(task), right)(task, count)

    return script


def right(task: Task, _: int = 1) -> Action:
    return Says(reference_answer(task))


def settings(folder: Path, url: str, **changes: object) -> Settings:
    given: dict[str, object] = {"datasets": ("small",), "split": "all", "models": (spec(url),), "limits": QUICK}
    return Settings(out=folder, **{**given, **changes})  # type: ignore[arg-type]


def results_of(made: Settings) -> dict[str, Result]:
    with inspects_leftovers():
        run(made)
        return {result.job.model: result for result in load_results(made.out)}


def test_the_rows_of_the_reference_agents(small: Dataset, tmp_path: Path) -> None:
    results = results_of(settings(tmp_path, "", models=()))
    assert set(results) == set(AGENTS)
    numbers: dict[str, Numbers] = {name: numbers_of(result) for name, result in results.items()}
    means = {name: found.reward.mean for name, found in numbers.items() if found.reward is not None}
    assert means["oracle"] == pytest.approx(1.1)
    assert means["empty"] == 0
    best = best_constant(Scorer(small), small.tasks)
    constant = numbers["constant"]
    assert means["constant"] == pytest.approx(best.reward)
    assert constant.iou is not None
    assert constant.iou.mean == pytest.approx(best.iou)
    assert means["empty"] < means["eventid-only"] < means["best-literal"] < means["oracle"]
    assert means["nearest"] < means["best-literal"]
    assert {found.unscored for found in numbers.values()} == {0}
    assert {found.cost for found in numbers.values()} == {None}


def test_a_server_that_misbehaves(small: Dataset, tmp_path: Path) -> None:
    actions: dict[str, Callable[[Task, int], Action]] = {
        "download": lambda task, count: Refuses(429, (("Retry-After", "0"),)) if count == 1 else right(task),
        "guessing": lambda *_: Refuses(500),
        "autostart": lambda task, count: Writes(b'{"id": "c"', missing=9) if count == 1 else right(task),
        "service": lambda *_: Writes(b"<html>busy</html>"),
        "names": lambda *_: Stalls(),
        "crash": lambda *_: Says("```yaml\nlogsource: {product: win", finish_reason="length"),
    }
    with served(by_task(small, actions)) as server:
        result = results_of(settings(tmp_path, server.url))["m"]
    rows = {short(small.task(row.task)): row for row in result.rows}
    assert {name: row.reward for name, row in rows.items() if row.reward is not None} == pytest.approx(
        {"whoami": 1.1, "download": 1.1, "autostart": 1.1, "crash": 0.0}
    )
    assert {name: row.retries for name, row in rows.items()} == {
        "whoami": 0, "download": 1, "guessing": 1, "autostart": 1, "service": 1, "names": 1, "crash": 0,
    }  # fmt: skip
    assert rows["crash"].failure == "bad YAML"
    for name in ("guessing", "service", "names"):
        assert "no answer after 2 attempts" in str(rows[name].error)
    assert "no reply in time" in str(rows["names"].error)
    numbers = numbers_of(result)
    assert (numbers.samples, numbers.scored, numbers.unscored, numbers.truncated) == (7, 4, 3, 1)
    assert numbers.reward is not None
    assert numbers.reward.mean == pytest.approx(3 * 1.1 / 4)  # of what has a score: a failed request is never 0
    assert numbers.cost == pytest.approx(4 * COST)
    assert numbers.cost_per_correct == pytest.approx(4 * COST / 3)
    assert numbers.latency_p50 is not None


def test_a_second_run_asks_only_what_failed_and_measures_no_latency_anew(small: Dataset, tmp_path: Path) -> None:
    with served(by_task(small, {"whoami": lambda *_: Refuses(500)})) as server:
        first = results_of(settings(tmp_path, server.url, limits=Limits(retries=0)))["m"]
        port = server.port
    with served(by_task(small, {}), port) as server:
        second = results_of(settings(tmp_path, server.url))["m"]
        assert len(server.requests) == 1
    assert (numbers_of(first).unscored, numbers_of(second).unscored) == (1, 0)
    assert numbers_of(second).replayed == 6
    before = {row.task: row.seconds for row in first.rows if row.reward is not None}
    assert {row.task: row.seconds for row in second.rows if row.replayed} == before


def test_several_samples_show_how_consistent_a_model_is(small: Dataset, tmp_path: Path) -> None:
    def every_second(task: Task, count: int) -> Action:
        return right(task) if count % 2 else Says("no idea")

    names = ["whoami", "download", "guessing", "autostart", "service", "names", "crash"]
    with served(by_task(small, dict.fromkeys(names[:3], every_second))) as server:
        result = results_of(settings(tmp_path, server.url, samples=2, limits=Limits(concurrency=1)))["m"]
    numbers = numbers_of(result)
    assert numbers.samples == 14
    assert numbers.consistency == pytest.approx(4 / 7)
    assert numbers.passed is not None
    assert numbers.passed.mean == pytest.approx((4 + 3 * 0.5) / 7)


def test_the_spend_limit_holds_over_the_runs_of_a_folder(small: Dataset, tmp_path: Path) -> None:
    with served(by_task(small, {})) as server:
        with Ledger(tmp_path) as ledger:
            [before] = estimate(settings(tmp_path, server.url), ledger)
        assert before.at_most is not None
        limit = before.at_most / 7 + 2.5 * COST
        for _ in range(2):
            result = results_of(settings(tmp_path, server.url, max_usd=limit))["m"]
        with Ledger(tmp_path) as ledger:
            assert ledger.spent <= limit
            assert ledger.spent == pytest.approx(len(server.requests) * COST)
            assert Budget(ledger, limit).limit == limit
    numbers = numbers_of(result)
    assert 0 < numbers.scored < 7
    assert numbers.scored + numbers.unscored == 7
    assert all("not sent: it could cost" in error for error in numbers.errors)


def test_a_dry_run_bounds_the_cost_and_asks_nobody(small: Dataset, tmp_path: Path) -> None:
    with served(by_task(small, {})) as server:
        made = settings(tmp_path, server.url, strategies=("zero-shot", "few-shot"), samples=2)
        with Ledger(tmp_path) as ledger:
            zero, few = estimate(made, ledger)
        assert server.requests == []
        assert (zero.requests, zero.answered, zero.expected) == (14, 0, None)
        assert zero.at_most is not None
        assert few.at_most is not None
        assert zero.at_most < few.at_most
        results_of(settings(tmp_path, server.url))
        with Ledger(tmp_path) as ledger:
            [after, _] = estimate(made, ledger)
        assert after.answered == 7
        assert after.expected == pytest.approx(7 * COST)


def command(folder: Path, url: str) -> list[str]:
    words = f"run --endpoint m={url}#m --dataset small --split all --concurrency 1 --display none --out {folder}"
    return [sys.executable, "-m", "benchmarks", *words.split()]


def test_nothing_is_lost_after_kill_9(small: Dataset, tmp_path: Path) -> None:
    """The server stalls at the fourth request, and the run is killed there; the next run goes on."""
    answered: list[str] = []
    of_request = {task.request: task for task in small.tasks}

    def stalls_at_the_fourth(asked: str, _: int) -> Action:
        if len(answered) == 3:
            return Stalls()
        answered.append(asked)
        return right(of_request[asked])

    with served(stalls_at_the_fourth) as server:
        process = subprocess.Popen(command(tmp_path, server.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(server.requests) < 4 and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None, "the run ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        port = server.port
    assert load_results(tmp_path) == [] or "m" not in {result.job.model for result in load_results(tmp_path)}
    with served(by_task(small, {}), port) as server:
        done = subprocess.run(command(tmp_path, server.url), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        again = [body["messages"][-1]["content"] for body in server.requests]
    assert sorted([*answered, *again]) == sorted(of_request)
    [result] = [result for result in load_results(tmp_path) if result.job.model == "m"]
    numbers = numbers_of(result)
    assert (numbers.scored, numbers.unscored, numbers.replayed) == (7, 0, 3)
    assert [row.reward for row in result.rows] == pytest.approx([1.1] * 7)
    tables = json.loads((tmp_path / "tables.json").read_bytes())
    [row] = [row for row in tables["table1-small-all"]["rows"] if row["title"] == "m"]
    assert row["reward"] == pytest.approx(1.1)
    assert row["cost_per_request"] is None  # nobody named a price
    assert (tmp_path / "index.html").exists()
