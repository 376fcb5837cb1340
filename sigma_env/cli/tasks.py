"""``sigma-env tasks``: the tasks of a dataset, as a list or one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sigma_env.tasks.dataset import Dataset
    from sigma_env.tasks.task import Task


def tasks(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")] = "starter",
    split: Annotated[Literal["train", "validation", "test"] | None, typer.Option(help="Only those of a split.")] = None,
    text: Annotated[
        str | None, typer.Option("--grep", metavar="TEXT", help="Only those whose request or source has this text.")
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Show one task: its whole prompt. The id may be shortened.")
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="With --id: show the reference rule too.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per task on stdout, a line each.")
    ] = False,
) -> None:
    """List the tasks of a dataset, or show one.

    A line has the task's id, split, difficulty (0: one literal of the
    reference finds its events; 1: none is of use alone), the share of the
    reference's values that the request names, the logsource, and how the
    request begins.

    With --id, the prompt is what a model is given. The reference is no part
    of it; --reference shows it below.

    With --json, a line has the whole task under its field names, the prompt
    as "messages", and the reference only with --reference.

    For instance:

      sigma-env tasks starter

      sigma-env tasks sigmahq-real --split test --grep certutil

      sigma-env tasks starter --json
    """
    from sigma_env.tasks.dataset import load_dataset

    loaded = load_dataset(dataset)
    chosen = [loaded.task(task_id)] if task_id is not None else _filtered(loaded, split, text)
    if as_json:
        for task in chosen:
            print(json.dumps(_as_json(task, reference), ensure_ascii=False))
    elif task_id is not None:
        _show(chosen[0], reference)
    else:
        _list(chosen, loaded)


def _filtered(dataset: Dataset, split: Literal["train", "validation", "test"] | None, text: str | None) -> list[Task]:
    wanted = (text or "").lower()
    return [t for t in dataset.of_split(split) if wanted in t.request.lower() or wanted in t.source.lower()]


def _list(chosen: list[Task], dataset: Dataset) -> None:
    from sigma_env.cli._logs import printable

    rows = [(t.id, t.split, f"{t.difficulty:.2f}", f"{t.coverage:.2f}", _logsource(t)) for t in chosen]
    head = ("id", "split", "hard", "named", "logsource")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)), " request")
    for task, row in zip(chosen, rows, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"{cells}  {printable(' '.join(task.request.split())[:70])}")
    print(f"{len(chosen):,} of {len(dataset.tasks):,} tasks")


def _logsource(task: Task) -> str:
    parts = task.logsource
    return "/".join(parts[key] for key in ("category", "service") if key in parts) or parts.get("product", "-")


def _show(task: Task, reference: bool) -> None:
    from sigma_env.tasks.messages import messages, prompt_text

    print(prompt_text(messages(task)))
    print(f"\n--- task {task.id}")
    print(f"split {task.split}, persona {task.persona}, scenario {task.scenario}")
    print(f"difficulty {task.difficulty:.2f}, values named {task.coverage:.2f}")
    print(f"source {task.source}, author {task.author or 'unknown'}, licence {task.licence or 'not stated'}")
    if reference:
        print(f"\n--- reference\n{task.reference.rstrip()}")


def _as_json(task: Task, reference: bool) -> dict[str, Any]:
    from sigma_env.tasks.messages import messages

    fields = task.model_dump(mode="json", exclude=None if reference else {"reference"})
    return {**fields, "messages": messages(task)}
