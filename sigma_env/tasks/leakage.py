"""Whether a dataset's splits keep apart what they should."""

from collections.abc import Sequence

from sigma_env.engines.base import Engine
from sigma_env.tasks.assemble import profile
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.split import Profile, leaks, near_pairs, why_near
from sigma_env.tasks.task import Task


def leakage(dataset: Dataset, engine: Engine) -> list[tuple[str, str, str]]:
    """Pairs of tasks that stand in two splits though they are near: their ids, and in which way they are near.

    Compares all pairs, without the short cuts by which the splits were made. Empty for every dataset that this package
    builds.
    """
    tasks, profiles = _profiles(dataset, engine)
    found = leaks(profiles, [task.split for task in tasks])
    return [(tasks[left].id, tasks[right].id, why) for left, right, why in found]


def near_across_splits(dataset: Dataset, engine: Engine) -> list[tuple[str, str, str]]:
    """What `leakage` gives, for datasets of thousands of tasks: found by the index that the splits are made with."""
    tasks, profiles = _profiles(dataset, engine)
    return [
        (tasks[left].id, tasks[right].id, str(why_near(profiles[left], profiles[right])))
        for left, right in sorted(set(near_pairs(profiles)))
        if tasks[left].split != tasks[right].split
    ]


def _profiles(dataset: Dataset, engine: Engine) -> tuple[Sequence[Task], list[Profile]]:
    tasks = dataset.playable(engine)
    return tasks, [
        profile(task.reference, task.request, reference_rule(task), dataset.truth(task, engine), dataset.store)
        for task in tasks
    ]
