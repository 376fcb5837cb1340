"""The plan: memory, tokens and steps of a run, worked out by hand beside it."""

from __future__ import annotations

import pytest

from tests.trainer.test_configs import BIG, composed
from trainer.errors import MissingResources
from trainer.machine import Machine, check_cluster, check_machine
from trainer.plan import GB, plan, render


def test_full_fine_tuning_holds_sixteen_bytes_of_each_parameter_in_shards() -> None:
    memory = plan(composed("qwen3_14b")).memory
    assert memory is not None
    assert memory.weights + memory.gradients + memory.optimiser == pytest.approx(14_768_307_200 * 16 / 8)


def test_lora_holds_gradients_and_moments_of_its_own_parameters_only() -> None:
    memory = plan(composed("gpt_oss_20b")).memory
    assert memory is not None
    assert memory.weights == pytest.approx(20_914_757_184 * 2 / 8)
    assert memory.gradients + memory.optimiser == pytest.approx(15_925_248 * 3 * 2 / 8)


@pytest.mark.parametrize("overlay", [*BIG, "h100"])
def test_every_gpu_overlay_fits_with_a_tenth_to_spare(overlay: str) -> None:
    config = composed(overlay)
    memory = plan(config).memory
    assert memory is not None
    assert max(memory.training, memory.sampling) < 0.9 * config.sigmaforge.needs.gpu_memory_gb * GB
    assert plan(config).cached_tokens > 8 * config.actor_rollout_ref.rollout.max_model_len


def test_more_nodes_hold_smaller_shards() -> None:
    one, two = plan(composed("qwen3_14b")), plan(composed("qwen3_14b", "trainer.nnodes=2"))
    assert one.memory is not None
    assert two.memory is not None
    assert (one.gpus, two.gpus) == (8, 16)
    assert two.memory.weights == one.memory.weights / 2
    assert two.memory.activations == one.memory.activations


def test_steps_updates_rollouts_and_tokens_are_counted() -> None:
    planned = plan(composed("qwen3_14b"))
    assert (planned.steps, planned.updates, planned.rollouts) == (150, 2, 64)
    assert planned.step_tokens == 64 * (1536 + 2048)
    assert planned.run_tokens == 150 * planned.step_tokens


def test_fewer_gpus_by_set_are_planned_for() -> None:
    planned = plan(composed("qwen3_14b", "trainer.n_gpus_per_node=4"))
    assert planned.gpus == 4
    assert planned.memory is not None
    assert planned.memory.weights == pytest.approx(14_768_307_200 * 4 / 4)


def test_it_says_what_was_never_run_and_when_nothing_can_be_clipped() -> None:
    gpu, cpu = composed("gpt_oss_20b"), composed("tiny")
    assert "Never run by us\n  - the whole of it" in render(gpu, plan(gpu))
    assert "no token is ever clipped" in render(cpu, plan(cpu))
    assert "Never run" not in render(cpu, plan(cpu))
    assert plan(cpu).memory is None


def test_a_machine_that_has_enough_is_accepted() -> None:
    check_machine(composed("qwen3_14b"), Machine(512, (85.0,) * 8))


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine(512, ()), "8 GPUs of 79 GB; it has 0"),
        (Machine(512, (85.0,) * 4), "8 GPUs of 79 GB; it has 4"),
        (Machine(512, (42.0,) + (85.0,) * 7), "79 GB on each GPU; the smallest has 42.0"),
        (Machine(64, (85.0,) * 8), "256 GB of memory; it has 64.0"),
    ],
)
def test_a_machine_that_lacks_something_is_told_what_and_how_much(machine: Machine, said: str) -> None:
    with pytest.raises(MissingResources, match=said):
        check_machine(composed("qwen3_14b"), machine)


def test_a_cluster_with_too_few_nodes_is_told_so() -> None:
    config = composed("qwen3_14b", "trainer.nnodes=2")
    check_cluster(config, [{"GPU": 8}, {"GPU": 8}, {"CPU": 4}])
    with pytest.raises(MissingResources, match=r"2 nodes with 8 GPUs each; of the cluster's 2 nodes 1 .*\(.*8, 0\)"):
        check_cluster(config, [{"GPU": 8}, {"CPU": 4}])
