"""The figures: only what was measured is drawn, and a figure of which nothing was is not made."""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmarks.agents import CONSTANT
from benchmarks.drawing import ACCENT, INK, PALE, Drawn, axes, svg
from benchmarks.numbers import compare, exam_of, numbers_of
from benchmarks.results import Result


def draw(results: Sequence[Result]) -> list[Drawn]:
    """The figures of a run, for each exam."""
    found = []
    for exam in dict.fromkeys(exam_of(result.job) for result in results):
        of_exam = [result for result in results if exam_of(result.job) == exam]
        where = "-".join(exam)
        for name, title, figure in _figures(of_exam):
            found.append(Drawn(f"{name}-{where}", f"{title} ({', '.join(exam)})", svg(figure)))
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


def _rows(pair: Any, count: int) -> None:
    """Horizontal bars from top to bottom, no thicker for being few."""
    pair.set_ylim(max(count, 4) - 0.5, -0.5)


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
    figure, pair = axes("dollars per request", "score")
    for cost, reward, iou, label in points:
        below, above = max(0.0, reward.mean - reward.low), max(0.0, reward.high - reward.mean)
        pair.errorbar([cost], [reward.mean], yerr=[[below], [above]], fmt="o", color=INK, capsize=3)
        pair.plot([cost], [iou], "s", color=ACCENT)
        pair.annotate(label, (cost, reward.mean), xytext=(6, 4), textcoords="offset points", fontsize=8)
    _constant_line(pair, results)
    pair.plot([], [], "o", color=INK, label="reward")
    pair.plot([], [], "s", color=ACCENT, label="IoU alone")
    pair.set_ylim(bottom=0)
    pair.set_xlim(left=0)
    pair.legend(fontsize=8)
    return figure


def _constant_line(pair: Any, results: Sequence[Result]) -> None:
    for result in results:
        reward = numbers_of(result).reward if result.job.model == CONSTANT else None
        if reward is not None:
            pair.axhline(reward.mean, color="grey", linestyle=":", label="reward of the best constant answer")


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
    figure, pair = axes(f"% less per correct rule than {title}")
    labels = [_label(result) for result, _ in costs]
    pair.barh(labels, [100 * (1 - cost / reference) for _, cost in costs], color=INK)
    pair.axvline(0, color="grey", linewidth=0.8)
    _rows(pair, len(costs))
    return figure


def _latency(results: Sequence[Result]) -> Figure | None:
    found = [(_label(r), n.latency_p50, n.latency_p95) for r in _asked(results) if (n := numbers_of(r)).latency_p50]
    if not found:
        return None
    figure, pair = axes("seconds per request")
    labels = [label for label, *_ in found]
    pair.barh(labels, [p95 or 0.0 for *_, p95 in found], color=PALE, label="95 % are done")
    pair.barh(labels, [p50 or 0.0 for _, p50, _ in found], color=INK, height=0.45, label="half are done")
    _rows(pair, len(found))
    pair.legend(fontsize=8)
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
    figure, pair = axes("reward gained, with its 95 % interval; squares: IoU alone")
    for label, difference in found:
        reward = difference.reward
        left, right = max(0.0, reward.mean - reward.low), max(0.0, reward.high - reward.mean)
        pair.barh([label], [reward.mean], xerr=[[left], [right]], color=INK, capsize=3)
        pair.plot([difference.iou.mean], [label], "s", color=ACCENT)
    pair.axvline(0, color="grey", linewidth=0.8)
    _rows(pair, len(found))
    return figure
