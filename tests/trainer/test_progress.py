"""The lines that a person sees of a run."""

from __future__ import annotations

import io
import signal
import time
from pathlib import Path

import pytest

from tests.trainer.test_metrics import log_of
from trainer.errors import TrainerError
from trainer.metrics import MetricsLog
from trainer.progress import last_lines, shown

STEP = {
    "sigma/reward/mean": 0.5,
    "sigma/iou/mean": 0.25,
    "sigma/zero_variance": 0.125,
    "sigma/scoring/wall_seconds": 0.031,
}
VALIDATION = {
    "validation/sigma/reward/mean": 0.75,
    "validation/sigma/iou/mean": 0.5,
    "validation/sigma/rollouts": 20.0,
}


def seen(folder: Path, log: MetricsLog, lines: list[tuple[int, dict[str, float]]]) -> list[str]:
    """What is printed while a run logs these lines."""
    terminal = io.StringIO()
    with shown(folder, 40, terminal, 600):
        for step, line in lines:
            log.log(dict(line), step)
    return terminal.getvalue().splitlines()


def test_a_step_is_a_line_with_what_matters(tmp_path: Path) -> None:
    [line] = seen(tmp_path, log_of(tmp_path), [(4, STEP | {"timing_s/step": 10.0})])
    assert line == (
        "step 4/40  reward 0.500  IoU 0.250  groups without variance 12%  10.0 s, of which scoring at most 0.03 s  "
        "ETA 6:00"
    )


def test_a_validation_is_a_line_of_its_own_and_each_is_told_once(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    lines = [(0, VALIDATION), (1, STEP | {"timing_s/step": 2.0}), (1, VALIDATION), (1, STEP)]
    validation = "validation after step {}  reward 0.750  IoU 0.500  20 answers"
    first, second, third = seen(tmp_path, log, lines)
    assert (first, third) == (validation.format(0), validation.format(1))
    assert second.startswith("step 1/40 ")


def test_steps_that_a_resumed_run_had_taken_before_are_no_news(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.log(dict(STEP), 1)
    [line] = seen(tmp_path, log, [(2, STEP | {"timing_s/step": 1.0})])
    assert line.startswith("step 2/40 ")


def test_a_run_that_stands_still_is_ended(tmp_path: Path) -> None:
    with (
        pytest.raises(TrainerError, match=r"no step for 0:01 .*sigmaforge\.stall_minutes"),
        shown(tmp_path, 40, io.StringIO(), 0.6),
    ):
        time.sleep(300)


def test_so_is_one_in_the_background_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(TrainerError, match="no step"), shown(tmp_path, 40, io.StringIO(), 0.6):
            time.sleep(20)
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_ends_a_run_by_hand_is_obeyed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), shown(tmp_path, 40, io.StringIO(), 600):
        raise KeyboardInterrupt


def test_the_end_of_a_log_is_short(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number} {'x' * 1000}\n" for number in range(100)), encoding="utf-8")
    assert last_lines(log).splitlines()[-1].startswith("  line 99 ")
    assert len(last_lines(log)) < 6000
    assert last_lines(tmp_path / "none") == ""
