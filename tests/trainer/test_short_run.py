"""A short real run on this machine's CPU: verl, vLLM, Ray and FSDP2, with the project's scorer as the reward."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from sigma_env.scoring.options import COMPONENTS
from tests.trainer.short_runs import PROMPTS, STEPS, Run, train_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_tiny(tmp_path_factory.mktemp("run"))


def test_it_takes_the_steps_that_were_asked_for(run: Run) -> None:
    assert [step for step in sorted(run.metrics) if step] == list(range(1, STEPS + 1))


def test_rewards_are_scores_and_differ_within_groups(run: Run) -> None:
    for step in range(1, STEPS + 1):
        metrics = run.metrics[step]
        assert 0 < metrics["critic/score/mean"] <= metrics["critic/score/max"] <= 1.1
        assert metrics["critic/advantages/max"] > 0 > metrics["critic/advantages/min"]
        assert metrics["actor/grad_norm"] > 0


def test_vllm_samples_from_the_weights_that_the_actor_has_after_every_update(run: Run) -> None:
    for step in range(1, STEPS + 1):
        assert run.metrics[step]["training/rollout_probs_diff_max"] <= 1e-4


def test_the_actor_learns(run: Run) -> None:
    before = load_file(run.folder / "taught/model.safetensors")
    [saved] = run.folder.glob(f"checkpoints/global_step_{STEPS}/actor/huggingface/model.safetensors")
    after = load_file(saved)
    moved = max(float((after[name] - before[name]).abs().max()) for name in before if name in after)
    assert moved > 1e-4
    assert all(torch.isfinite(weights).all() for weights in after.values())


def test_validation_prints_the_reward_of_held_out_tasks_and_every_component(run: Run) -> None:
    names = " ".join(run.metrics[STEPS])
    for component in ("reward", *COMPONENTS):
        assert f"val-aux/starter/{component}/" in names or f"val-core/starter/{component}/" in names


def test_its_folder_holds_the_resolved_configuration(run: Run) -> None:
    config = yaml.safe_load((run.folder / "config.yaml").read_text(encoding="utf-8"))
    assert config["data"]["train_batch_size"] == PROMPTS
    assert config["sigmaforge"]["run_dir"] == str(run.folder)
    assert "${" not in str(config)


def processes_of(run: Run) -> list[bytes]:
    """Command lines of processes that inherited the run's environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(run.folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes())
        except OSError:
            pass  # ended meanwhile, or another user's
    return found


def test_it_leaves_no_process_of_ray(run: Run) -> None:
    for _ in range(60):  # Ray's workers end by themselves once they miss their node
        if not processes_of(run):
            break
        time.sleep(1)
    assert processes_of(run) == []
