"""The learning curves of a run, drawn from its metrics; a figure of which nothing was measured is not made."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.drawing import ACCENT, GREEN, GREY, INK, PALE, Drawn, axes, dress, svg
from sigma_env.sigma.answer import STATUSES
from trainer.signals import BIN, PREFIX

Lines = Sequence[dict[str, float]]
"""Of metrics.jsonl, by step."""

_COLOURS: Final = (INK, ACCENT, GREEN, GREY, PALE, "#7030a0", "#bf9000")
_ACROSS: Final = 2
_PANEL: Final = (6.4, 3.6)
_DPI: Final = 110


class Panel(NamedTuple):
    """A figure of curves over steps.

    Attributes:
        name: of it, in the page.
        title: for people.
        y: what the vertical axis is.
        curves: legend → name in the metrics.
    """

    name: str
    title: str
    y: str
    curves: dict[str, str]


PANELS: Final = (
    Panel(
        "reward",
        "Reward and IoU: of all rollouts, and on held-out tasks",
        "mean",
        {
            "reward": "sigma/reward/mean",
            "IoU alone": "sigma/iou/mean",
            "reward, validation": "validation/sigma/reward/mean",
            "IoU, validation": "validation/sigma/iou/mean",
        },
    ),
    Panel(
        "components",
        "What the reward is made of",
        "mean",
        {
            "valid rule": "sigma/yaml_valid/mean",
            "right logsource": "sigma/logsource_correct/mean",
            "IoU": "sigma/iou/mean",
        },
    ),
    Panel("lengths", "Length of answers", "tokens", {"mean": "sigma/tokens/mean", "longest": "sigma/tokens/max"}),
    Panel("entropy", "Entropy of the policy", "nats a token", {"entropy": "actor/entropy"}),
    Panel(
        "learning",
        "What is learned from",
        "share",
        {"groups without variance": "sigma/zero_variance", "clipped tokens": "actor/pg_clipfrac"},
    ),
    Panel(
        "hacks",
        "Signs of cheating",
        "share of answers",
        {
            "rules that match all": "sigma/hacks/match_all",
            "more than 5 times the reference's events": "sigma/hacks/over_broad",
            "copies of the request": "sigma/hacks/copied_request",
            "groups with the most frequent answer": "sigma/hacks/constant_answer",
        },
    ),
    Panel(
        "breadth", "Events that a rule matches, against the reference's", "times", {"mean": "sigma/hacks/breadth_mean"}
    ),
    Panel(
        "seconds",
        "Time of a step",
        "seconds",
        {"step": "timing_s/step", "sampling": "timing_s/gen", "scoring, at most": "sigma/scoring/wall_seconds"},
    ),
)


def draw(lines: Lines) -> list[Drawn]:
    """The figures as SVG."""
    found = []
    for name, title, y, paint in _paints(lines):
        figure, pair = axes("step", y)
        paint(pair)
        found.append(Drawn(name, title, svg(figure)))
    return found


def write_png(lines: Lines, path: Path) -> None:
    """The same figures in one picture."""
    paints = _paints(lines)
    down = max(1, math.ceil(len(paints) / _ACROSS))
    figure = Figure(figsize=(_PANEL[0] * _ACROSS, _PANEL[1] * down), layout="constrained")
    for place, (_, title, y, paint) in enumerate(paints, 1):
        pair = figure.add_subplot(down, _ACROSS, place)
        pair.set_title(title, fontsize=10)
        dress(pair, "step", y)
        paint(pair)
    figure.savefig(path, dpi=_DPI)


_Paint = Callable[[Any], None]


def _paints(lines: Lines) -> list[tuple[str, str, str, _Paint]]:
    """Name, title and vertical axis of each figure that there is something for, and what paints it."""
    found: list[tuple[str, str, str, _Paint]] = []
    for panel in PANELS:
        there = {label: points for label, name in panel.curves.items() if (points := _points(lines, name))}
        if there:
            found.append((panel.name, panel.title, panel.y, partial(_curves, curves=there)))
    steps = [line for line in lines if PREFIX + "reward/mean" in line]
    if steps:
        found.insert(2, ("statuses", "What became of answers", "share", partial(_statuses, steps=steps)))
        for name, title in (("reward", "Rewards of a step's rollouts"), ("iou", "IoU of a step's rollouts")):
            found.append(
                (f"{name}-histogram", title, name, partial(_heat, steps=steps, shares=_histogram(steps, name)))
            )
    return found


def _points(lines: Lines, name: str) -> list[tuple[float, float]]:
    return [(line["step"], line[name]) for line in lines if name in line]


def _curves(pair: Any, curves: dict[str, list[tuple[float, float]]]) -> None:
    for place, (label, points) in enumerate(curves.items()):
        x, y = zip(*points, strict=True)
        held_out = label.endswith("validation")  # in the colour of the same number of the rollouts
        colour = _COLOURS[place - 2 if held_out else place]
        # Thinner and thinner, so that a curve under another one is seen.
        pair.plot(x, y, "o--" if held_out else "-", color=colour, label=label, markersize=4, linewidth=3 - 0.6 * place)
    pair.set_ylim(bottom=0)
    pair.legend(fontsize=8)


def _statuses(pair: Any, steps: Lines) -> None:
    shares = {name: [line[f"{PREFIX}status/{name}"] for line in steps] for name in STATUSES}
    there = {name: values for name, values in shares.items() if any(values)}
    order = sorted(there, key=lambda name: name != "ok")
    colours = [INK, *(colour for colour in _COLOURS if colour != INK)] if "ok" in there else list(_COLOURS[1:])
    x = [line["step"] for line in steps]
    bottom = np.zeros(len(x))
    for name, colour in zip(order, colours, strict=False):
        pair.bar(x, there[name], bottom=bottom, color=colour, label=name, width=1.0)
        bottom += np.array(there[name])
    pair.set_ylim(0, 1)
    pair.legend(fontsize=8)


def _histogram(steps: Lines, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Shares by bin and step."""
    prefix = f"{PREFIX}{name}/histogram/"
    bins = sorted(key for key in steps[0] if key.startswith(prefix))
    return np.array([[line[key] for line in steps] for key in bins])


def _heat(pair: Any, steps: Lines, shares: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    first, last = steps[0]["step"] - 0.5, steps[-1]["step"] + 0.5
    image = pair.imshow(
        shares, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=max(0.5, float(shares.max())),
        extent=(first, last, 0, len(shares) * BIN), interpolation="nearest",
    )  # fmt: skip
    pair.figure.colorbar(image, ax=pair, label="share of rollouts")
