"""Whether a dataset's splits keep apart what they should."""

from sigma_env.engines.base import Engine
from sigma_env.tasks.assemble import profile
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.split import leaks


def leakage(dataset: Dataset, engine: Engine) -> list[tuple[str, str, str]]:
    """Pairs of tasks that stand in two splits though they are near: their ids, and in which way they are near.

    Compares all pairs, without the short cuts by which the splits were made. Empty for every dataset that this package
    builds.
    """
    tasks = dataset.playable(engine)
    profiles = [
        profile(task.reference, task.request, reference_rule(task), dataset.truth(task, engine), dataset.store)
        for task in tasks
    ]
    found = leaks(profiles, [task.split for task in tasks])
    return [(tasks[left].id, tasks[right].id, why) for left, right, why in found]
