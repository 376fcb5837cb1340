"""Real runs of a few steps, as a user starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.tasks.dataset import load_dataset
from tests.trainer.speaking import teach
from trainer.metrics import read

STEPS: Final = 5
SAVED: Final = 2
PROMPTS: Final = 4
ROLLOUTS: Final = 4
TASKS: Final = 8
MARK: Final = "SIGMAFORGE_TEST_RUN"
# A rate at which two updates move probabilities by far more than the 1e-4 that rollouts and actor may differ by.
SETTINGS: Final[dict[str, object]] = {
    "sigmaforge.dataset": "starter",
    # Less than after which a test is ended, so that what stands still is told with its log.
    "sigmaforge.stall_minutes": 25,
    "data.train_batch_size": PROMPTS,
    "data.train_max_samples": TASKS,
    "data.shuffle": False,
    "data.max_response_length": 40,
    "actor_rollout_ref.rollout.n": ROLLOUTS,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 2,
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 4,
    "actor_rollout_ref.actor.optim.lr": 0.0002,
    "actor_rollout_ref.actor.optim.lr_warmup_steps": 0,
    "trainer.total_training_steps": STEPS,
    "trainer.val_before_train": False,
    "trainer.test_freq": STEPS,
    "trainer.save_freq": SAVED,
}


class Run(NamedTuple):
    """What a run left: its folder, and the metrics of each step."""

    folder: Path
    metrics: dict[int, dict[str, float]]


def train_tiny(folder: Path, *words: str, **settings: object) -> Run:
    """Runs `python -m trainer train tiny`, with more words, on a model that earns something."""
    code = start(folder, *words, **teach_model(folder), **settings).wait()
    assert code == 0, output(folder)
    return left(folder)


def teach_model(folder: Path) -> dict[str, object]:
    """Makes the model that earns something, unless it is there; returns the setting that names it."""
    if not (model := folder / "taught").exists():
        teach(model, load_dataset("starter").of_split("train")[:TASKS])
    return {"actor_rollout_ref.model.path": model}


def start(folder: Path, *words: str, **settings: object) -> subprocess.Popen[bytes]:
    """Starts a run in a folder of its own."""
    command = [sys.executable, "-m", "trainer", "train", "tiny", f"--run-dir={folder}", *words]
    with (folder / "output.txt").open("ab") as file:
        return subprocess.Popen(
            command + [f"--set={key}={value}" for key, value in (SETTINGS | settings).items()],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"} | {MARK: str(folder)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def output(folder: Path) -> str:
    """The end of what a run said."""
    return (folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-10000:]


def left(folder: Path) -> Run:
    """What is in a run's folder now."""
    return Run(folder, {int(line["step"]): line for line in read(folder)})


def processes_of(folder: Path) -> list[int]:
    """Every process that a run in this folder started, by the environment that it inherited."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            pass  # ended meanwhile, or another user's
    return found


def kill(folder: Path) -> None:
    """Ends all processes of a run as a machine that goes down does."""
    while alive := processes_of(folder):
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
