"""What a person sees of a run: a line per step, while everything else that is printed goes to a file.

Who sees nothing for long is told: a run that stands still is ended.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from trainer.errors import TrainerError
from trainer.metrics import read

_EVERY: Final = 0.5
"""Seconds between looks at the metrics."""
_LAST_LINES: Final = 15


@contextmanager
def hushed(log: Path) -> Iterator[TextIO]:
    """Sends what this process and its children print to the end of a file.

    Args:
        log: the file.

    Yields:
        Where people look: what stdout was.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = os.dup(1), os.dup(2)
    try:
        with log.open("ab", buffering=0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        with os.fdopen(os.dup(kept[0]), "w", encoding="utf-8") as terminal:
            yield terminal
    finally:
        _flush()
        for place, saved in enumerate(kept, 1):
            os.dup2(saved, place)
            os.close(saved)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def last_lines(log: Path) -> str:
    """The end of a log, indented."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(f"  {line[:300]}" for line in text.splitlines()[-_LAST_LINES:])


@contextmanager
def shown(run_dir: Path, steps: int, terminal: TextIO, stall: float) -> Iterator[None]:
    """Prints each step of a run when its metrics are there.

    Ray waits for ever where a process of its own is lost at the wrong moment, so this does not.

    Args:
        run_dir: the run's folder.
        steps: that it will take.
        terminal: where to.
        stall: seconds without anything new after which the run is ended.

    Raises:
        TrainerError: it was. To be entered in the main thread, which is interrupted.
    """
    watcher = _Watcher(run_dir, steps, terminal)
    ended, stalled = threading.Event(), threading.Event()
    # Not SIGINT, which a job that a shell started in the background ignores.
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)

    def watch() -> None:
        while not ended.wait(_EVERY):
            watcher.look()
            if time.monotonic() - watcher.last_news > stall:
                stalled.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
                return

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if not stalled.is_set():
            raise
        raise TrainerError(
            f"no step for {_duration(stall)} (minutes:seconds); if that is no fault, raise sigmaforge.stall_minutes"
        ) from None
    finally:
        ended.set()
        thread.join()
        signal.signal(signal.SIGALRM, before)
        watcher.look()


class _Watcher:
    """Prints what has been added to a run's metrics since it last looked; what was there at first is not news.

    Attributes:
        last_news: when there were any; a time of `time.monotonic`.
    """

    def __init__(self, run_dir: Path, steps: int, terminal: TextIO) -> None:
        self._run_dir, self._steps, self._terminal = run_dir, steps, terminal
        self._seconds: list[float] = []
        self._told = set(self._news())
        self.last_news = time.monotonic()

    def look(self) -> None:
        """Prints what is new."""
        for (step, kind), line in self._news().items():
            if (step, kind) in self._told:
                continue
            self._told.add((step, kind))
            self.last_news = time.monotonic()
            if kind == "step":
                self._seconds.append(line.get("timing_s/step", 0.0))
                text = step_line(line, self._steps, self._seconds)
            else:
                text = validation_line(line)
            print(text, file=self._terminal, flush=True)

    def _news(self) -> dict[tuple[int, str], Mapping[str, float]]:
        found: dict[tuple[int, str], Mapping[str, float]] = {}
        for line in read(self._run_dir):
            step = int(line["step"])
            if "sigma/reward/mean" in line:
                found[step, "step"] = line
            if "validation/sigma/reward/mean" in line:
                found[step, "validation"] = line
        return found


def step_line(line: Mapping[str, float], steps: int, seconds: list[float]) -> str:
    """One step.

    Args:
        line: of metrics.jsonl.
        steps: of the run.
        seconds: of the steps so far.
    """
    step = int(line["step"])
    left = max(0, steps - step) * sum(seconds) / len(seconds)
    return (
        f"step {step}/{steps}  reward {line['sigma/reward/mean']:.3f}  IoU {line['sigma/iou/mean']:.3f}  "
        f"groups without variance {line['sigma/zero_variance']:.0%}  {seconds[-1]:.1f} s, of which scoring at most "
        f"{line['sigma/scoring/wall_seconds']:.2f} s  ETA {_duration(left)}"
    )


def validation_line(line: Mapping[str, float]) -> str:
    """One validation."""
    return (
        f"validation after step {int(line['step'])}  reward {line['validation/sigma/reward/mean']:.3f}  "
        f"IoU {line['validation/sigma/iou/mean']:.3f}  {line['validation/sigma/rollouts']:.0f} answers"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
