"""The report of a run: learning curves as a picture, and a page with all that was found; `python -m trainer report`."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from benchmarks.document import document, figure_html, table_html
from benchmarks.statistics import Estimate
from benchmarks.tables import Cell, Column, Table
from trainer import curves, records
from trainer.errors import TrainerError
from trainer.folder import CONFIG, LEFT_OUT, VERSIONS
from trainer.metrics import METRICS, read
from trainer.summary import SUMMARY, Change, Result, Summary

PAGE: Final = "report/index.html"
PICTURE: Final = "report/learning.png"

_ENDS: Final = 5
"""Steps whose mean stands for the beginning of a run, and for its end."""
_ROWS: Final = {
    "reward": "sigma/reward/mean",
    "IoU": "sigma/iou/mean",
    "valid rule": "sigma/yaml_valid/mean",
    "right logsource": "sigma/logsource_correct/mean",
    "groups without variance": "sigma/zero_variance",
    "tokens of an answer": "sigma/tokens/mean",
    "entropy": "actor/entropy",
    "clipped tokens": "actor/pg_clipfrac",
    "rules that match all": "sigma/hacks/match_all",
    "events matched, against the reference's": "sigma/hacks/breadth_mean",
    "copies of the request": "sigma/hacks/copied_request",
    "groups with the most frequent answer": "sigma/hacks/constant_answer",
    "answers not scored, by our fault": "sigma/engine_error",
    "seconds of a step": "timing_s/step",
    "of these, scoring at most": "sigma/scoring/wall_seconds",
    "scorer's CPU for an answer, ms": "sigma/scoring/cpu_ms_mean",
}


def write_report(run: Path) -> Path:
    """Writes the report of a run into its folder.

    Returns:
        The page.

    Raises:
        TrainerError: the folder has no metrics of a step.
    """
    lines = read(run)
    if not lines:
        raise TrainerError(f"{run / METRICS}: there is no step in it yet, so there is nothing to report")
    page = run / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    curves.write_png(lines, run / PICTURE)
    parts = [*_facts(run, lines), *_results(run), *table_html(_steps(lines))]
    parts += [_clipping(_json_or_yaml(run / CONFIG)), *map(figure_html, curves.draw(lines)), *_examples(run)]
    page.write_text(document(f"Training {run.resolve().name}", parts), encoding="utf-8")
    return page


def _json_or_yaml(path: Path) -> Any:
    """A file's contents; {} if it is not there."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def _facts(run: Path, lines: Sequence[Mapping[str, float]]) -> Iterator[str]:
    config, versions, left_out = (_json_or_yaml(run / name) for name in (CONFIG, VERSIONS, LEFT_OUT))
    facts: dict[str, object] = {"Steps": f"{lines[-1]['step']:.0f}"}
    if config:
        settings = config["sigmaforge"]
        facts["Steps"] = f"{lines[-1]['step']:.0f} of {config['trainer']['total_training_steps']}"
        facts |= {
            "Model": config["actor_rollout_ref"]["model"]["path"],
            "Dataset": f"{settings['dataset']}, engine {settings['engine']}, semantics {settings['semantics']}",
        }
    for split, counts in left_out.items():
        facts[f"Prompts too long, {split}"] = f"{len(counts['overlong'])} of {counts['tasks']} left out"
    if versions:
        facts |= {"Commit": versions["commit"] or "no checkout", "Seeds": versions["seeds"]}
        facts["Packages"] = ", ".join(f"{name} {number}" for name, number in versions["packages"].items())
    items = "".join(f"<li>{escape(name)}: {escape(str(fact))}</li>" for name, fact in facts.items())
    yield f"<ul>{items}</ul>"


def _results(run: Path) -> Iterator[str]:
    """Before and after, where the run was evaluated."""
    if not (run / SUMMARY).exists():
        return
    summary = Summary.read(run / SUMMARY)
    rows = [_row("GRPO", result) for result in summary.results]
    rows += [_row("control", result) for result in summary.control.values()]
    columns = (
        Column("what", "Training"), Column("where", "Tasks"), Column("tasks", "", "count"),
        Column("clusters", "Clusters", "count"), Column("reward_before", "Reward before", "score"),
        Column("reward_after", "After", "score"), Column("reward", "Gain", "signed"),
        Column("iou_before", "IoU before", "score"), Column("iou_after", "After", "score"),
        Column("iou", "Gain", "signed"),
    )  # fmt: skip
    about = "Gains with their 95 % intervals, by a paired bootstrap over clusters of near tasks."
    yield from table_html(Table("results", "Before and after", about, columns, tuple(rows)))
    gates = [
        {"gate": name, "about": gate.about, "value": gate.value, "passed": "kept" if gate.passed else "broken"}
        for name, gate in summary.gates.items()
    ]
    kinds = (Column("gate", "Gate"), Column("about", ""), Column("value", "Value", "score"), Column("passed", ""))
    verdict = "All that is asked of a training holds." if summary.passed else "; ".join(summary.faults())
    yield from table_html(Table("gates", "Gates against hacks", verdict, kinds, tuple(gates)))


def _row(what: str, result: Result) -> dict[str, Cell]:
    def estimate(change: Change) -> Estimate:
        return Estimate(change.gain, change.low, change.high, result.tasks, result.clusters)

    return {
        "what": what,
        "where": f"{result.split}, {result.decoding}, seed {result.seed}",
        "tasks": result.tasks,
        "clusters": result.clusters,
        "reward_before": result.reward.before,
        "reward_after": result.reward.after,
        "reward": estimate(result.reward),
        "iou_before": result.iou.before,
        "iou_after": result.iou.after,
        "iou": estimate(result.iou),
    }


def _steps(lines: Sequence[Mapping[str, float]]) -> Table:
    rows: list[dict[str, Cell]] = []
    for title, name in _ROWS.items():
        values = [line[name] for line in lines if name in line]
        if values:
            rows.append({"what": title, "first": fmean(values[:_ENDS]), "last": fmean(values[-_ENDS:])})
    columns = (
        Column("what", "Mean of steps"),
        Column("first", f"First {_ENDS}", "score"),
        Column("last", f"Last {_ENDS}", "score"),
    )
    about = (
        "Of all rollouts, those of groups that were filtered out among them. Scoring passes mostly while other answers "
        "are sampled; it adds at most the time that stands here."
    )
    return Table("steps", "The steps", about, columns, tuple(rows))


def _clipping(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    updates = config["data"]["train_batch_size"] // config["actor_rollout_ref"]["actor"]["ppo_mini_batch_size"]
    if updates > 1:
        return f"<p>Each step makes {updates} updates; from the second on, tokens may be clipped.</p>"
    return "<p>Each step makes one update, so the share of clipped tokens is 0 by construction.</p>"


def _examples(run: Path) -> Iterator[str]:
    """The best, the middle and the worst answer of the last step that has records."""
    folder = run / records.ROLLOUTS
    steps = list(records.steps(folder))
    if not steps:
        return
    scored = [one for one in records.read(folder, steps[-1]) if one.reward is not None]
    scored.sort(key=lambda one: -(one.reward or 0.0))
    yield f"<h2>Answers of step {steps[-1]}</h2>"
    for name, one in (("best", scored[:1]), ("middle", scored[len(scored) // 2 :][:1]), ("worst", scored[-1:])):
        for record in one:
            about = f"The {name}: reward {record.reward:.3f}, {record.status}, task {record.task_id}"
            yield f"<p>{escape(about)}</p><pre>{escape(record.answer)}</pre>"
