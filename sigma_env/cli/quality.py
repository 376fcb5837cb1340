"""``sigma-env quality``: how well a dataset's tasks tell right rules from wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from sigma_env.scoring.quality import Quality


def quality(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")] = "starter",
    split: Annotated[Literal["train", "validation", "test"] | None, typer.Option(help="Only tasks of a split.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Look at so many tasks, chosen by the seed; 0 means all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the choice of tasks and events, and of the trees.")] = 0,
    processes: Annotated[int, typer.Option(min=1, help="How many processes may work at once.")] = 2,
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="NAME=VALUE", help="Fail if a figure is worse than this. Can be repeated."),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="Name so many of the worst tasks of each figure.")] = 3,
    figure: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Draw the shortcuts and mutants, as .png …")
    ] = None,
    details: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write what was found about each task, one JSON object a line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Measure how well a dataset's tasks tell right rules from wrong ones.

    Wrong versions of each task's rule are scored as answers: rules that know
    only a part of it (shortcuts), and rules with one thing wrong (mutants).
    A task on which one of them scores like the rule teaches the wrong rule.
    Further figures say whether right answers earn the maximum, whether the
    events give away which of them count, and whether tasks repeat each other.

    A gate is the worst value that passes, such as shortcut_rate=0.03. A part
    of a figure stands behind a dot: coverage.mean=0.9. A figure of several
    parts passes if each part does: held_out_shortcuts=0.1.

    artefact_auc needs scikit-learn and --figure needs matplotlib; both are in
    the extra sigmaforge[quality].

    Exit status: 0, or 1 if a gate fails, 2 for a usage error.

    For instance:

      sigma-env quality starter

      sigma-env quality starter --gate shortcut_rate=0.02 --gate margin_p05=0.2
    """
    from sigma_env.cli._progress import building
    from sigma_env.scoring.quality import measure, parse_gate
    from sigma_env.scoring.scorer import Scorer
    from sigma_env.tasks.dataset import load_dataset

    limits = [parse_gate(text) for text in gates or ()]
    with building("checking tasks") as progress:
        scorer = Scorer(load_dataset(dataset))
        found = measure(scorer, split=split, sample=sample, seed=seed, processes=processes, progress=progress)
    failures = [failure for limit in limits for failure in limit.failures(found.figures)]
    if figure is not None:
        from sigma_env.scoring.quality.plot import draw

        draw(found, figure)
    if details is not None:
        _write_details(found, details)
    if as_json:
        print(json.dumps({**_head(found), "figures": found.figures, "failed_gates": failures}, indent=1))
    else:
        from sigma_env.cli._quality_table import show

        show(found, failures, worst)
    if failures:
        raise typer.Exit(1)


def _head(found: Quality) -> dict[str, Any]:
    return {"dataset": found.dataset, "split": found.split, "measured": found.measured}


def _write_details(found: Quality, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for one in found.tasks:
            row = {**one._asdict(), "rewards": one.rewards._asdict()}
            del row["described"]
            row["shortcuts"] = [] if one.shortcuts is None else _versions(one.shortcuts.best.values())
            row["mutants"] = {} if one.mutants is None else {k: t._asdict() for k, t in one.mutants.tallies.items()}
            row["mutants_alive"] = [] if one.mutants is None else _versions(one.mutants.alive)
            row["held_out"] = _versions((one.held_out or {}).values())
            row["novelty"] = None if one.novelty is None else one.novelty._asdict()
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _versions(versions: Any) -> list[dict[str, Any]]:
    return [version._asdict() for version in versions]
