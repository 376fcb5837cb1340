"""A picture of a dataset's quality: how near the best sloppy rules come, and how many mutants are told apart."""

from pathlib import Path
from typing import Any

from sigma_env.errors import OptionError
from sigma_env.scoring.quality.figures import Quality
from sigma_env.simulation.sloppy import LIKE_THE_RULE

_BINS = 20


def draw(quality: Quality, path: Path) -> None:
    """Writes the picture; the path's suffix is its format, such as .png or .svg.

    Raises:
        OptionError: matplotlib is not installed, or cannot write this format.
        OSError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError(
            "--figure needs matplotlib, which is missing; install the extra: pip install sigmaforge[quality]"
        ) from None
    # Without pyplot: it keeps figures, and asks for a screen.
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _shortcuts(left, quality)
    _mutants(right, quality)
    part = f", {quality.split}" if quality.split else ""
    figure.suptitle(f"{quality.dataset}{part}: {quality.measured:,} tasks")
    try:
        figure.savefig(path, dpi=120)
    except ValueError as error:
        raise OptionError(f"--figure {path}: {error}") from None


def _shortcuts(axes: Any, quality: Quality) -> None:
    by_kind: dict[str, list[float]] = {}
    for task in quality.tasks:
        best = task.best_shortcut
        if best is not None:
            by_kind.setdefault(best.kind, []).append(best.iou)
    kinds = sorted(by_kind, key=lambda kind: (-len(by_kind[kind]), kind))
    axes.hist([by_kind[kind] for kind in kinds], bins=_BINS, range=(0, 1), stacked=True, label=kinds)
    axes.axvline(LIKE_THE_RULE, color="black", linestyle="--", linewidth=1)
    axes.set(title="Best sloppy rule of each task, by kind", xlabel="IoU", ylabel="tasks")
    if kinds:
        axes.legend(fontsize="small")


def _mutants(axes: Any, quality: Quality) -> None:
    counted = quality.figures["mutants"]
    by_kind = {**counted["by_kind"], **counted["reported_only"]["by_kind"]}
    names = [kind if kind in counted["by_kind"] else f"{kind} (not gated)" for kind in by_kind]
    left = [0] * len(names)
    for what, colour in (("killed", "tab:green"), ("equivalent", "tab:gray"), ("alive", "tab:red")):
        counts = [_count(tally, what) for tally in by_kind.values()]
        axes.barh(names, counts, left=left, label=what, color=colour)
        left = [a + b for a, b in zip(left, counts, strict=True)]
    axes.invert_yaxis()
    axes.set(title="Mutants of the disclosed rules", xlabel="mutants")
    axes.legend(fontsize="small")


def _count(tally: dict[str, int], what: str) -> int:
    return tally["made"] - tally["killed"] - tally["equivalent"] if what == "alive" else tally[what]
