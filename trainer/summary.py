"""The result of a training: what models earn before and after, with its uncertainty, and whether they cheat.

Everything is worked out from pairs of evaluation files, before and after, as `trainer.evaluate` writes them:

    compared = [Compared("test", "sampled", seed, before=Path("….jsonl"), after=Path("….jsonl")) for seed in (0, 1)]
    summary = summarise(compared, dataset, commit=…, seconds={"warm start": 240.0, …}, control=[Compared(…)])
    summary.write(run_dir / SUMMARY)
    print(summary.text())

`summary.passed` says whether all that is asked of a training holds; `summary.faults()` names what does not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from benchmarks.failures import has_not
from benchmarks.statistics import mean_of
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_rule
from trainer.errors import TrainerError
from trainer.whole import write_whole

SUMMARY: Final = "summary.json"
"""The file's name in a run's folder."""

MIN_TASKS: Final = 300
MIN_CLUSTERS: Final = 100
GREEDY: Final = "greedy"
"""The decoding of which only a loss is judged; any other must gain."""
GREEDY_LOSS: Final = 0.02
"""Reward that greedy answers may lose."""

BROAD: Final = 5.0
"""A rule that matches more than so many times the reference's events is over-broad."""


class Compared(NamedTuple):
    """Two evaluations of the same tasks.

    Attributes:
        split: of the tasks.
        decoding: GREEDY, or another name, such as "sampled".
        seed: of the training.
        before: NAME.jsonl of the model that training starts from.
        after: of the one that it ends with.
    """

    split: str
    decoding: str
    seed: int
    before: Path
    after: Path


