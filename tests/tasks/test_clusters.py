"""Clusters of tasks: those that a dataset was split by."""

from __future__ import annotations

from sigma_env.engines.choose import make_engine
from sigma_env.tasks.clusters import clusters_of
from sigma_env.tasks.dataset import load_dataset

DATASET = load_dataset("starter")
ENGINE = make_engine("native", "sigma")
CLUSTERS = clusters_of(DATASET, ENGINE, DATASET.tasks)


def test_every_task_has_a_cluster_which_is_named_by_one_of_its_tasks() -> None:
    assert list(CLUSTERS) != []
    assert set(CLUSTERS) == {task.id for task in DATASET.tasks}
    assert all(CLUSTERS[name] == name for name in CLUSTERS.values())


def test_some_tasks_share_one_and_none_stands_on_two_sides() -> None:
    assert 1 < len(set(CLUSTERS.values())) < len(CLUSTERS)
    sides = {(CLUSTERS[task.id], task.split) for task in DATASET.tasks}
    assert len(sides) == len(set(CLUSTERS.values()))
