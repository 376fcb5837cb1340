"""One request in five asks for what the logs cannot show, and nothing but reading it tells."""

from collections import Counter
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.scoring.agents import make_agent
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.leakage import leakage


@pytest.fixture
def dataset(starter_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv(CACHE_VARIABLE, str(starter_cache))
    return load_dataset("starter-abstain")


def mean_reward(agent: str, dataset: Dataset, split: str | None = None) -> float:
    scorer = Scorer(dataset)
    tasks = dataset.playable(scorer.engine, split)  # type: ignore[arg-type]
    answers = make_agent(agent, scorer, tasks)
    scores = scorer.score_batch([(task, answers.answer(task)) for task in tasks])
    return sum(score.reward for score in scores) / len(scores)


@pytest.mark.parametrize("split", ["train", "validation", "test", None])
def test_abstaining_is_worth_its_share(dataset: Dataset, split: str | None) -> None:
    tasks = [task for task in dataset.tasks if split in (None, task.split)]
    assert Counter(task.detectable for task in tasks) == {False: len(tasks) // 5, True: len(tasks) // 5 * 4}
    assert mean_reward("always-abstains", dataset, split) == pytest.approx(1.1 * 0.2)
    assert mean_reward("never-abstains", dataset, split) == pytest.approx(1.1 * 0.8)
    assert mean_reward("oracle", dataset, split) == pytest.approx(1.1)


def test_a_request_that_cannot_be_answered_has_a_twin_of_the_same_words(dataset: Dataset) -> None:
    by_words = {tuple(sorted(words(task.request))): task for task in dataset.tasks if task.detectable}
    for task in dataset.tasks:
        if not task.detectable:
            twin = by_words[tuple(sorted(words(task.request)))]
            assert (twin.reference, twin.split, twin.persona) == (task.reference, task.split, task.persona)
            assert twin.request != task.request


def words(text: str) -> list[str]:
    return text.lower().replace(".", " ").replace(",", " ").split()


def test_the_splits_keep_apart_what_they_should(dataset: Dataset) -> None:
    assert leakage(dataset, Scorer(dataset).engine) == []
