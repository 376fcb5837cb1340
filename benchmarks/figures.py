"""The figures: only what was measured is drawn, and a figure of which nothing was is not made."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.agents import CONSTANT
from benchmarks.numbers import compare, exam_of, numbers_of
from benchmarks.results import Result

_SIZE: Final = (7.5, 4.2)
_INK: Final = "#1f4e79"
_ACCENT: Final = "#c55a11"
_PALE: Final = "#9dc3e6"


class Drawn(NamedTuple):
    """A figure: the name of its file, what it shows, and the drawing as SVG."""

    name: str
    title: str
    svg: str


def draw(results: Sequence[Result]) -> list[Drawn]:
    """The figures of a run, for each exam."""
    found = []
    for exam in dict.fromkeys(exam_of(result.job) for result in results):
        of_exam = [result for result in results if exam_of(result.job) == exam]
        where = "-".join(exam)
        for name, title, figure in _figures(of_exam):
            found.append(Drawn(f"{name}-{where}", f"{title} ({', '.join(exam)})", _svg(figure)))
    return found


def _figures(results: Sequence[Result]) -> Iterator[tuple[str, str, Figure]]:
    for name, title, make in (
        ("score-cost", "Score against cost", _score_cost),
        ("cost-reduction", "Cost of a correct rule, less than the best closed model's", _cost_reduction),
        ("latency", "Latency", _latency),
        ("improvement", "Score improvement over the base model", _improvement),
    ):
        figure = make(results)
        if figure is not None:
            yield name, title, figure


def _axes(x: str, y: str = "") -> tuple[Figure, Any]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _rows(axes: Any, count: int) -> None:
    """Horizontal bars from top to bottom, no thicker for being few."""
    axes.set_ylim(max(count, 4) - 0.5, -0.5)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Without date and with a fixed salt, equal results give equal files.
    with mpl.rc_context({"svg.hashsalt": "sigmaforge", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _label(result: Result) -> str:
    strategy = result.job.strategy
    return result.job.title if strategy == "zero-shot" else f"{result.job.title} ({strategy})"


def _asked(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.job.group != "agent"]


def _score_cost(results: Sequence[Result]) -> Figure | None:
    points = []
    for result in _asked(results):
        numbers = numbers_of(result)
        if numbers.cost_per_request is not None and numbers.reward is not None and numbers.iou is not None:
            points.append((numbers.cost_per_request, numbers.reward, numbers.iou.mean, _label(result)))
    if not points:
        return None
    figure, axes = _axes("dollars per request", "score")
    for cost, reward, iou, label in points:
        below, above = max(0.0, reward.mean - reward.low), max(0.0, reward.high - reward.mean)
        axes.errorbar([cost], [reward.mean], yerr=[[below], [above]], fmt="o", color=_INK, capsize=3)
        axes.plot([cost], [iou], "s", color=_ACCENT)
        axes.annotate(label, (cost, reward.mean), xytext=(6, 4), textcoords="offset points", fontsize=8)
    _constant_line(axes, results)
    axes.plot([], [], "o", color=_INK, label="reward")
    axes.plot([], [], "s", color=_ACCENT, label="IoU alone")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(fontsize=8)
    return figure


def _constant_line(axes: Any, results: Sequence[Result]) -> None:
    for result in results:
        reward = numbers_of(result).reward if result.job.model == CONSTANT else None
        if reward is not None:
            axes.axhline(reward.mean, color="grey", linestyle=":", label="reward of the best constant answer")


def _cost_reduction(results: Sequence[Result]) -> Figure | None:
    costs = [
        (result, found) for result in _asked(results) if (found := numbers_of(result).cost_per_correct) is not None
    ]
    closed = [
        (reward.mean, result.job.title, cost)
        for result, cost in costs
        if result.job.group == "closed" and cost and (reward := numbers_of(result).reward) is not None
    ]
    if not closed or len(costs) < 2:
        return None
    _, title, reference = max(closed)
    figure, axes = _axes(f"% less per correct rule than {title}")
    labels = [_label(result) for result, _ in costs]
    axes.barh(labels, [100 * (1 - cost / reference) for _, cost in costs], color=_INK)
    axes.axvline(0, color="grey", linewidth=0.8)
    _rows(axes, len(costs))
    return figure


def _latency(results: Sequence[Result]) -> Figure | None:
    found = [(_label(r), n.latency_p50, n.latency_p95) for r in _asked(results) if (n := numbers_of(r)).latency_p50]
    if not found:
        return None
    figure, axes = _axes("seconds per request")
    labels = [label for label, *_ in found]
    axes.barh(labels, [p95 or 0.0 for *_, p95 in found], color=_PALE, label="95 % are done")
    axes.barh(labels, [p50 or 0.0 for _, p50, _ in found], color=_INK, height=0.45, label="half are done")
    _rows(axes, len(found))
    axes.legend(fontsize=8)
    return figure


def _improvement(results: Sequence[Result]) -> Figure | None:
    found = []
    for result in results:
        job = result.job
        bases = [o for o in results if job.base and (o.job.model, o.job.strategy) == (job.base, job.strategy)]
        difference = compare(result, bases[0]) if bases else None
        if difference is not None:
            found.append((_label(result), difference))
    if not found:
        return None
    figure, axes = _axes("reward gained, with its 95 % interval; squares: IoU alone")
    for label, difference in found:
        reward = difference.reward
        left, right = max(0.0, reward.mean - reward.low), max(0.0, reward.high - reward.mean)
        axes.barh([label], [reward.mean], xerr=[[left], [right]], color=_INK, capsize=3)
        axes.plot([difference.iou.mean], [label], "s", color=_ACCENT)
    axes.axvline(0, color="grey", linewidth=0.8)
    _rows(axes, len(found))
    return figure
