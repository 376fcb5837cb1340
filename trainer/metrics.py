"""The metrics of a run: a line of metrics.jsonl for every step, verl's numbers beside those of its rollouts."""

import math
import numbers
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from sigma_env.tasks.dataset import load_dataset
from trainer import records, signals
from trainer.whole import write_whole

METRICS: Final = "metrics.jsonl"
"""The file's name in a run's folder: {"step": 12, NAME: number, …} per line; null stands for what is not finite."""


class MetricsLog:
    """A backend of verl's Tracking, which appends to a run's metrics.jsonl; each step has one line."""

    def __init__(self, config: Any) -> None:
        """Opens the log of a run.

        Args:
            config: the run's; see `trainer.config.compose`.
        """
        self._config = config
        self._run = Path(config.sigmaforge.run_dir)
        self._path = self._run / METRICS

    def log(self, data: dict[str, Any], step: int) -> None:
        """Adds the numbers of a step; what else verl may put there is left out.

        A step that has a line already (it was logged before its validation) keeps it, with these numbers on top.

        Args:
            data: what verl tells of the step. The rollouts' numbers are added, for verl's other backends.
            step: of training.
        """
        data |= self.of_rollouts(step)
        new = {name: _number(value) for name, value in data.items() if isinstance(value, numbers.Real)}
        lines = list(_read(self._path))
        if any(line["step"] == step for line in lines):
            self._rewrite([{**line, **new} if line["step"] == step else line for line in lines])
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            file.write(_line({"step": step, **new}))

    def of_rollouts(self, step: int) -> dict[str, float]:
        """What the records of a step's rollouts tell, and those of a validation after it; see `trainer.signals`."""
        longest = self._config.data.max_response_length
        found: dict[str, float] = {}
        for folder, prefix in ((records.ROLLOUTS, ""), (records.VALIDATION, "validation/")):
            told = signals.of_step(records.read(self._run / folder, step), self._requests, longest)
            found |= {prefix + name: value for name, value in told.items()}
        return found

    @cached_property
    def _requests(self) -> dict[str, str]:
        return {task.id: task.request for task in load_dataset(self._config.sigmaforge.dataset).tasks}

    def forget_after(self, step: int) -> None:
        """Deletes the lines of later steps: a run that goes on after a step writes them again."""
        if self._path.exists():
            self._rewrite([line for line in _read(self._path) if line["step"] <= step])

    def finish(self, exit_code: int = 0) -> None:
        """Every line is written already."""

    def _rewrite(self, lines: list[dict[str, Any]]) -> None:
        write_whole(self._path, b"".join(map(_line, lines)))


def read(run_dir: Path | str) -> list[dict[str, float]]:
    """The metrics of a run by step, each with its "step"; NaN where a number was not finite."""
    lines = _read(Path(run_dir) / METRICS)
    return [{name: math.nan if value is None else value for name, value in line.items()} for line in lines]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; one that a crash cut short counts as not written."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue


def _line(fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps(fields) + b"\n"


def _number(value: numbers.Real) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
