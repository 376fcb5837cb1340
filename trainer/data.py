"""Tasks as the rows of verl's parquet files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sigma_env.tasks.messages import messages
from sigma_env.tasks.task import Task


def row(task: Task, dataset: str, index: int, validation: bool = False) -> dict[str, Any]:
    """One task as verl's dataset takes it: the prompt, and the task's id in the place of the ground truth.

    The reference stays out: the reward looks the task up in the dataset.

    Args:
        task: the task.
        dataset: name of the dataset that it is of, under which verl prints validation rewards.
        index: its place in the file.
        validation: whether nothing is learned from its rollouts.
    """
    return {
        "data_source": dataset,
        "prompt": messages(task),
        "ability": "sigma",
        "reward_model": {"style": "rule", "ground_truth": task.id},
        "extra_info": {"index": index, "split": task.split, "task_id": task.id, "validation": validation},
    }


def write_parquet(tasks: Iterable[Task], dataset: str, path: Path, validation: bool = False) -> int:
    """Writes tasks, in order.

    Returns:
        How many there are.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [row(task, dataset, index, validation) for index, task in enumerate(tasks)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return len(rows)
