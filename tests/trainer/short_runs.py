"""Real runs of a few steps, as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.tasks.dataset import load_dataset
from tests.trainer.speaking import teach

STEPS: Final = 2
PROMPTS: Final = 4
ROLLOUTS: Final = 4
TASKS: Final = 8
# A rate at which two updates move probabilities by far more than the 1e-4 that rollouts and actor may differ by.
SETTINGS: Final[dict[str, object]] = {
    "data.train_batch_size": PROMPTS,
    "data.train_max_samples": TASKS,
    "data.shuffle": False,
    "data.max_response_length": 40,
    "actor_rollout_ref.rollout.n": ROLLOUTS,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 2,
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 4,
    "actor_rollout_ref.actor.optim.lr": 0.001,
    "actor_rollout_ref.actor.optim.lr_warmup_steps": 0,
    "trainer.total_training_steps": STEPS,
    "trainer.val_before_train": False,
    "trainer.test_freq": STEPS,
    "trainer.save_freq": STEPS,
    "trainer.logger": "[console,file]",
}


class Run(NamedTuple):
    """What a run left: its folder, and verl's metrics by step."""

    folder: Path
    metrics: dict[int, dict[str, Any]]


def train_tiny(folder: Path, *words: str) -> Run:
    """Runs `python -m trainer train tiny`, with more words, on a model that earns something."""
    teach(folder / "taught", load_dataset("starter").of_split("train")[:TASKS])
    log = folder / "metrics.jsonl"
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    settings = SETTINGS | {
        "actor_rollout_ref.model.path": folder / "taught",
        "+sigmaforge.environment.VERL_FILE_LOGGER_PATH": log,
    }
    command = [sys.executable, "-m", "trainer", "train", "tiny", f"--run-dir={folder}", *words]
    done = subprocess.run(
        command + [f"--set={key}={value}" for key, value in settings.items()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    metrics: dict[int, dict[str, Any]] = {}
    for row in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        metrics.setdefault(row["step"], {}).update(row["data"])
    return Run(folder, metrics)
