"""A dataset's own answers: each reference, and each equivalent of it, must earn the maximum."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task

FEWEST_EQUIVALENTS: Final = 10
REFERENCE: Final = "reference"


class Failure(NamedTuple):
    """An answer that should have earned the maximum, or a task with too few answers (reward None)."""

    task_id: str
    source: str
    answer: str
    reward: float | None
    why: str


class Checked(NamedTuple):
    """One task: how many answers were scored, and what failed."""

    task: Task
    answers: int
    failures: tuple[Failure, ...]


def validate(scorer: Scorer, tasks: Iterable[Task]) -> Iterator[Checked]:
    """Scores every task's reference and its mechanical equivalents, one task at a time.

    Args:
        scorer: of the dataset.
        tasks: of it.

    Raises:
        DatasetError: a reference is no rule, or a task has no truth.
        EngineError: the engine failed.
    """
    for task in tasks:
        answers = [(REFERENCE, reference_answer(task)), *(equivalents(task) if task.detectable else ())]
        scores = scorer.score_batch([(task, text) for _, text in answers])
        failures = [
            Failure(task.id, task.source, name, score.reward, _why(score))
            for (name, _), score in zip(answers, scores, strict=True)
            if score.reward != scorer.max_reward
        ]
        if task.detectable and len(answers) - 1 < FEWEST_EQUIVALENTS:
            why = f"only {len(answers) - 1} equivalents; at least {FEWEST_EQUIVALENTS} are needed"
            failures.append(Failure(task.id, task.source, "equivalents", None, why))
        yield Checked(task, len(answers), tuple(failures))


def _why(score: Score) -> str:
    """The explanation without its table of components, which the reward says already."""
    text = score.explain()
    _, _, rest = text.partition("\n\n")
    return rest or text
