"""Tasks as the rows of verl's parquet files."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sigma_env.tasks.messages import messages
from sigma_env.tasks.task import Task
from trainer.asking import Asking
from trainer.errors import ConfigError


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


def fitting(tasks: Sequence[Task], asking: Asking, tokenizer: Any) -> tuple[list[Task], dict[str, int]]:
    """Tells the tasks whose prompts are not too long from the others: no prompt is ever cut.

    Args:
        tasks: in order.
        asking: how the model is asked.
        tokenizer: the model's.

    Returns:
        Those that fit, in order, and of the others the number of tokens by id.
    """
    lengths = {task.id: len(asking.prompt(tokenizer, task)) for task in tasks}
    long = {task_id: length for task_id, length in lengths.items() if length > asking.longest_prompt}
    return [task for task in tasks if task.id not in long], long


def in_order(tasks: Sequence[Task], curriculum: str) -> list[Task]:
    """Puts tasks in the order of a curriculum.

    Args:
        tasks: in the dataset's order.
        curriculum: "none" leaves it; "easy_first" begins with the tasks that least of a rule decides, and among equal
            ones with those whose requests disclose most.

    Raises:
        ConfigError: there is no such curriculum.
    """
    if curriculum == "none":
        return list(tasks)
    if curriculum == "easy_first":
        return sorted(tasks, key=lambda task: (task.difficulty, -task.coverage, task.id))
    raise ConfigError(f"sigmaforge.curriculum is {curriculum!r}; it may be none or easy_first")


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
