"""The clusters of a dataset's tasks, for what is estimated from them: tasks of one cluster are not independent."""

from collections.abc import Sequence

from sigma_env.engines.base import Engine
from sigma_env.tasks.assemble import profile
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.split import clusters
from sigma_env.tasks.task import Task


def clusters_of(dataset: Dataset, engine: Engine, tasks: Sequence[Task]) -> dict[str, str]:
    """By task, the name of the cluster of near tasks that it belongs to, by the measure that the splits are made with.

    Args:
        dataset: that the tasks are of.
        engine: under which they have a truth.
        tasks: among which clusters are sought.

    Returns:
        By id of task, the id of the first task of its cluster.
    """
    store = dataset.store
    profiles = [
        profile(task.reference, task.request, reference_rule(task), dataset.truth(task, engine), store)
        for task in tasks
    ]
    return {tasks[i].id: tasks[group[0]].id for group in clusters(profiles) for i in group}
