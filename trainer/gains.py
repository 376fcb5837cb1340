"""What a training gained, as a figure and a table: before and after, beside the control and the bounds of the gain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainer.summary import Result, Summary

FIGURE: Final = "gains.png"
TABLE: Final = "gains.md"


def write(summary: Summary, folder: Path, command: str) -> None:
    """Writes the figure and the table.

    Args:
        summary: what they show.
        folder: where to; it is made if it is missing.
        command: that made the summary, for the table's last line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw(summary, folder / FIGURE)
    (folder / TABLE).write_text(table(summary, command), encoding="utf-8")


def table(summary: Summary, command: str) -> str:
    """Means of reward and IoU over held-out tasks, and the gain's 95 % interval (paired bootstrap over clusters)."""
    return "\n".join(_lines(summary, command)) + "\n"


def _lines(summary: Summary, command: str) -> Iterator[str]:
    yield "| seed | decoding | what | reward before | after | gain | IoU before | after | gain |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for result in summary.results:
        yield _row("GRPO", result)
        control = summary.control.get(f"{result.decoding}, seed {result.seed}")
        if control is not None:
            yield _row("more warm start", control)
    first = summary.results[0]
    yield f"\n{first.tasks} tasks of the split {first.split!r} in {first.clusters} clusters. Made by `{command}`"
    yield f"at commit {summary.commit or 'unknown'}. Wall time in seconds:\n"
    yield "| stage | seconds |\n|---|---|"
    yield from (f"| {stage} | {seconds:.0f} |" for stage, seconds in summary.seconds.items())
    yield "\n| gate | value | bound | |\n|---|---|---|---|"
    for name, gate in summary.gates.items():
        bound = f"at most {gate.most:g}" if gate.most is not None else f"at least {gate.least:g}"
        yield f"| {name} | {gate.value:.3f} | {bound} | {'kept' if gate.passed else 'BROKEN'} |"
    faults = summary.faults()
    yield "\nAll that is asked of the training holds." if not faults else "\nWhat does not hold:\n"
    yield from (f"- {fault}" for fault in faults)


def _row(what: str, result: Result) -> str:
    cells = [str(result.seed), result.decoding, what]
    for change in (result.reward, result.iou):
        gain = f"{change.gain:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        cells += [f"{change.before:.3f}", f"{change.after:.3f}", gain]
    return f"| {' | '.join(cells)} |"


def draw(summary: Summary, path: Path) -> None:
    """A bar for the reward before, after, and of the control, for each seed and decoding; whiskers bound the gain."""
    from matplotlib.figure import Figure

    from benchmarks.drawing import ACCENT, INK, PALE, dress

    figure = Figure(figsize=(1.6 + 1.7 * len(summary.results), 4.2), layout="constrained")
    axes = figure.add_subplot()
    width = 0.27
    for place, result in enumerate(summary.results):
        control = summary.control.get(f"{result.decoding}, seed {result.seed}")
        bars = [("before", PALE, result, result.reward.before), ("after GRPO", INK, result, result.reward.after)]
        if control is not None:
            bars.append(("after more warm start", ACCENT, control, control.reward.after))
        for number, (label, colour, shown, height) in enumerate(bars):
            at = place + (number - (len(bars) - 1) / 2) * width
            axes.bar(at, height, width, color=colour, label=label if not place else None)
            axes.text(at, height + 0.02, f"{height:.2f}", ha="center", va="bottom", fontsize=8)
            if number:
                change = shown.reward
                axes.errorbar(
                    at, height, [[change.gain - change.low], [change.high - change.gain]], color="black", capsize=3
                )
    axes.set_xticks(range(len(summary.results)), [f"{one.decoding}\nseed {one.seed}" for one in summary.results])
    dress(axes, "", "reward on held-out tasks (best: 1.1)")
    axes.set_ylim(0, 1.3)
    axes.legend(frameon=False, loc="upper left", ncols=3, fontsize=8)
    figure.savefig(path, dpi=150, metadata={"Software": None})
