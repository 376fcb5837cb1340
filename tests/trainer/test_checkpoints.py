"""What a name on the command line stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.trainer.test_configs import composed
from trainer.checkpoints import EXPORTED_CONFIG, find, load_config
from trainer.errors import ConfigError


def saved(step: Path, *, weights: bool = True, lora: bool = False) -> Path:
    """A checkpoint as verl names its files."""
    (step / "actor/huggingface").mkdir(parents=True)
    (step / "actor/huggingface/config.json").touch()
    if weights:
        (step / "actor/huggingface/model.safetensors").touch()
    if lora:
        (step / "actor/lora_train_meta.json").touch()
    return step


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with two checkpoints."""
    config = composed("tiny", "actor_rollout_ref.model.path=some/base", "data.max_response_length=77")
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    for number in (25, 100):
        saved(tmp_path / f"checkpoints/global_step_{number}")
    (tmp_path / "checkpoints/latest_checkpointed_iteration.txt").write_text("100", encoding="utf-8")
    return tmp_path


def test_a_run_is_its_newest_checkpoint(run: Path) -> None:
    newest = run / "checkpoints/global_step_100"
    assert find(str(run)) == find(str(newest))
    assert find(str(run)).model == str(newest / "actor/huggingface")
    assert find(str(run)).name == "step-100"


def test_a_checkpoint_knows_its_run_and_how_that_asked(run: Path) -> None:
    checkpoint = find(str(run / "checkpoints/global_step_25"))
    assert (checkpoint.name, checkpoint.run) == ("step-25", run)
    assert load_config(checkpoint, None).data.max_response_length == 77


def test_an_overlay_that_is_named_counts_instead(run: Path) -> None:
    config = load_config(find(str(run)), "gpt_oss_20b")
    assert config.data.apply_chat_template_kwargs == {"enable_thinking": True, "reasoning_effort": "low"}


def test_one_with_shards_only_has_a_model_that_is_to_be_made(run: Path) -> None:
    step = saved(run / "checkpoints/global_step_30", weights=False)
    checkpoint = find(str(step))
    assert (checkpoint.model, checkpoint.actor) == (str(step / "actor/merged"), step / "actor")


def test_one_of_a_lora_run_is_its_base_and_an_adapter_that_is_to_be_made(run: Path) -> None:
    step = saved(run / "checkpoints/global_step_30", lora=True)
    checkpoint = find(str(step))
    assert (checkpoint.model, checkpoint.adapter) == ("some/base", step / "actor/adapter")
    assert checkpoint.actor == step / "actor"


def test_a_model_inside_a_run_is_asked_as_the_run_asked(run: Path) -> None:
    (run / "warm/model").mkdir(parents=True)
    (run / "warm/model/config.json").touch()
    checkpoint = find(str(run / "warm/model"))
    assert (checkpoint.run, checkpoint.config) == (run, run / "config.yaml")


def test_a_model_that_was_exported_brings_its_configuration(tmp_path: Path) -> None:
    for name in ("config.json", EXPORTED_CONFIG):
        (tmp_path / name).touch()
    checkpoint = find(str(tmp_path))
    assert (checkpoint.name, checkpoint.config, checkpoint.run) == (tmp_path.name, tmp_path / EXPORTED_CONFIG, None)


def test_a_file_of_another_project_is_no_configuration_of_ours(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n", encoding="utf-8")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").touch()
    assert find(str(tmp_path / "model")).config is None


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    said = {"base_model_name_or_path": "some/base", "r": 8}
    (tmp_path / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    checkpoint = find(str(tmp_path))
    assert (checkpoint.model, checkpoint.adapter, checkpoint.actor) == ("some/base", tmp_path, None)
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"adapter_config\.json: base_model_name_or_path is missing"):
        find(str(tmp_path))


def test_what_is_nowhere_here_is_on_the_hub() -> None:
    assert find("Qwen/Qwen3-14B")[:3] == ("Qwen--Qwen3-14B", "Qwen/Qwen3-14B", None)


@pytest.mark.parametrize("named", ["nowhere", "./a/b", "/a/b/c"])
def test_what_is_nowhere_is_an_error_that_says_what_it_may_be(named: str) -> None:
    with pytest.raises(ConfigError, match=r"no model is there\. Name the folder of a run"):
        find(named)


def test_a_run_without_a_checkpoint_says_so(run: Path) -> None:
    (run / "checkpoints/latest_checkpointed_iteration.txt").unlink()
    with pytest.raises(ConfigError, match="the run has no checkpoint yet"):
        find(str(run))
