"""Batches that a step cannot fill: too few kept groups, or groups with failed rollouts. verl pads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from verl import DataProto
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.trainer.ppo.padding_utils import construct_minimal_padding_template
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
from verl.utils.config import omega_conf_to_dataclass

from tests.trainer.test_configs import composed

CONFIG = composed("tiny")
ROLLOUTS = CONFIG.actor_rollout_ref.actor.ppo_mini_batch_size * CONFIG.actor_rollout_ref.rollout.n
LONGEST = 5


def padding() -> dict[str, Any]:
    """A row of padding, as verl makes it from a row of the batch."""
    row = {"position_ids": torch.arange(9), "reward_model": {"ground_truth": "a"}, "session_id": 0}
    filled, tag = construct_minimal_padding_template(row, {"seq_len": 9}, eos_token_id=1)
    assert tag["is_padding"]
    return filled


def advantages(groups: list[list[float]], padded: int = 0) -> torch.Tensor:
    """verl's advantages of groups of rewards, padding rows last; each answer has LONGEST tokens."""
    uids = [f"000001-{place:04d}" for place, group in enumerate(groups) for _ in group] + ["pad"] * padded
    keys = [f"{uid}_{row}_0" for row, uid in enumerate(uids)]
    mask = torch.ones(len(uids), LONGEST)
    rewards = torch.zeros(len(uids), LONGEST)
    rewards[:, -1] = torch.tensor([reward for group in groups for reward in group] + [0.0] * padded)
    if padded:
        mask[-padded:] = 0
        assert not padding()["response_mask"].any()
        assert not padding()["rm_scores"].any()
    data = DataProto.from_dict(
        tensors={"token_level_scores": rewards, "token_level_rewards": rewards, "response_mask": mask},
        non_tensors={"uid": np.array(uids, dtype=object)},
    )
    algorithm = CONFIG.algorithm
    done = compute_advantage_for_multi_trajectories(
        data, keys, "grpo", norm_adv_by_std_in_grpo=algorithm.norm_adv_by_std_in_grpo, config=algorithm
    )
    return done.batch["advantages"]


def gradient(groups: list[list[float]], padded: int = 0) -> torch.Tensor:
    """What the loss of a step asks of the log-probability of every token, as verl's worker computes it."""
    actor = omega_conf_to_dataclass(CONFIG.actor_rollout_ref.actor)
    actor.global_batch_info.update(
        dp_size=1, batch_num_tokens=None, global_batch_size=ROLLOUTS, loss_scale_factor=actor.loss_scale_factor
    )
    given = advantages(groups, padded)
    mask = torch.ones_like(given)
    if padded:
        mask[-padded:] = 0
    old = torch.full_like(given, -1.0)
    new = old.clone().requires_grad_()
    loss, _metrics = get_policy_loss_fn("vanilla")(
        old_log_prob=old, log_prob=new, advantages=given, response_mask=mask, loss_agg_mode=actor.loss_agg_mode,
        config=actor,
    )  # fmt: skip
    loss.backward()
    assert new.grad is not None
    return new.grad


def test_a_rollout_weighs_the_same_however_many_there_are() -> None:
    few, many = gradient([[1.0, 0.0]]), gradient([[1.0, 0.0], [1.0, 0.0]])
    assert torch.equal(few, many[:2])
    assert torch.allclose(few[0], torch.full((LONGEST,), -0.5 / ROLLOUTS / CONFIG.data.max_response_length))


def test_padding_has_no_gradient_and_changes_that_of_no_other_row() -> None:
    groups = [[1.0, 0.0, 0.3], [0.0, 1.1, 1.1, 0.4]]
    padded = gradient(groups, padded=5)
    assert torch.equal(padded[:7], gradient(groups))
    assert not padded[7:].any()


def test_a_step_with_fewer_groups_is_the_step_that_it_would_be_with_the_alike_ones_in_it() -> None:
    alike = gradient([[1.0, 0.0], [0.4, 0.4]])
    assert torch.equal(alike[:2], gradient([[1.0, 0.0]], padded=2)[:2])
    assert not alike[2:].any()


def test_a_groups_mean_is_that_of_the_rollouts_that_are_left() -> None:
    left = advantages([[1.0, 0.5, 0.0, 0.1], [1.0, 0.0]])[:, 0]
    assert torch.allclose(left, torch.tensor([0.6, 0.1, -0.4, -0.3, 0.5, -0.5]))
