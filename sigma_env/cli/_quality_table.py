"""The figures of a dataset as a table for people, and the tasks that are worst by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sigma_env.scoring.quality.figures import FIGURES, Figure, Quality
from sigma_env.scoring.quality.one_task import TaskQuality
from sigma_env.simulation.sloppy import LIKE_THE_RULE
from sigma_env.tasks.folder import read_cost

_BEST_REWARD = 1.1


def show(found: Quality, failures: Sequence[str], worst: int) -> None:
    """Prints the figures with their meanings and targets, then the worst tasks, then the gates that failed."""
    part = f", {found.split}" if found.split else ""
    built = read_cost(found.dataset)
    cost = "" if built is None else f", built in {built:.0f} s"
    print(f"{found.dataset}{part}: {found.measured:,} tasks{cost}, measured in {found.seconds:.0f} s\n")
    rows = [row for figure in FIGURES for row in _rows(figure, found.figures[figure.name])]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, value, target, about in rows:
        print(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {target:<{widths[2]}}  {about}".rstrip())
    if worst:
        _show_worst(found, worst)
    for failure in failures:
        print(f"\ngate failed: {failure}")


def _rows(figure: Figure, value: Any) -> Iterable[tuple[str, str, str, str]]:
    target = ""
    if figure.target is not None:
        target = f"{'>=' if figure.better == 'high' else '<='} {figure.target:g}"
    if not isinstance(value, dict):
        yield figure.name, _shown(value), target, figure.about
        return
    yield figure.name, "", target, figure.about
    for part, number in value.items():
        if isinstance(number, dict):
            number = _tally(number)
        yield f"  {part}", _shown(number), "", ""
        if part in ("by_kind", "reported_only"):
            tallies = value[part].get("by_kind", value[part]) if part == "reported_only" else value[part]
            yield from ((f"    {kind}", _tally(tally), "", "") for kind, tally in tallies.items())


def _tally(counts: dict[str, Any]) -> str:
    if "made" not in counts:
        return ""
    return f"{counts['killed']:,} of {counts['made'] - counts['equivalent']:,}"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _show_worst(found: Quality, count: int) -> None:
    tasks = [one for one in found.tasks if one.detectable]
    _tell(
        "Sloppy rules that score like the rule",
        [
            (best.iou, one, f"IoU {best.iou:.2f}, {best.kind}: {best.title}")
            for one in tasks
            if (best := one.best_shortcut) is not None and best.iou >= LIKE_THE_RULE
        ],
        count,
    )
    alive = [(one, one.mutants.alive) for one in tasks if one.mutants is not None and one.mutants.alive]
    _tell(
        "Mutants that score like the rule",
        [(len(left), one, f"{len(left)}, such as {left[0].kind}: {left[0].title}") for one, left in alive],
        count,
    )
    held_out = [(one, max((one.held_out or {}).values(), key=lambda v: v.iou, default=None)) for one in tasks]
    _tell(
        "Held-out strategies that score like the rule",
        [(v.iou, one, f"IoU {v.iou:.2f}, {v.kind}: {v.title}") for one, v in held_out if v and v.iou >= LIKE_THE_RULE],
        count,
    )
    _tell(
        "Values that only the true events have",
        [
            (novelty.novel / novelty.values, one, f"{novelty.novel} of {novelty.values}, such as {novelty.examples[0]}")
            for one in tasks
            if (novelty := one.novelty) is not None and novelty.novel
        ],
        count,
    )
    _tell(
        "Right answers that earn less than the maximum",
        [
            (-min(one.rewards[:3]), one, f"reference {r.reference:.4g}, disclosed part {r.ceiling:.4g}, "
             f"equivalents {r.equivalents:.4g} ({r.worst_equivalent})")
            for one in found.tasks
            if min((r := one.rewards)[:3]) < _BEST_REWARD
        ],
        count,
    )  # fmt: skip
    artefact = found.whole.artefact
    if artefact is not None:
        print(f"\nartefact_auc comes from {artefact.events:,} events of {artefact.tasks:,} tasks; within one task the")
        print(f"mean is {artefact.within:.3f}. The features that tell most by themselves, with their own AUC:")
        for name, alone in artefact.telling[:count]:
            print(f"  {alone:.3f}  {name}")


def _tell(title: str, found: list[tuple[float, TaskQuality, str]], count: int) -> None:
    if not found:
        return
    print(f"\n{title} ({len(found):,} tasks):")
    found.sort(key=lambda one: (-one[0], one[1].source))
    for _, task, what in found[:count]:
        print(f"  {task.task_id} ({task.source}): {what:.300}")
