"""The command line: plans, and errors that say what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trainer import cli
from trainer.errors import ConfigError


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m trainer` as a user does, in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    words = (sys.executable, "-m", "trainer", *words)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_dry_run_prints_configuration_and_plan_and_makes_nothing(tmp_path: Path) -> None:
    done = command(
        tmp_path, "train", "gpt_oss_20b", "--dry-run", "--nodes", "2", "--set", "trainer.total_training_steps=7"
    )
    assert done.returncode == 0, done.stderr
    text, plan = re.split(r"^Plan$", done.stdout, flags=re.M)
    config = yaml.safe_load(text)
    assert config["trainer"]["total_training_steps"] == 7
    assert config["actor_rollout_ref"]["model"]["path"] == "openai/gpt-oss-20b"
    assert "2 machines with 8 GPUs of 79 GB" in plan
    assert "7 steps, 2 updates each, of 64 rollouts (8 prompts x 8)" in plan
    assert "Never run by us" in plan
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "qwen3_14b"), r"this machine lacks what the configuration needs: .*8 GPUs of 79 GB; it has \d"),
        (("train", "laptop"), "there is no overlay 'laptop'"),
        (("train", "tiny", "--set", "trainer.steps=1"), "trainer.steps|Could not override"),
        (("train", "qwen3_14b", "--nodes", "2"), "2 nodes need a Ray cluster that runs already; .*--ray-address"),
    ],
)
def test_a_fault_is_one_line_and_ends_it(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = command(tmp_path, *words)
    assert done.returncode == 1
    assert re.search(f"^error: .*({said})", done.stderr, re.M), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_trackers_are_asked_for_by_a_flag_and_write_into_the_run(tmp_path: Path, tracker: str) -> None:
    done = command(tmp_path, "train", "tiny", f"--{tracker}", "--run-dir", "r", "--dry-run")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load(re.split(r"^Plan$", done.stdout, flags=re.M)[0])
    assert config["trainer"]["logger"] == ["console", tracker]
    assert config["sigmaforge"]["environment"][f"{tracker.upper()}_DIR"] == str(tmp_path / "r" / tracker)


def test_a_tracker_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "_has", lambda _: False)
    with pytest.raises(ConfigError, match=r"--wandb needs the package wandb; run: .* -m pip install wandb"):
        cli._logging(tmp_path, tensorboard=False, wandb=True)
