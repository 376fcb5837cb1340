"""Datasets that are another one's tasks on the same events: with other splits, or with more tasks beside them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.tasks.assemble import Assembly, profile
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.folder import OWN, dataset_folder, write_dataset
from sigma_env.tasks.manifest import Manifest
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.split import Profile, assign_few
from sigma_env.tasks.task import Task
from sigma_env.tasks.truth_table import TruthTable, load_own


def with_few_for_training(name: str, dataset: Dataset, training: int, seed: int = 0) -> Manifest:
    """Writes a dataset of another one's tasks, of which exactly so many are for training and all others held out.

    Args:
        name: of the new dataset.
        dataset: the other one.
        training: how many tasks are for training; whole clusters, so that none is near a task that is held out.
        seed: another seed chooses others.

    Raises:
        DatasetError: no whole clusters have that many tasks.
    """
    try:
        sides = assign_few(profiles_of(dataset), training, seed)
    except ValueError as error:
        raise DatasetError(f"{name}: {error}") from error
    pairs = zip(dataset.tasks, sides, strict=True)
    return write_derived(name, dataset, [task.model_copy(update={"split": side}) for task, side in pairs], seed=seed)


def profiles_of(dataset: Dataset) -> list[Profile]:
    """What makes each task of a dataset like another, in the order of its tasks."""
    engine = NativeEngine()
    return [
        profile(task.reference, task.request, reference_rule(task), dataset.truth(task, engine), dataset.store)
        for task in dataset.tasks
    ]


def write_derived(
    name: str,
    dataset: Dataset,
    tasks: Sequence[Task],
    *,
    made_for: Mapping[str, str] | None = None,
    inputs: str = "",
    seed: int = 0,
) -> Manifest:
    """Writes tasks as a dataset on the events of another one.

    Args:
        name: of the new dataset.
        dataset: the other one.
        tasks: the new dataset's.
        made_for: ids of tasks → ids in the other dataset of the tasks that their events were made for; a task that is
            not in it has its own id there.
        inputs: hash of what the dataset is made from, if that is quick to compute again.
        seed: of the choice of tasks.

    Raises:
        DatasetError: a task cannot be scored.
    """
    engine = NativeEngine()
    fingerprint = dataset.manifest.store.fingerprint
    known = load_own(dataset_folder(dataset.name) / OWN, fingerprint)
    there = {task.id: (made_for or {}).get(task.id, task.id) for task in tasks if task.detectable}
    own = {task_id: known[other] for task_id, other in there.items() if other in known}
    ordered = tuple(sorted(tasks, key=lambda task: task.id))
    table = TruthTable.compute(ordered, dataset.store, engine, own)
    if table.left_out:
        task_id, reason = next(iter(table.left_out.items()))
        raise DatasetError(f"{name}: task {task_id} cannot be scored: {reason}")
    manifest = dataset.manifest.model_copy(
        update={
            "name": name,
            "inputs": inputs,
            "seed": seed,
            "tasks": len(ordered),
            "splits": dict(sorted(Counter(task.split for task in ordered).items())),
        }
    )
    sizes = (dataset.manifest.clusters.largest,)
    write_dataset(manifest, Assembly(ordered, table, (), sizes, own))
    return manifest
