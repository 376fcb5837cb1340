"""From the results of a run to its tables: baselines, trained models, causes of failure, comparisons, prices."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from benchmarks.agents import ABSTAIN_AGENTS, AGENTS, CONSTANT
from benchmarks.failures import FAILURES, PASS_IOU
from benchmarks.models import Group, ModelSpec
from benchmarks.numbers import FRESH_SUFFIX, Comparison, compare, exam_of, gap, numbers_of
from benchmarks.results import Job, Result
from benchmarks.tables import Cell, Column, Table

BASELINES: Final[tuple[Group, ...]] = ("agent", "closed", "base", "endpoint")
TRAINED: Final[tuple[Group, ...]] = ("base", "warm-started", "trained")
_ORDER: Final[tuple[Group, ...]] = ("agent", "closed", "endpoint", "base", "warm-started", "trained")

_WHO: Final = (Column("title", "Model"), Column("strategy", "Prompt"))
_FIGURES: Final = (
    Column("scored", "Scored", "count"),
    Column("unscored", "Unscored", "count"),
    Column("reward", "Reward", "score"),
    Column("iou", "IoU alone", "score"),
    Column("yaml_valid", "Valid", "score"),
    Column("logsource_correct", "Logsource", "score"),
    Column("passed", f"IoU ≥ {PASS_IOU}", "score"),
    Column("consistency", "Same over samples", "share"),
    Column("rewordings", "Same over rewordings", "share"),
    Column("abstained_rightly", "Abstains rightly", "share"),
    Column("abstained_wrongly", "Abstains wrongly", "share"),
    Column("cost_per_request", "$ per request", "dollars"),
    Column("cost_per_correct", "$ per correct rule", "dollars"),
    Column("latency_p50", "Seconds p50", "seconds"),
    Column("latency_p95", "Seconds p95", "seconds"),
    Column("input_tokens", "Tokens in", "tokens"),
    Column("output_tokens", "Tokens out", "tokens"),
    Column("truncated", "Cut off", "count"),
    Column("retries", "Retries", "count"),
    Column("replayed", "Replayed", "count"),
)
_NOTE: Final = Column("note", "Note")
_READ: Final = (
    "Means over tasks with 95 % bootstrap intervals over clusters of near tasks; the figures are about the scored "
    "answers, and failed requests are unscored, never 0. Reward is at most {best:g}; an IoU of 0 still earns 0.4 for a "
    "valid rule in the right place, so read the IoU, and the best constant answer, beside it. What was not measured is "
    "empty."
)


class Report(NamedTuple):
    """The tables of a run."""

    tables: tuple[Table, ...]
    results: tuple[Result, ...]
    skipped: Mapping[str, str]


def make_report(results: Sequence[Result], models: Mapping[str, ModelSpec], skipped: Mapping[str, str]) -> Report:
    """All tables.

    Args:
        results: of the run.
        models: the catalogue: those of it that were not run have empty rows.
        skipped: why models were not run, by name.
    """
    tables: list[Table] = []
    for exam in dict.fromkeys(exam_of(result.job) for result in results):
        of_exam = [result for result in results if exam_of(result.job) == exam]
        tables += _of_exam(of_exam, models, skipped)
    tables += _gaps(results)
    tables += _prices(results)
    return Report(tuple(tables), tuple(results), dict(skipped))


def _of_exam(results: Sequence[Result], models: Mapping[str, ModelSpec], skipped: Mapping[str, str]) -> Iterator[Table]:
    job = results[0].job
    place, where = f"{job.dataset}-{job.split}", f"{job.dataset}, {job.split}"
    about = _READ.format(best=job.max_reward)
    columns = (*_WHO, *_FIGURES, _NOTE)
    baselines = [result for result in results if result.job.group in BASELINES]
    rows = [*map(_row, _sorted(baselines)), *_absent(baselines, models, skipped, BASELINES)]
    yield Table(f"table1-{place}", f"Table 1: baselines on {where}", about, columns, tuple(rows))
    trained = [r for r in results if r.job.group in TRAINED or r.job.model == CONSTANT]
    rows = [*(_trained_row(one, results) for one in _sorted(trained)), *_absent(trained, models, skipped, TRAINED)]
    versus = (
        Column("against_base", "Reward against base", "signed"),
        Column("against_base_iou", "IoU against base", "signed"),
        Column("against_closed", "Reward against best closed", "signed"),
        Column("against_closed_iou", "IoU against best closed", "signed"),
    )
    yield Table(
        f"table2-{place}", f"Table 2: trained models on {where}", about, (*_WHO, *versus, *_FIGURES, _NOTE), tuple(rows)
    )
    yield _failures(results, place, where)
    yield _comparisons(results, place, where)


def _sorted(results: Sequence[Result]) -> list[Result]:
    agents = [*AGENTS, *ABSTAIN_AGENTS]

    def place(result: Result) -> tuple[int, int, str, str]:
        job = result.job
        agent = agents.index(job.model) if job.model in agents else 0
        return _ORDER.index(job.group), agent, job.title, job.strategy

    return sorted(results, key=place)


def _row(result: Result) -> dict[str, Cell]:
    job, numbers = result.job, numbers_of(result)
    figures = {column.name: getattr(numbers, column.name) for column in _FIGURES}
    if job.group == "agent":
        figures |= {"truncated": None, "retries": None, "replayed": None, "consistency": None}
    notes = [f"{count} × {reason}" for reason, count in numbers.errors.items()]
    return {
        "title": job.title,
        "strategy": "" if job.group == "agent" else job.strategy,
        **figures,
        "note": _cut(notes),
    }


def _cut(notes: Sequence[str], most: int = 3) -> str:
    more = [f"and {len(notes) - most} more reasons"] if len(notes) > most else []
    return "; ".join([*(note[:120] for note in notes[:most]), *more])


def _absent(
    results: Sequence[Result], models: Mapping[str, ModelSpec], skipped: Mapping[str, str], groups: Sequence[Group]
) -> Iterator[dict[str, Cell]]:
    """Rows of the catalogue's models that were not run: empty but for the reason."""
    there = {result.job.model for result in results}
    for spec in models.values():
        if spec.group in groups and spec.name not in there:
            why = skipped.get(spec.name)
            yield {"title": spec.title, "strategy": "", "note": f"not run: {why}" if why else "not run"}


