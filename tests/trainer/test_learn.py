"""From a model to a report: all stages for real on a small model, and what is not done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sigma_env.errors import DatasetNotBuilt
from sigma_env.tasks.dataset import load_dataset
from tests.trainer.short_runs import SETTINGS, TASKS
from tests.trainer.speaking import teach
from tests.trainer.test_cli import command
from trainer import learn as module
from trainer.cli import numbers
from trainer.errors import ConfigError, TrainerError
from trainer.learn import Wanted, ensure_dataset, starting_from
from trainer.summary import Summary

STAGES = {"warm_start", "evaluation_before", "grpo", "evaluation_after"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished `learn` of one seed, without the control, which takes as long again."""
    folder = tmp_path_factory.mktemp("learn")
    teach(folder / "taught", load_dataset("starter").of_split("train")[:TASKS])
    settings = SETTINGS | {
        "sigmaforge.dataset": "starter",
        "sigmaforge.made_model": "null",
        "actor_rollout_ref.model.path": folder / "taught",
        "sigmaforge.warm_start.pairs": 8,
        "sigmaforge.warm_start.difficulty": "[0,0]",
        "data.max_response_length": 160,
        "sigmaforge.warm_start.steps": 1,
        "sigmaforge.warm_start.learning_rate": 1e-6,
        "sigmaforge.warm_start.optimizer": "adamw",
        "trainer.test_freq": -1,
        "trainer.total_training_steps": 2,
        "data.max_prompt_length": 1536,
    }
    words = [f"--set={key}={value}" for key, value in settings.items()]
    done = command(folder, "learn", "tiny", f"--run-dir={folder}", f"--results={folder}/kept", *words)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-6000:]
    return folder


def test_every_stage_ran_and_its_time_is_kept(folder: Path) -> None:
    seconds = json.loads((folder / "seed-0/seconds.json").read_text())
    assert set(seconds) == STAGES
    assert all(took > 0 for took in seconds.values())


def test_the_summary_compares_held_out_tasks_before_and_after(folder: Path) -> None:
    summary = Summary.read(folder / "summary.json")
    held_out = load_dataset("starter").of_split("test")
    assert {(one.decoding, one.seed, one.tasks) for one in summary.results} == {
        ("greedy", 0, len(held_out)),
        ("sampled", 0, len(held_out)),
    }
    assert not summary.passed  # so few tasks show nothing


def test_figure_table_and_summary_are_copied_to_where_results_are_kept(folder: Path) -> None:
    assert {path.name for path in (folder / "kept").iterdir()} == {"gains.md", "gains.png", "summary.json"}


def test_the_trained_model_is_another_than_that_of_the_warm_start(folder: Path) -> None:
    [trained] = folder.glob("seed-0/checkpoints/global_step_*/actor/huggingface/model.safetensors")
    assert trained.read_bytes() != (folder / "seed-0/warm_start/model/model.safetensors").read_bytes()


def test_what_is_done_is_not_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a stage ran again")

    monkeypatch.setattr(module._Seed, "_command", never)
    monkeypatch.setattr(module, "evaluate_all", never)
    wanted = Wanted("tiny", folder, (0,), False, ("sigmaforge.dataset=starter",))
    assert module.learn(wanted).results == Summary.read(folder / "summary.json").results


def test_the_control_takes_as_many_steps_on_other_chats_as_fit_into_the_time_of_grpo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path, tuple[str, ...]]] = []
    monkeypatch.setattr(module._Seed, "_command", lambda _, stage, folder, *words: asked.append((stage, folder, words)))
    seed = module._Seed(Wanted("tiny", tmp_path, (3,), True, ()), 3)
    seed.started.mkdir(parents=True)
    (seed.started.parent / "metrics.jsonl").write_text('{"step": 50, "loss": 1.0, "seconds": 10.0}\n')
    (seed.folder / "seconds.json").write_text('{"grpo": 600.0}')
    seed._more_warm_start()
    [(stage, folder, words)] = asked
    assert (stage, folder) == ("sft", tmp_path / "seed-3/control")
    assert {"sigmaforge.warm_start.steps=3000", "sigmaforge.warm_start.seed=1000003"} <= set(words)
    assert f"actor_rollout_ref.model.path='{seed.started}'" in words


def test_a_stage_that_fails_ends_it_and_is_run_again(tmp_path: Path) -> None:
    settings = ("sigmaforge.dataset=starter", "sigmaforge.warm_start.pairs=50", "sigmaforge.warm_start.steps=0")
    wanted = Wanted("tiny", tmp_path, (3,), False, settings)
    with pytest.raises(TrainerError, match="seed 3: sft ended with status 1"):
        module.learn(wanted)
    assert not (tmp_path / "seed-3/seconds.json").exists()


def test_a_warm_start_that_left_an_adapter_is_gone_on_from_with_its_base(tmp_path: Path) -> None:
    assert starting_from(tmp_path)[0] == f"actor_rollout_ref.model.path='{tmp_path}'"
    (tmp_path / "adapter_config.json").touch()
    assert starting_from(tmp_path)[0] == f"actor_rollout_ref.model.lora_adapter_path='{tmp_path}'"


def test_a_dataset_that_needs_a_download_is_asked_for_by_its_command() -> None:
    with pytest.raises(DatasetNotBuilt, match="sigma-env build sigmahq-fresh"):
        ensure_dataset("sigmahq-fresh")


def test_seeds_are_numbers() -> None:
    assert numbers("0,1") == (0, 1)
    with pytest.raises(ConfigError, match="--seeds 'a': write numbers with commas between"):
        numbers("a")
