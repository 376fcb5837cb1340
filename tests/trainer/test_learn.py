"""From a model to a report: where it ends, where it goes on from. Its stages have tests of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sigma_env.errors import DatasetNotBuilt
from trainer import learn as module
from trainer.cli import numbers
from trainer.errors import ConfigError, TrainerError
from trainer.learn import Wanted, ensure_dataset, starting_from


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
