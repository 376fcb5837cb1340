"""What right answers to a task earn: the reference, what the request discloses of it, and other ways to write it."""

from typing import NamedTuple

from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.reference import disclosed_rule, reference_answer
from sigma_env.tasks.task import Task


class Rewards(NamedTuple):
    """Rewards of right answers.

    Attributes:
        reference: of the reference.
        ceiling: of the disclosed part of the reference, which is all that a reader of the request can know.
        equivalents: the least that an equivalent of the reference earns.
        worst_equivalent: which one that is.
    """

    reference: float
    ceiling: float
    equivalents: float
    worst_equivalent: str


def rewards(scorer: Scorer, task: Task) -> Rewards:
    """Scores a task's own answers.

    Raises:
        DatasetError: the reference cannot be run.
        EngineError: the engine failed.
    """
    cut = disclosed_rule(task)
    told = reference_answer(task) if cut is None else fenced(to_yaml(cut.document))
    others = equivalents(task) if task.detectable else []
    answers = [reference_answer(task), told, *(answer for _, answer in others)]
    scores = [score.reward for score in scorer.score_batch([(task, answer) for answer in answers])]
    least, name = min(
        ((reward, name) for reward, (name, _) in zip(scores[2:], others, strict=True)), default=(scores[0], "")
    )
    return Rewards(scores[0], scores[1], least, name)
