"""``sigma-env validate``: a dataset's own answers must earn the maximum."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sigma_env.scoring.validate import Checked


def validate(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")] = "starter",
    engine: Annotated[Literal["native", "chainsaw"], typer.Option(help="Who runs the rules.")] = "native",
    limit: Annotated[int, typer.Option(min=0, help="Check at most so many tasks; 0 means all.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check that a dataset's own answers earn the maximum.

    Each task's reference is scored as an answer, and so are at least ten
    rules that say the same in another way: De Morgan's laws, selections split
    and merged, wildcards for modifiers, quoted numbers, other case, and so
    on. An answer that earns less is named with the reason.

    Exit status: 0 if all earn the maximum, 1 if one does not, 2 for a usage
    error.

    For instance:

      sigma-env validate

      sigma-env validate sigmahq-real --limit 50 --json
    """
    from sigma_env.cli._progress import building
    from sigma_env.scoring.scorer import Scorer
    from sigma_env.scoring.validate import validate as validate_tasks
    from sigma_env.tasks.dataset import load_dataset

    scorer = Scorer(load_dataset(dataset), engine)
    tasks = scorer.dataset.playable(scorer.engine)[: limit or None]
    left_out = scorer.dataset.left_out(scorer.engine)
    checked: list[Checked] = []
    with building("checking tasks") as progress:
        for one in validate_tasks(scorer, tasks):
            checked.append(one)
            if progress is not None:
                progress(one.task.source, len(checked), len(tasks))
    failures = [failure for one in checked for failure in one.failures]
    if as_json:
        summary: dict[str, Any] = {
            "dataset": dataset,
            "engine": engine,
            "max_reward": scorer.max_reward,
            "tasks": len(checked),
            "answers": sum(one.answers for one in checked),
            "left_out": len(left_out),
            "failures": [failure._asdict() for failure in failures],
        }
        print(json.dumps(summary, indent=1))
    else:
        _tell(checked, scorer.max_reward, len(left_out))
    if failures or not checked:
        raise typer.Exit(1)


def _tell(checked: list[Checked], best: float, left_out: int) -> None:
    answers = sum(one.answers for one in checked)
    failures = [failure for one in checked for failure in one.failures]
    print(f"{len(checked):,} tasks, {answers:,} answers (the references, and equivalents of them)")
    if left_out:
        print(f"{left_out:,} more tasks have no truth under this engine")
    if not failures:
        print(f"all earn {best:.4g}" if checked else "there is no task to check")
        return
    print(f"{len(failures):,} do not earn {best:.4g}:")
    for failure in failures:
        earned = "" if failure.reward is None else f" earns {failure.reward:.4g}"
        print(f"\n  task {failure.task_id} ({failure.source}), {failure.answer}{earned}")
        print("\n".join(f"    {line}" for line in failure.why.splitlines()))
