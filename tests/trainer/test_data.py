"""Tasks as verl's rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from trainer.data import write_parquet

DATASET = load_dataset("starter")


def test_a_row_holds_the_prompt_and_the_id_and_nothing_of_the_reference(tmp_path: Path) -> None:
    tasks = DATASET.of_split("test")
    assert write_parquet(tasks, "starter", tmp_path / "new" / "test.parquet") == len(tasks)
    rows = pq.read_table(tmp_path / "new" / "test.parquet").to_pylist()
    assert [row["prompt"] for row in rows] == [messages(task) for task in tasks]
    assert [row["reward_model"]["ground_truth"] for row in rows] == [task.id for task in tasks]
    assert [row["extra_info"]["index"] for row in rows] == list(range(len(tasks)))
    assert {row["data_source"] for row in rows} == {"starter"}
    for task, row in zip(tasks, rows, strict=True):
        assert task.reference not in str(row)


def test_the_same_tasks_make_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_parquet(DATASET.of_split("validation"), "starter", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