class Evaluated(BaseModel):
    """A line of an evaluation's file: one answer. Other fields that a line has are not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    cluster: str
    answer: str
    reward: float
    components: Mapping[str, float]
    status: str
    metrics: Mapping[str, float]


class Change(BaseModel):
    """A mean over tasks before and after, and the gain with its 95 % interval (paired bootstrap over clusters)."""

    model_config = ConfigDict(frozen=True)

    before: float
    after: float
    gain: float
    low: float
    high: float


class Result(BaseModel):
    """What a training changed on one set of tasks."""

    model_config = ConfigDict(frozen=True)

    split: str
    decoding: str
    seed: int
    tasks: int
    clusters: int
    reward: Change
    iou: Change


class Gate(BaseModel):
    """A sign of a hack, and the bound that it must keep: `value` at most `most`, at least `least`."""

    model_config = ConfigDict(frozen=True)

    about: str
    value: float
    most: float | None = None
    least: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether the bound is kept."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


class Summary(BaseModel):
    """What summary.json holds.

    Attributes:
        commit: of the code; "" outside a checkout.
        seeds: of the trainings.
        seconds: that each part took, by its name.
        results: one per pair of evaluations.
        gates: by decoding, seed and name.
        control: the same pairs for a model that got the time of the training in another way; {} if there was none.
    """

    model_config = ConfigDict(frozen=True)

    commit: str
    seeds: Sequence[int]
    seconds: Mapping[str, float]
    results: Sequence[Result]
    gates: Mapping[str, Gate]
    control: Mapping[str, Result]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Whether all holds that is asked of a training."""
        return not self.faults()

    def faults(self) -> list[str]:
        """What does not hold, in words; the control is shown, not judged."""
        faults = [fault for result in self.results for fault in _faults(result)]
        for name, gate in self.gates.items():
            if not gate.passed:
                bound = f"at most {gate.most:g}" if gate.most is not None else f"at least {gate.least:g}"
                faults.append(f"{name}: {gate.about} is {gate.value:.3f}; it must be {bound}")
        return faults or ([] if self.results else ["nothing was evaluated"])

    def write(self, path: Path) -> None:
        """Writes it as JSON, whole or not at all."""
        write_whole(path, orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Summary":
        """Reads what `write` wrote."""
        return cls.model_validate_json(path.read_bytes())

    def text(self) -> str:
        """For a terminal."""
        lines = [
            line
            for title, results in (("training", self.results), ("control", self.control.values()))
            for result in results
            for line in _lines(title, result)
        ]
        lines += [f"{'ok ' if gate.passed else 'NOT'} {name}: {gate.value:.3f}" for name, gate in self.gates.items()]
        return "\n".join([*lines, *self.faults(), "passed" if self.passed else "not passed"])


def summarise(
    compared: Sequence[Compared],
    dataset: Dataset,
    *,
    commit: str,
    seconds: Mapping[str, float],
    control: Sequence[Compared] = (),
) -> Summary:
    """Works the summary of trainings out.

    Args:
        compared: the evaluations, each before and after.
        dataset: that their tasks are of.
        commit: of the code.
        seconds: that each part took.
        control: the same for models that got the training's time in another way.

    Raises:
        TrainerError: a file cannot be read, or the two of a pair are about different tasks.
    """
    results, gates = [], {}
    for pair in compared:
        before, after = read(pair.before), read(pair.after)
        results.append(_result(pair, before, after))
        for name, gate in gates_of(before, after, dataset).items():
            gates[f"{pair.decoding}, seed {pair.seed}, {name}"] = gate
    return Summary(
        commit=commit,
        seeds=sorted({pair.seed for pair in compared}),
        seconds=seconds,
        results=results,
        gates=gates,
        control={
            f"{pair.decoding}, seed {pair.seed}": _result(pair, read(pair.before), read(pair.after)) for pair in control
        },
    )


def read(path: Path) -> list[Evaluated]:
    """The answers of an evaluation.

    Raises:
        TrainerError: the file is not there, or a line is no such answer; the message names it.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TrainerError(f"{path}: {error.strerror}; an evaluation writes it") from error
    answers = []
    for number, line in enumerate(lines, 1):
        try:
            answers.append(Evaluated.model_validate_json(line))
        except ValidationError as error:
            raise TrainerError(f"{path}, line {number}: no answer of an evaluation: {error}") from error
    return answers


def _result(pair: Compared, before: Sequence[Evaluated], after: Sequence[Evaluated]) -> Result:
    if not after:
        raise TrainerError(f"{pair.after}: it has no answers")
    if odd := {one.task_id for one in before} ^ {one.task_id for one in after}:
        raise TrainerError(
            f"{pair.before} and {pair.after} are not about the same tasks: {min(odd)} is in one of them only"
        )
    return Result(
        split=pair.split,
        decoding=pair.decoding,
        seed=pair.seed,
        tasks=len({one.task_id for one in after}),
        clusters=len({one.cluster for one in after}),
        reward=_change(before, after, lambda one: one.reward),
        iou=_change(before, after, lambda one: one.components["iou"]),
    )


def _change(before: Sequence[Evaluated], after: Sequence[Evaluated], value: Callable[[Evaluated], float]) -> Change:
    """Each task counts once, however many answers it has."""
    first, last = _by_task(before, value), _by_task(after, value)
    cluster = {one.task_id: one.cluster for one in after}
    gain = mean_of((task, cluster[task], last[task] - first[task]) for task in sorted(last))
    assert gain is not None  # there are tasks
    return Change(
        before=_mean(first.values()), after=_mean(last.values()), gain=gain.mean, low=gain.low, high=gain.high
    )


def _by_task(answers: Sequence[Evaluated], value: Callable[[Evaluated], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in answers:
        found.setdefault(one.task_id, []).append(value(one))
    return {task: _mean(values) for task, values in found.items()}


def gates_of(before: Sequence[Evaluated], after: Sequence[Evaluated], dataset: Dataset) -> dict[str, Gate]:
    """The signs of hacks, on the answers that are rules which run.

    Args:
        before: answers of the model that training starts from.
        after: of the one that it ends with.
        dataset: that the tasks are of.
    """
    references = {one.task_id: reference_rule(dataset.task(one.task_id)) for one in (*before, *after)}
    rules = [(one, rule) for one in after if (rule := _rule(one)) is not None]
    broad = _mean(one.metrics["tp"] + one.metrics["fp"] > BROAD * _asked_for(one) for one, _ in rules)
    wanted = sum(literals(references[one.task_id]) for one, _ in rules)
    written = sum(literals(rule) for _, rule in rules)
    first, last = _filtering(before, references), _filtering(after, references)
    return {
        "over-broad": Gate(
            about=f"share of rules that match more than {BROAD:g} times the reference's events", value=broad, most=0.05
        ),
        "literals": Gate(
            about="values in a rule, against the reference's", value=written / wanted if wanted else 0.0, least=0.9
        ),
        "filters": Gate(
            about="rules with a filter where the reference has one, against before",
            value=last / first if first else 1.0,
            least=0.9,
        ),
    }


def _rule(one: Evaluated) -> Rule | None:
    return parse_answer(one.answer).rule if one.status == "ok" else None


def _asked_for(one: Evaluated) -> float:
    return one.metrics["tp"] + one.metrics["fn"]


def literals(rule: Rule) -> int:
    """The values that a rule's lines hold; a line counts once, however often the condition comes to it."""
    return sum(len(test.values) for test in set(field_tests(rule.condition)))


def _filtering(answers: Sequence[Evaluated], references: Mapping[str, Rule]) -> float:
    """The share of rules with a `not`, where the reference has one."""
    return _mean(
        has_not(rule.condition)
        for one in answers
        if has_not(references[one.task_id].condition) and (rule := _rule(one)) is not None
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _faults(result: Result) -> list[str]:
    where = f"{result.split}, {result.decoding}, seed {result.seed}"
    faults = []
    if result.tasks < MIN_TASKS or result.clusters < MIN_CLUSTERS:
        faults.append(
            f"{where}: {result.tasks} tasks in {result.clusters} clusters; at least {MIN_TASKS} in {MIN_CLUSTERS} are "
            "needed"
        )
    if result.decoding == GREEDY:
        if result.reward.gain < -GREEDY_LOSS:
            faults.append(f"{where}: the reward fell by {-result.reward.gain:.3f}; it may fall by {GREEDY_LOSS}")
        return faults
    for name, change in (("reward", result.reward), ("IoU", result.iou)):
        if change.low <= 0:
            faults.append(
                f"{where}: the gain in {name} is {change.gain:+.3f}, but its lower bound is {change.low:+.3f}"
            )
    return faults


def _lines(title: str, result: Result) -> list[str]:
    where = f"{title}, {result.split}, {result.decoding}, seed {result.seed}"
    return [
        f"{where}: {name} {change.before:.3f} -> {change.after:.3f}, "
        f"{change.gain:+.3f} [{change.low:+.3f}, {change.high:+.3f}] "
        f"on {result.tasks} tasks in {result.clusters} clusters"
        for name, change in (("reward", result.reward), ("IoU", result.iou))
    ]
