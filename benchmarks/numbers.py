"""The figures of the tables, worked out from the rows of a job. What was not measured is None."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.failures import FAILURES
from benchmarks.results import Job, Result, Row
from benchmarks.statistics import Estimate, agreement, mean_of, quantile

FRESH_SUFFIX: Final = "#fresh"


class Numbers(NamedTuple):
    """What a model did on one exam.

    Attributes:
        samples: answers that were asked for.
        scored: of these, with a score.
        unscored: without; the figures are about the others.
        reward: mean over tasks.
        yaml_valid: component.
        logsource_correct: component.
        iou: component.
        passed: share of tasks that pass.
        consistency: how often two answers to one task both pass or both fail; None with one answer each.
        rewordings: the same for a task and its rewordings; None where there are none. All other figures are about the
            tasks as the dataset has them.
        abstained_rightly: share of answers that abstain, of tasks that the logs cannot show; None without such tasks.
        abstained_wrongly: the same of those that they can; None where no task offers it.
        requests: requests behind the samples, each counted once.
        cost: dollars of all requests; None if one of them is not known.
        cost_per_request: the same per request.
        cost_per_correct: the same per answer that passes; None if none does.
        latency_p50: seconds of a request, without those that failed.
        latency_p95: of the slowest twentieth.
        input_tokens: per request.
        output_tokens: per request.
        truncated: answers that ended at the limit of tokens.
        retries: attempts beyond the first of each request.
        replayed: answers that an earlier run paid for.
        failures: samples by what is wrong, in the order of FAILURES.
        errors: samples without a score by the reason.
    """

    samples: int
    scored: int
    unscored: int
    reward: Estimate | None
    yaml_valid: Estimate | None
    logsource_correct: Estimate | None
    iou: Estimate | None
    passed: Estimate | None
    consistency: float | None
    rewordings: float | None
    abstained_rightly: float | None
    abstained_wrongly: float | None
    requests: int
    cost: float | None
    cost_per_request: float | None
    cost_per_correct: float | None
    latency_p50: float | None
    latency_p95: float | None
    input_tokens: float | None
    output_tokens: float | None
    truncated: int
    retries: int
    replayed: int
    failures: Mapping[str, int]
    errors: Mapping[str, int]


def numbers_of(result: Result) -> Numbers:
    """The figures of a job."""
    rows = [row for row in result.rows if row.reworded is None]
    scored = [row for row in rows if row.reward is not None]
    asked = [row for row in scored if row.stop_reason is not None]  # reference agents send no requests
    costs = [row.cost for row in asked if row.cost is not None]
    cost = sum(costs) if asked and len(costs) == len(asked) else None
    right = sum(row.passed is True for row in scored)
    failures = Counter(row.failure for row in scored)
    return Numbers(
        samples=len(rows),
        scored=len(scored),
        unscored=len(rows) - len(scored),
        reward=_mean(scored, lambda row: row.reward),
        yaml_valid=_mean(scored, lambda row: row.yaml_valid),
        logsource_correct=_mean(scored, lambda row: row.logsource_correct),
        iou=_mean(scored, lambda row: row.iou),
        passed=_mean(scored, lambda row: float(row.passed is True)),
        consistency=agreement(_outcomes(scored, lambda row: row.task)),
        rewordings=_rewordings(result.rows),
        abstained_rightly=_share(row.status == "abstained" for row in scored if not row.detectable),
        abstained_wrongly=_abstained_wrongly(scored),
        requests=len(asked),
        cost=cost,
        cost_per_request=None if cost is None else cost / len(asked),
        cost_per_correct=None if cost is None or not right else cost / right,
        latency_p50=quantile((row.seconds for row in asked if row.seconds is not None), 0.5),
        latency_p95=quantile((row.seconds for row in asked if row.seconds is not None), 0.95),
        input_tokens=_average([row.input_tokens for row in asked]),
        output_tokens=_average([row.output_tokens for row in asked]),
        truncated=sum(row.stop_reason == "max_tokens" for row in asked),
        retries=sum(row.retries for row in rows),
        replayed=sum(row.replayed for row in rows),
        failures={name: failures[name] for name in FAILURES},
        errors=dict(sorted(Counter(row.error for row in rows if row.error is not None).items())),
    )


def _mean(rows: Sequence[Row], value: Callable[[Row], float | None]) -> Estimate | None:
    return mean_of((row.task, row.cluster, found) for row in rows if (found := value(row)) is not None)


def _outcomes(rows: Sequence[Row], group: Callable[[Row], str]) -> list[list[bool | None]]:
    groups: defaultdict[str, list[bool | None]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row.passed)
    return list(groups.values())


def _rewordings(rows: Sequence[Row]) -> float | None:
    """Agreement between a task and its rewordings, each with its first answer."""
    first = [row for row in rows if row.sample == 1 and row.reward is not None]
    return agreement(_outcomes(first, lambda row: row.reworded or row.task))


def _abstained_wrongly(rows: Sequence[Row]) -> float | None:
    if all(row.detectable for row in rows) and not any(row.status == "abstained" for row in rows):
        return None
    return _share(row.status == "abstained" for row in rows if row.detectable)


def _share(found: Iterable[bool]) -> float | None:
    told = list(found)
    return sum(told) / len(told) if told else None


def _average(found: Sequence[int | None]) -> float | None:
    known = [number for number in found if number is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None


class Comparison(NamedTuple):
    """Two models on the same tasks: the first minus the second.

    Attributes:
        first: name.
        second: name.
        reward: difference of the mean rewards.
        iou: of the mean IoUs.
        passed: of the shares that pass.
        better: tasks on which the first earns more.
        worse: on which the second does.
        equal: on which both earn the same.
    """

    first: str
    second: str
    reward: Estimate
    iou: Estimate
    passed: Estimate
    better: int
    worse: int
    equal: int


def compare(first: Result, second: Result) -> Comparison | None:
    """Compares two jobs on the tasks that both have scores for; None if there is none."""
    ours, theirs = _by_task(first.rows), _by_task(second.rows)
    common = sorted(set(ours) & set(theirs))
    if not common:
        return None
    by_part = [
        [(task, ours[task].cluster, ours[task].means[part] - theirs[task].means[part]) for task in common]
        for part in range(3)
    ]
    reward, iou, passed = map(mean_of, by_part)
    assert reward is not None
    assert iou is not None
    assert passed is not None
    better = sum(difference > 0 for *_, difference in by_part[0])
    worse = sum(difference < 0 for *_, difference in by_part[0])
    return Comparison(
        first.job.model, second.job.model, reward, iou, passed, better, worse, len(common) - better - worse
    )


class _Means(NamedTuple):
    cluster: str
    means: tuple[float, float, float]


def _by_task(rows: Sequence[Row]) -> dict[str, _Means]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.reward is not None and row.reworded is None:
            found[row.task].append(row)
    return {
        task: _Means(
            of_task[0].cluster,
            (
                sum(row.reward or 0.0 for row in of_task) / len(of_task),
                sum(row.iou or 0.0 for row in of_task) / len(of_task),
                sum(row.passed is True for row in of_task) / len(of_task),
            ),
        )
        for task, of_task in found.items()
    }


class Gap(NamedTuple):
    """What a model loses when names are replaced: what it earned by remembering them.

    Attributes:
        model: its name.
        strategy: of the prompt.
        reward: on the original minus on the fresh tasks.
        iou: the same of the IoU alone.
    """

    model: str
    strategy: str
    reward: Estimate
    iou: Estimate


def gap(original: Result, fresh: Result) -> Gap | None:
    """The gap of one model between two datasets, rule by rule; None where they have no rule in common."""
    ours, theirs = _by_rule(original.rows), _by_rule(fresh.rows)
    common = sorted(set(ours) & set(theirs))
    reward, iou = (
        mean_of((rule, ours[rule].cluster, ours[rule].means[part] - theirs[rule].means[part]) for rule in common)
        for part in (0, 1)
    )
    if reward is None or iou is None:
        return None
    return Gap(original.job.model, original.job.strategy, reward, iou)


def _by_rule(rows: Sequence[Row]) -> dict[str, _Means]:
    """Means by rule: fresh tasks name the rule that they were made of before a `#`."""
    renamed = [row._replace(task=row.source.removesuffix(FRESH_SUFFIX)) for row in rows]
    return _by_task(renamed)


def exam_of(job: Job) -> tuple[str, str]:
    """What a table is about: the tasks, whoever answered them and however they were asked."""
    return job.dataset, job.split
