"""The recipe and its overlays: they compose with verl's configuration, pass its validation, and say what we chose."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml

from trainer.config import CONFIGS, compose, overlays, validate
from trainer.errors import ConfigError

BIG = ("gpt_oss_20b", "qwen3_14b")
GPU = ("gpt_oss_20b", "h100", "qwen3_14b")
ALL = (*GPU, "tiny")


def composed(overlay: str, *overrides: str) -> Any:
    return compose(overlay, ["sigmaforge.run_dir=/run", *overrides])


def test_there_is_an_overlay_for_each_machine() -> None:
    assert overlays() == sorted(ALL)


@pytest.mark.parametrize("overlay", ALL)
def test_verl_accepts_every_overlay(overlay: str) -> None:
    validate(composed(overlay))


def keys(tree: Any, prefix: str = "") -> set[str]:
    """Paths of all leaves of a mapping."""
    if not isinstance(tree, dict) or not tree:
        return {prefix}
    return {path for name, below in tree.items() for path in keys(below, f"{prefix}.{name}" if prefix else name)}


ADDED = {
    # Keys that verl's file lacks but the class or function that reads them takes.
    "actor_rollout_ref.actor.fsdp_config.mixed_precision": "FSDPEngineConfig",
    "actor_rollout_ref.model.override_config": "AutoConfig.from_pretrained",
    "actor_rollout_ref.rollout.enable_sleep_mode": "RolloutConfig",
    "data.apply_chat_template_kwargs": "tokenizer.apply_chat_template",
    "ray_kwargs.ray_init": "ray.init",
    "trainer.v1.sampler.sampler_kwargs": "GroupSampler",
}


@pytest.mark.parametrize("name", ["recipe", *ALL])
def test_every_key_is_one_that_verl_reads(name: str) -> None:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("verl.trainer.config", version_base=None):
        known = OmegaConf.to_container(hydra_compose("ppo_trainer"))
    assert isinstance(known, dict)
    ours = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    del ours["defaults"], ours["sigmaforge"]
    unknown = {key for key in keys(ours) if not any(key.startswith(added) for added in ADDED)} - keys(known)
    assert unknown == set()


@pytest.mark.parametrize("overlay", ALL)
def test_every_overlay_is_the_same_recipe(overlay: str) -> None:
    config = composed(overlay)
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    # On a CPU start-up and waiting cost more than rollouts do.
    assert (config.data.train_batch_size, rollout.n) == (16 if overlay == "tiny" else 8, 8)
    assert config.algorithm.adv_estimator == "grpo"
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (0.2, 0.28)
    assert not actor.use_kl_loss
    assert not config.algorithm.use_kl_in_reward
    assert not config.algorithm.norm_adv_by_std_in_grpo
    assert config.algorithm.filter_groups.enable
    assert config.algorithm.filter_groups.metric == "reward"
    assert (actor.strategy, rollout.name) == ("fsdp2", "vllm")
    assert not rollout.full_determinism
    assert rollout.max_model_len == config.data.max_prompt_length + config.data.max_response_length
    assert config.sigmaforge.environment.RAY_ENABLE_UV_RUN_RUNTIME_ENV == "0"


@pytest.mark.parametrize("overlay", GPU)
def test_on_gpus_there_are_two_updates_and_the_two_roundings_of_bf16_are_made_up_for(overlay: str) -> None:
    config = composed(overlay)
    assert config.data.train_batch_size == 2 * config.actor_rollout_ref.actor.ppo_mini_batch_size
    assert config.actor_rollout_ref.rollout.dtype == config.actor_rollout_ref.actor.fsdp_config.dtype == "bfloat16"
    assert config.algorithm.rollout_correction.rollout_is == "token"
    assert config.sigmaforge.environment.VLLM_BATCH_INVARIANT == "1"
    assert config.sigmaforge.never_run


@pytest.mark.parametrize("overlay", BIG)
def test_the_big_ones_train_on_the_published_hundred(overlay: str) -> None:
    assert composed(overlay).sigmaforge.dataset == "sigmahq-100"


def test_the_big_ones_take_the_steps_that_were_published() -> None:
    assert {overlay: composed(overlay).trainer.total_training_steps for overlay in BIG} == {
        "qwen3_14b": 150,
        "gpt_oss_20b": 120,
    }


def test_gpt_oss_adapts_attention_only_and_vllm_loads_its_base_itself() -> None:
    config = composed("gpt_oss_20b").actor_rollout_ref
    assert set(config.model.target_modules) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert config.model.lora_rank > 0
    assert "dummy" not in config.rollout.load_format


def test_on_a_cpu_all_is_fp32_and_nothing_has_to_be_corrected() -> None:
    config = composed("tiny")
    assert config.actor_rollout_ref.rollout.dtype == config.actor_rollout_ref.actor.fsdp_config.dtype == "float32"
    assert config.algorithm.rollout_correction.rollout_is is None


def loss_of(config: Any, answers: list[list[float]]) -> float:
    """verl's own aggregation of the losses of answers' tokens."""
    from verl.trainer.ppo.core_algos import agg_loss

    longest = max(map(len, answers))
    losses = torch.tensor([answer + [9.0] * (longest - len(answer)) for answer in answers])
    mask = torch.tensor([[1.0] * len(answer) + [0.0] * (longest - len(answer)) for answer in answers])
    actor = config.actor_rollout_ref.actor
    return float(agg_loss(losses, mask, actor.loss_agg_mode, loss_scale_factor=actor.loss_scale_factor))


def test_a_token_weighs_the_same_in_a_long_answer_as_in_a_short_one() -> None:
    config = composed("tiny")
    longest = config.data.max_response_length
    assert loss_of(config, [[1.0], [1.0, 1.0, 1.0]]) == pytest.approx((1 + 3) / 2 / longest)
    assert loss_of(config, [[1.0], [1.0] * 64]) == pytest.approx((1 + 64) / 2 / longest)


def test_token_mean_is_an_option() -> None:
    config = composed("tiny", "actor_rollout_ref.actor.loss_agg_mode=token-mean")
    assert loss_of(config, [[1.0], [2.0, 3.0]]) == pytest.approx(2.0)


def test_an_advantage_is_the_distance_from_the_mean_of_the_group() -> None:
    import numpy as np
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    rewards, mask = torch.tensor([[0.0, 1.1], [0.0, 0.1]]), torch.ones(2, 2)
    groups = np.array(["a", "a"], dtype=object)
    normalised = composed("tiny").algorithm.norm_adv_by_std_in_grpo
    advantages, _ = compute_grpo_outcome_advantage(rewards, mask, groups, norm_adv_by_std_in_grpo=normalised)
    assert advantages[:, 0].tolist() == pytest.approx([0.5, -0.5])


def parameters(model: str) -> int:
    """Counted on a model without storage."""
    from transformers import AutoModelForCausalLM, GptOssConfig, Qwen3Config

    known: dict[str, Any] = {
        "h100": Qwen3Config(
            vocab_size=151936, hidden_size=2048, intermediate_size=6144, num_hidden_layers=28, num_attention_heads=16,
            num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
        ),
        "qwen3_14b": Qwen3Config(
            vocab_size=151936, hidden_size=5120, intermediate_size=17408, num_hidden_layers=40, num_attention_heads=40,
            num_key_value_heads=8, head_dim=128, tie_word_embeddings=False,
        ),
        "gpt_oss_20b": GptOssConfig(num_hidden_layers=24, num_local_experts=32),
    }  # fmt: skip
    with torch.device("meta"):
        return sum(weights.numel() for weights in AutoModelForCausalLM.from_config(known[model]).parameters())


@pytest.mark.parametrize("overlay", GPU)
def test_the_plan_is_told_the_true_number_of_parameters(overlay: str) -> None:
    assert composed(overlay).sigmaforge.model.parameters == parameters(overlay)


def test_an_unknown_overlay_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'laptop'.* gpt_oss_20b, h100, qwen3_14b, tiny"):
        compose("laptop")


@pytest.mark.parametrize("override", ["data.train_batch_sise=4", "data.train_batch_size", "sigmaforge.sed=1"])
def test_an_override_that_nothing_reads_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="tiny"):
        composed("tiny", override)


def test_rollouts_that_gpus_cannot_share_are_refused() -> None:
    config = composed("qwen3_14b", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=3")
    with pytest.raises(ConfigError, match=r"32 rollouts .* 8 GPUs in micro-batches of 3"):
        validate(config)


def test_what_verl_refuses_is_said_in_its_words() -> None:
    with pytest.raises(ConfigError, match=r"verl refuses the configuration: .*loss_agg_mode"):
        validate(composed("tiny", "actor_rollout_ref.actor.loss_agg_mode=median"))


def test_a_curriculum_is_not_shuffled() -> None:
    assert composed("tiny").data.shuffle is True
    config = composed("tiny", "sigmaforge.curriculum=easy_first")
    assert config.data.shuffle is False
    validate(config)
    with pytest.raises(ConfigError, match=r"data\.shuffle would undo sigmaforge\.curriculum"):
        validate(composed("tiny", "sigmaforge.curriculum=easy_first", "data.shuffle=true"))


def test_trackers_know_a_run_by_its_folder() -> None:
    assert composed("tiny", "sigmaforge.run_dir=/runs/first").trainer.experiment_name == "first"
