"""Training on a Ray cluster that runs already: two nodes, each with a shard of the actor and a vLLM of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.trainer.short_runs import STEPS, train_tiny


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of two nodes on this machine, each with a GPU that is declared only."""
    folder = tempfile.mkdtemp(prefix="sf", dir="/tmp")  # paths of Ray's sockets must be short
    monkeypatch.setenv("RAY_TMPDIR", folder)
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 12, "num_gpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=12, num_gpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def test_two_nodes_train_as_one(address: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = train_tiny(tmp_path_factory.mktemp("run"), "--nodes=2", f"--ray-address={address}")
    assert [step for step in sorted(run.metrics) if step] == list(range(1, STEPS + 1))
    for step in range(1, STEPS + 1):
        assert run.metrics[step]["actor/grad_norm"] > 0
        assert run.metrics[step]["training/rollout_probs_diff_max"] <= 1e-4
    # One shard of the checkpoint from each node.
    names = {path.name for path in run.folder.glob(f"checkpoints/global_step_{STEPS}/actor/model_*.pt")}
    assert names == {"model_world_size_2_rank_0.pt", "model_world_size_2_rank_1.pt"}