def _trained_row(result: Result, results: Sequence[Result]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for name, other in (("base", _base_of(result, results)), ("closed", _best_closed(result.job, results))):
        found = None if other is None else compare(result, other)
        if found is not None:
            cells |= {f"against_{name}": found.reward, f"against_{name}_iou": found.iou}
    return {**_row(result), **cells}


def _base_of(result: Result, results: Sequence[Result]) -> Result | None:
    """The untrained model of a trained one, asked in the same way."""
    job = result.job
    found = [one for one in results if one.job.model == job.base and one.job.strategy == job.strategy]
    return found[0] if found and job.base else None


def _best_closed(job: Job, results: Sequence[Result]) -> Result | None:
    """The closed model with the highest mean reward, asked in the same way."""
    closed = [(numbers_of(r).reward, r) for r in results if r.job.group == "closed" and r.job.strategy == job.strategy]
    scored = [(reward.mean, r.job.model, r) for reward, r in closed if reward is not None]
    return max(scored, key=lambda one: one[:2])[2] if scored else None


def _failures(results: Sequence[Result], place: str, where: str) -> Table:
    columns = (
        *_WHO,
        Column("iou", "IoU alone", "score"),
        Column("right", "right", "count"),
        *(Column(name, name, "count") for name in FAILURES),
        Column("unscored", "unscored", "count"),
    )
    rows: list[Mapping[str, Cell]] = []
    for result in _sorted(results):
        numbers = numbers_of(result)
        who = {"title": result.job.title, "strategy": "" if result.job.group == "agent" else result.job.strategy}
        right = numbers.scored - sum(numbers.failures.values())
        rows.append({**who, "iou": numbers.iou, "right": right, **numbers.failures, "unscored": numbers.unscored})
    legend = "; ".join(f"**{name}**: {meaning}" for name, meaning in FAILURES.items())
    about = f"Answers by the first cause that holds, in this order: {legend}."
    return Table(f"failures-{place}", f"Why answers are wrong on {where}", about, columns, tuple(rows))


def _comparisons(results: Sequence[Result], place: str, where: str) -> Table:
    columns = (
        Column("first", "Model"),
        Column("second", "against"),
        Column("strategy", "Prompt"),
        Column("reward", "Reward", "signed"),
        Column("iou", "IoU alone", "signed"),
        Column("passed", f"IoU ≥ {PASS_IOU}", "signed"),
        Column("better", "Better", "count"),
        Column("equal", "Equal", "count"),
        Column("worse", "Worse", "count"),
    )
    rows = [_compared(*pair) for pair in _pairs(_sorted(results))]
    about = "The first minus the second, on the tasks that both have scores for, with 95 % bootstrap intervals."
    return Table(f"comparisons-{place}", f"Paired comparisons on {where}", about, columns, tuple(rows))


def _pairs(results: Sequence[Result]) -> Iterator[tuple[Result, Result, Comparison]]:
    """Every model with the best constant answer, and with every other that was asked in the same way."""
    asked = [result for result in results if result.job.group != "agent"]
    constant = [result for result in results if result.job.model == CONSTANT]
    for number, first in enumerate(asked):
        for second in [*constant, *asked[:number]]:
            if second.job.group == "agent" or second.job.strategy == first.job.strategy:
                found = compare(first, second)
                if found is not None:
                    yield first, second, found


def _compared(first: Result, second: Result, found: Comparison) -> Mapping[str, Cell]:
    who = {"first": first.job.title, "second": second.job.title, "strategy": first.job.strategy}
    return {**found._asdict(), **who}


def _gaps(results: Sequence[Result]) -> Iterator[Table]:
    suffix = FRESH_SUFFIX.replace("#", "-")
    fresh = {result.job.place: result for result in results if result.job.dataset.endswith(suffix)}
    rows: list[Mapping[str, Cell]] = []
    for result in _sorted(results):
        dataset, *rest = result.job.place
        other = next((r for place, r in fresh.items() if place == (f"{dataset}{suffix}", *rest)), None)
        found = None if other is None else gap(result, other)
        if found is not None:
            rows.append(
                {
                    "title": result.job.title,
                    "strategy": found.strategy,
                    "dataset": dataset,
                    "reward": found.reward,
                    "iou": found.iou,
                    "rules": found.reward.tasks,
                }
            )
    if rows:
        columns = (
            *_WHO,
            Column("dataset", "Dataset"),
            Column("rules", "Rules", "count"),
            Column("reward", "Reward lost", "signed"),
            Column("iou", "IoU lost", "signed"),
        )
        about = "What is lost when names, paths, switches, keys and ports are replaced: rule by rule, original − fresh."
        yield Table("gap", "What is remembered: the gap to fresh names", about, columns, tuple(rows))


def _prices(results: Sequence[Result]) -> Iterator[Table]:
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        if result.job.price is not None:
            rows[result.job.title] = {"title": result.job.title, **result.job.price}
    if rows:
        columns = (
            Column("title", "Model"),
            Column("input", "Input", "dollars"),
            Column("cached_input", "Cached input", "dollars"),
            Column("output", "Output", "dollars"),
            Column("date", "As of"),
            Column("source", "Source"),
        )
        about = "Dollars per million tokens, as models.yaml has them; costs in the tables follow from these."
        yield Table("prices", "Prices", about, columns, tuple(rows[title] for title in sorted(rows)))
