"""Training on a Ray cluster that runs already: two nodes, each with a shard of the actor and a vLLM of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import Final

import pytest

from tests.trainer.short_runs import Run, train_tiny


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes on this machine, each with a GPU that is declared only."""
    folder = tempfile.mkdtemp(prefix="sf", dir="/tmp")  # paths of Ray's sockets must be short
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 12, "num_gpus": 1, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            cluster.add_node(num_cpus=12, num_gpus=1)
            yield cluster.address
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


# Some groups are alike, and nothing is refilled: steps train on fewer than they wanted, padded.
STEPS: Final = 2
PROMPTS: Final = 8
SETTINGS: Final[dict[str, object]] = {
    "data.train_batch_size": PROMPTS,
    "actor_rollout_ref.actor.ppo_mini_batch_size": PROMPTS,
    "algorithm.filter_groups.max_num_gen_batches": 0,
    "trainer.total_training_steps": STEPS,
    "trainer.test_freq": -1,
}


@pytest.fixture(scope="module")
def run(address: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_tiny(tmp_path_factory.mktemp("run"), "--nodes=2", f"--ray-address={address}", **SETTINGS)


def test_two_nodes_train_as_one(run: Run) -> None:
    assert sorted(run.metrics) == list(range(1, STEPS + 1))
    for step in range(1, STEPS + 1):
        assert run.metrics[step]["actor/grad_norm"] > 0
        assert run.metrics[step]["training/rollout_probs_diff_max"] <= 1e-4
    # One shard of the checkpoint from each node.
    names = {path.name for path in run.folder.glob(f"checkpoints/global_step_{STEPS}/actor/model_*.pt")}
    assert names == {"model_world_size_2_rank_0.pt", "model_world_size_2_rank_1.pt"}


def test_a_step_that_finds_fewer_groups_trains_on_them(run: Run) -> None:
    kept = [metrics["groups/kept"] for metrics in run.metrics.values()]
    assert 0 < min(kept) < PROMPTS
    assert all(metrics["groups/refilled"] == 0 for metrics in run.metrics.values())
    assert all(metrics["groups/kept"] + metrics["groups/alike"] == PROMPTS for metrics in run.metrics.values())
