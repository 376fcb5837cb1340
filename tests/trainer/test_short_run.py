"""A short real run on this machine's CPU: verl, vLLM, Ray and FSDP2, with the project's scorer as the reward.

It is killed while it writes a checkpoint, and goes on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from safetensors.torch import load_file

from sigma_env.scoring.options import COMPONENTS
from tests.trainer.short_runs import (
    PROMPTS,
    ROLLOUTS,
    SAVED,
    STEPS,
    Run,
    kill,
    left,
    output,
    processes_of,
    start,
    teach_model,
)
from trainer import records, resume

VARYING = ("timing_", "perf/", "actor/perf/", "sigma/scoring/", "training/rollout_", "rollout_corr/")
"""Metrics that no seed decides: times and memory, and the last bits of what vLLM computes, in batches that it makes up
as requests arrive."""

KILLED = 2 * SAVED
"""The step whose checkpoint is being written when the run is killed."""


class Past(NamedTuple):
    """What a run had recorded when it was killed."""

    metrics: dict[int, dict[str, float]]
    rollouts: dict[int, list[records.Record]]
    last: int


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Past]:
    """A run of which no process is left, like that of a machine that went down."""
    folder = tmp_path_factory.mktemp("run")
    process = start(folder, "--tensorboard", **teach_model(folder))
    while not (folder / f"checkpoints/global_step_{KILLED}").exists():
        assert process.poll() is None, output(folder)
        time.sleep(0.005)
    kill(folder)
    process.wait()
    latest = (folder / "checkpoints" / resume.LATEST).read_text()
    # The kill may come too late by a moment; then the checkpoint is whole.
    assert latest in {str(SAVED), "", str(KILLED)}
    past = Past(left(folder).metrics, rollouts_of(folder), int(latest or KILLED))
    assert max(past.metrics) == max(past.rollouts) == KILLED
    return folder, past


@pytest.fixture(scope="module")
def run(killed: tuple[Path, Past]) -> Run:
    folder, _past = killed
    assert start(folder, "--tensorboard", **teach_model(folder)).wait() == 0, output(folder)
    return left(folder)


def rollouts_of(folder: Path) -> dict[int, list[records.Record]]:
    return {step: records.read(folder / records.ROLLOUTS, step) for step in records.steps(folder / records.ROLLOUTS)}


def test_a_killed_run_goes_on_after_its_last_checkpoint_and_has_each_step_once(
    run: Run, killed: tuple[Path, Past]
) -> None:
    _folder, past = killed
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(run.metrics) == STEPS
    assert {step: run.metrics[step] for step in range(1, past.last)} == {
        step: past.metrics[step] for step in range(1, past.last)
    }
    for step, found in rollouts_of(run.folder).items():
        places = [(record.uid, record.rollout) for record in found]
        assert len(set(places)) == len(places) == run.metrics[step]["groups/dispatched"] * ROLLOUTS
    assert list(rollouts_of(run.folder)) == list(range(1, STEPS + 1))


def answered(found: list[records.Record]) -> list[tuple[object, ...]]:
    return [(one.uid, one.rollout, one.task_id, one.answer, one.reward) for one in found]


def test_the_steps_that_it_takes_again_are_the_same(run: Run, killed: tuple[Path, Past]) -> None:
    """Two processes, one from the start and one after a checkpoint: same seed, same rollouts, same metrics."""
    _folder, past = killed
    again = range(past.last + 1, KILLED + 1)
    for step in again:
        assert answered(rollouts_of(run.folder)[step]) == answered(past.rollouts[step])
    for step in again[:-1]:  # of the last one, the killed process recorded what was known before the checkpoint
        same = {name for name in run.metrics[step] if not name.startswith(VARYING)}
        assert {name: run.metrics[step][name] for name in same} == {name: past.metrics[step][name] for name in same}


def test_the_rollouts_of_a_group_differ(run: Run) -> None:
    """With one seed for all of a prompt, as verl's full_determinism has it, none would."""
    for step, found in rollouts_of(run.folder).items():
        groups: dict[str, set[str]] = {}
        for record in found:
            groups.setdefault(record.uid, set()).add(record.answer)
        assert sum(len(answers) > 1 for answers in groups.values()) >= run.metrics[step]["groups/kept"]


def test_every_step_trains_on_as_many_groups_as_were_asked_for_and_replaces_the_others(run: Run) -> None:
    assert {metrics["groups/kept"] for metrics in run.metrics.values()} == {PROMPTS}
    assert sum(metrics["groups/alike"] for metrics in run.metrics.values()) > 0
    assert sum(metrics["groups/refilled"] for metrics in run.metrics.values()) > 0


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


def test_tensorboard_shows_what_the_folder_holds(run: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(run.folder / "tensorboard"))
    shown.Reload()
    for name in ("actor/grad_norm", "sigma/reward/mean"):
        last = shown.Scalars(name)[-1]
        assert (last.step, last.value) == (STEPS, pytest.approx(run.metrics[STEPS][name]))


def test_it_leaves_no_process_of_ray(run: Run) -> None:
    for _ in range(60):  # Ray's workers end by themselves once they miss their node
        if not processes_of(run.folder):
            break
        time.sleep(1)
    assert processes_of(run.folder) == []
