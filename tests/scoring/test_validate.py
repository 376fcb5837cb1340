"""validate: a dataset's own answers earn the maximum, or are named."""

import pytest

from sigma_env.engines.base import Matches
from sigma_env.scoring import validate as module
from sigma_env.scoring.scorer import Scorer
from sigma_env.scoring.validate import FEWEST_EQUIVALENTS, validate
from sigma_env.scoring.yardstick import Yardstick
from sigma_env.tasks.dataset import Dataset, load_dataset
from tests.scoring.answers import ANSWERS


def test_the_small_dataset_is_valid(small: Dataset) -> None:
    checked = list(validate(Scorer(small), small.tasks))
    assert [one.task for one in checked] == list(small.tasks)
    assert all(one.answers > FEWEST_EQUIVALENTS and not one.failures for one in checked)


def test_the_starter_dataset_is_valid(small: Dataset) -> None:
    starter = load_dataset("starter")
    failures = [failure for one in validate(Scorer(starter), starter.tasks) for failure in one.failures]
    assert not failures


def test_an_answer_that_earns_less_is_named_with_the_reason(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    task = next(task for task in small.tasks if task.source.endswith("whoami.yml"))
    equivalents = [("sloppy", ANSWERS["no filter"])] * FEWEST_EQUIVALENTS
    monkeypatch.setattr(module, "equivalents", lambda _: equivalents)
    [checked] = validate(Scorer(small), [task])
    assert len(checked.failures) == FEWEST_EQUIVALENTS
    failure = checked.failures[0]
    assert (failure.task_id, failure.source, failure.answer) == (task.id, task.source, "sloppy")
    assert failure.reward == pytest.approx(0.4 + 0.7 * 2 / 3)
    assert failure.why.startswith("Extra: 1 event")
    assert "it holds, and the condition negates it" in failure.why


def test_too_few_equivalents_are_a_failure(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "equivalents", lambda _: [])
    [checked] = validate(Scorer(small), small.tasks[:1])
    [failure] = checked.failures
    assert (failure.answer, failure.reward) == ("equivalents", None)
    assert failure.why == "only 0 equivalents; at least 10 are needed"


def test_a_wrong_truth_shows_in_the_reference(small: Dataset) -> None:
    scorer, task = Scorer(small), small.tasks[0]
    good = scorer.yardstick(task)
    wrong = Matches.from_rows(good.store, range(good.store.n_events))
    scorer._yardsticks[task.id] = Yardstick(task.id, good.reference, good.store, wrong, Matches(good.ignored))
    [checked] = validate(scorer, [task])
    assert "reference" in {failure.answer for failure in checked.failures}
