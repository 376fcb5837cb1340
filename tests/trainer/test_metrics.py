"""metrics.jsonl has one line for each step, whatever happened to the run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.trainer.test_records import record
from trainer.metrics import METRICS, MetricsLog, read
from trainer.records import ROLLOUTS, VALIDATION, Writer


def log_of(folder: Path) -> MetricsLog:
    config: Any = SimpleNamespace(
        sigmaforge=SimpleNamespace(run_dir=str(folder), dataset="starter"), data=SimpleNamespace(max_response_length=40)
    )
    return MetricsLog(config)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]


def test_a_step_is_a_line_of_numbers(tmp_path: Path) -> None:
    log = log_of(tmp_path / "run")
    log.log(data={"a/b": np.float32(0.5), "n": 3, "text": "x", "list": [1.0], "bad": float("nan")}, step=1)
    log.log(data={"a/b": 1.0}, step=2)
    log.finish(exit_code=0)
    assert lines(tmp_path / "run") == [{"step": 1, "a/b": 0.5, "n": 3.0, "bad": None}, {"step": 2, "a/b": 1.0}]
    assert math.isnan(read(tmp_path / "run")[0]["bad"])


def test_a_step_that_is_logged_twice_keeps_one_line(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.log(data={"a": 1.0, "val": 1.0}, step=1)
    log.log(data={"a": 2.0}, step=2)
    log.log(data={"val": 3.0}, step=1)
    assert lines(tmp_path) == [{"step": 1, "a": 1.0, "val": 3.0}, {"step": 2, "a": 2.0}]


def test_a_resumed_run_writes_the_steps_after_its_checkpoint_again(tmp_path: Path) -> None:
    first = log_of(tmp_path)
    for step in range(5):
        first.log(data={"a": float(step)}, step=step)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 5, "a')  # the machine stopped here
    second = log_of(tmp_path)
    second.forget_after(3)
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2, 3]
    second.log(data={"a": 40.0}, step=4)
    assert [line["a"] for line in read(tmp_path)] == [0, 1, 2, 3, 40]


def test_numbers_of_rollouts_stand_beside_verls(tmp_path: Path) -> None:
    Writer(tmp_path / ROLLOUTS).write(record(step=3, reward=0.4))
    Writer(tmp_path / VALIDATION).write(record(step=3, reward=1.1))
    log = log_of(tmp_path)
    log.log(data={"actor/pg_clipfrac": 0.0}, step=3)
    [line] = lines(tmp_path)
    assert line["actor/pg_clipfrac"] == 0.0
    assert line["sigma/reward/mean"] == 0.4
    assert line["validation/sigma/reward/mean"] == 1.1
    log.log(data={}, step=4)
    assert lines(tmp_path)[1] == {"step": 4}


def test_a_run_that_logged_nothing_yet_has_no_metrics(tmp_path: Path) -> None:
    log_of(tmp_path).forget_after(0)
    assert read(tmp_path) == []
