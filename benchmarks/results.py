"""What the logs of a run say: one row per sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from pydantic import BaseModel, ConfigDict

from benchmarks.inspect_task import SCORER
from benchmarks.models import Group
from benchmarks.prompts import Strategy
from benchmarks.runs import ABOUT_REQUEST, ABOUT_RUN, LOGS, REWORDED

_LONGEST_ERROR: Final = 300
_NOT_READ: Final = {"messages", "output", "store", "attachments"}


class Job(BaseModel):
    """Who was asked what: the run that a log is of. Equal jobs differ in nothing but when they ran.

    Attributes:
        model: name.
        title: in the tables.
        group: of the model.
        base: of a warm-started or trained model: what it is compared with.
        dataset: name.
        split: of it.
        strategy: of the prompt.
        samples: answers per task.
        tasks: number of tasks.
        max_reward: what the best answer earns.
        price: of the model, with date and source; None if it is not known or nobody is billed.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    title: str
    group: Group
    base: str = ""
    dataset: str
    split: str
    strategy: Strategy
    samples: int
    tasks: int
    max_reward: float
    price: dict[str, Any] | None = None

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Of several logs with the same one, the newest counts."""
        return self.dataset, self.split, self.strategy, self.model


class Row(NamedTuple):
    """One sample.

    Attributes:
        task: id of the task; of a rewording one of its own.
        sample: which of several answers.
        persona: who asked.
        source: of the reference.
        cluster: of near tasks.
        detectable: whether the logs can show what is asked for.
        reworded: id of the task that this one says in other words; None for a task of the dataset.
        reward: None if the sample has no score.
        yaml_valid: component.
        logsource_correct: component.
        iou: component.
        passed: whether it counts as right.
        status: of the score.
        failure: why it is not right.
        error: why there is no score.
        cost: of the request, in dollars; None if it is not known.
        seconds: that the request took; None where there was none.
        input_tokens: with those that the provider had cached.
        output_tokens: with what the model thought.
        retries: attempts before the last one.
        replayed: whether the answer was there before the run began.
        stop_reason: why the answer ended.
    """

    task: str
    sample: int
    persona: str
    source: str
    cluster: str
    detectable: bool
    reworded: str | None = None
    reward: float | None = None
    yaml_valid: float | None = None
    logsource_correct: float | None = None
    iou: float | None = None
    passed: bool | None = None
    status: str | None = None
    failure: str | None = None
    error: str | None = None
    cost: float | None = None
    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    retries: int = 0
    replayed: bool = False
    stop_reason: str | None = None


class Result(NamedTuple):
    """A job and its samples, sorted by task and number."""

    job: Job
    rows: tuple[Row, ...]


def load_results(out: Path) -> list[Result]:
    """The newest finished log of each job in a run's folder, sorted.

    Logs of runs that were killed are left out: what they paid for is in the ledger, and the next run logs it.
    """
    newest: dict[tuple[str, str, str, str], tuple[str, str]] = {}
    for info in list_eval_logs(str(out / LOGS)):
        header = read_eval_log(info, header_only=True)
        about = (header.eval.metadata or {}).get(ABOUT_RUN)
        if header.status != "success" or about is None:
            continue
        place = Job.model_validate(about).place
        newest[place] = max(newest.get(place, ("", "")), (header.eval.created, info.name))
    return [result_of(read_eval_log(name, exclude_fields=_NOT_READ)) for _, (_, name) in sorted(newest.items())]


def result_of(log: EvalLog) -> Result:
    """The job and rows of a log."""
    job = Job.model_validate((log.eval.metadata or {})[ABOUT_RUN])
    rows = sorted(map(_row, log.samples or ()), key=lambda row: (row.task, row.sample))
    return Result(job, tuple(rows))


def _row(sample: EvalSample) -> Row:
    about = sample.metadata
    row = Row(
        task=str(sample.id),
        sample=sample.epoch,
        persona=about["persona"],
        source=about["source"],
        cluster=about["cluster"],
        detectable=about["detectable"],
        reworded=about.get(REWORDED),
    )
    row = row._replace(**dict(_request(sample)))
    score = (sample.scores or {}).get(SCORER)
    if sample.error is not None or score is None:
        error = "no score" if sample.error is None else sample.error.message
        return row._replace(error=error[:_LONGEST_ERROR])
    assert isinstance(score.value, dict)
    said = score.metadata or {}
    parts: dict[str, Any] = dict(score.value)
    return row._replace(
        reward=float(parts["reward"]),
        yaml_valid=float(parts["yaml_valid"]),
        logsource_correct=float(parts["logsource_correct"]),
        iou=float(parts["iou"]),
        passed=bool(parts["passed"]),
        status=said["status"],
        failure=said["failure"],
    )


def _request(sample: EvalSample) -> Iterator[tuple[str, Any]]:
    """What is known of the request behind a sample."""
    took = sample.metadata.get(ABOUT_REQUEST)
    if took is None:
        attempts = sum(event.event == "model" for event in sample.events)
        yield "retries", max(0, attempts - 1)
        return
    tokens = took["input_tokens"]
    yield "cost", took["cost"]
    yield "seconds", took["seconds"]
    yield "input_tokens", None if tokens is None else tokens + took["cached_tokens"]
    yield "output_tokens", took["output_tokens"]
    yield "retries", took["retries"]
    yield "replayed", took["replayed"]
    yield "stop_reason", took["stop_reason"]
