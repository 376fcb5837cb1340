"""What became of every rollout: one JSON line each, in a run's folder, written before any group is filtered.

A line's `task_id` and `answer` are what `sigma-env score --answers` reads. Each process writes files of its own, one
per step: RUN/rollouts/step-000012.WORKER.jsonl, and RUN/validation/… for rollouts that nothing is learned from.
"""

import os
import re
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.errors import TrainerError

ROLLOUTS: Final = "rollouts"
VALIDATION: Final = "validation"

ENGINE_ERROR: Final = "engine_error"
"""Status of a rollout whose answer was not scored, by our own fault: it has no reward, and no part in training."""

_NAME: Final = re.compile(r"step-(\d+)\.[^/]*\.jsonl")


class Record(BaseModel):
    """One rollout.

    Attributes:
        task_id: the task that was answered.
        answer: the model's whole text, special tokens included.
        uid: of the group of rollouts of one prompt.
        step: of training; for a validation, the last one before it.
        rollout: place in the group.
        split: of the task.
        reward: None where the status is ENGINE_ERROR.
        components: see Score.components.
        status: see Score.status, or ENGINE_ERROR.
        metrics: see Score.metrics.
        tokens: of the answer.
        began: when scoring began, in seconds since 1970.
        seconds: that scoring took, waiting included.
        cpu_seconds: that the scorer computed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str
    answer: str
    uid: str
    step: int
    rollout: int
    split: str
    reward: float | None
    components: Mapping[str, float]
    status: str
    metrics: Mapping[str, float]
    tokens: int
    began: float
    seconds: float
    cpu_seconds: float


class Writer:
    """Appends records; may be called by several threads. A record is on the disk's cache when `write` returns."""

    def __init__(self, folder: Path) -> None:
        """Prepares.

        Args:
            folder: ROLLOUTS or VALIDATION of a run.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._worker = f"{socket.gethostname()}-{os.getpid()}"

    def write(self, record: Record) -> None:
        """Appends one record to the file of its step."""
        line = orjson.dumps(record.model_dump()) + b"\n"
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"step-{record.step:06d}.{self._worker}.jsonl").open("ab", buffering=0) as file:
                file.write(line)


def steps(folder: Path) -> dict[int, list[Path]]:
    """The files of each step that a folder of records has, steps and names sorted."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("step-*.jsonl")):
        if name := _NAME.fullmatch(path.name):
            found.setdefault(int(name[1]), []).append(path)
    return dict(sorted(found.items()))


def read(folder: Path, step: int) -> list[Record]:
    """The records of a step, in an order that does not depend on who wrote them when.

    Raises:
        TrainerError: a line is no record; the message names file and line.
    """
    records = [record for path in steps(folder).get(step, []) for record in _lines(path)]
    return sorted(records, key=lambda record: (record.uid, record.rollout, record.task_id))


def _lines(path: Path) -> list[Record]:
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            fields: Any = orjson.loads(line)
            records.append(Record.model_validate(fields))
        except (orjson.JSONDecodeError, ValidationError) as error:
            said = " ".join(str(error).split())
            raise TrainerError(f"{path}, line {number}: no record of a rollout: {said}") from error
    return records


def forget_after(run_dir: Path | str, step: int, validates: bool = True) -> None:
    """Deletes what a run that goes on after a step will write again.

    Args:
        run_dir: the run's folder.
        step: that the run goes on after; 0 for its start.
        validates: whether it will first validate once more at this step.
    """
    for folder, last in ((ROLLOUTS, step), (VALIDATION, step - 1 if validates else step)):
        for found, paths in steps(Path(run_dir) / folder).items():
            if found > last:
                for path in paths:
                    path.unlink()
