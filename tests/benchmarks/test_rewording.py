"""The same facts in other words."""

from pathlib import Path

import pytest

from benchmarks.inspect_task import inspect_task
from benchmarks.numbers import numbers_of
from benchmarks.results import load_results
from benchmarks.rewording import reworded
from benchmarks.runs import Settings, exams, run
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.reference import reference_answer
from tests.benchmarks.quiet import inspects_leftovers
from tests.benchmarks.served import Action, Says, served
from tests.benchmarks.test_runs import QUICK, spec


@pytest.fixture(scope="module")
def scoring() -> Scorer:
    return Scorer(load_dataset("starter"))


def test_a_rewording_says_the_same_of_the_same_rule(scoring: Scorer) -> None:
    tasks = scoring.dataset.of_split("test")[:8]
    for task in tasks:
        others = reworded(scoring, task, 2)
        assert others == reworded(scoring, task, 2)
        assert len(others) == 2
        assert len({task.request, *(other.request for other in others)}) == 3
        assert len({task.persona, *(other.persona for other in others)}) == 3
        for other in others:
            assert (other.reference, other.disclosed, other.split) == (task.reference, task.disclosed, task.split)


def test_a_request_that_nobody_planned_is_not_reworded(small: Dataset) -> None:
    assert [reworded(Scorer(small), task, 3) for task in small.tasks] == [()] * len(small.tasks)


def test_a_model_that_hears_only_one_persona_is_found_out(scoring: Scorer, tmp_path: Path) -> None:
    made = Settings(out=tmp_path, split="test", limit=3, rewordings=1, limits=QUICK)
    [exam] = exams(made)
    assert [len(others) for others in exam.reworded.values()] == [1, 1, 1]
    original = {task.request: task for task in exam.tasks}

    def script(asked: str, _: int) -> Action:
        return Says(reference_answer(original[asked]) if asked in original else "What do you mean?")

    with inspects_leftovers(), served(script) as server:
        run(Settings(out=tmp_path, split="test", limit=3, rewordings=1, limits=QUICK, models=(spec(server.url),)))
    [result] = [result for result in load_results(tmp_path) if result.job.model == "m"]
    numbers = numbers_of(result)
    assert len(result.rows) == 6
    assert (numbers.samples, numbers.rewordings) == (3, 0)
    assert numbers.reward is not None
    assert numbers.reward.mean == pytest.approx(1.1)
    assert all(row.status == "no_rule" for row in result.rows if row.reworded is not None)
    assert inspect_task(scoring, exam.asked(), "zero-shot", about=exam.about()).dataset[5].metadata is not None
