"""Tasks as verl's rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from tests.trainer.test_configs import composed
from tests.trainer.test_tiny_model import TOKENIZER
from trainer.asking import Asking
from trainer.data import fitting, in_order, write_parquet
from trainer.errors import ConfigError

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


def test_prompts_that_are_too_long_are_left_out_and_none_is_cut() -> None:
    asking = Asking.of(composed("tiny"))
    tasks = DATASET.of_split("train")
    lengths = {task.id: len(asking.prompt(TOKENIZER, task)) for task in tasks}
    assert fitting(tasks, asking._replace(longest_prompt=max(lengths.values())), TOKENIZER) == (list(tasks), {})
    limit = sorted(lengths.values())[len(tasks) // 2]
    kept, overlong = fitting(tasks, asking._replace(longest_prompt=limit), TOKENIZER)
    assert 0 < len(kept) < len(tasks)
    assert [task.id for task in kept] == [task.id for task in tasks if lengths[task.id] <= limit]
    assert overlong == {task: length for task, length in lengths.items() if length > limit}


def test_what_the_chat_template_adds_counts() -> None:
    class Tokenizer:
        def apply_chat_template(self, *_: object, enable_thinking: bool, **_more: object) -> dict[str, list[int]]:
            return {"input_ids": [1] * (10 if enable_thinking else 4)}

    tasks = DATASET.of_split("validation")
    for thinking, fits in ((False, True), (True, False)):
        asking = Asking.of(composed("tiny", f"sigmaforge.enable_thinking={thinking}", "data.max_prompt_length=5"))
        assert bool(fitting(tasks, asking, Tokenizer())[0]) is fits


def test_a_curriculum_begins_with_what_is_easy() -> None:
    tasks = DATASET.of_split("train")
    assert in_order(tasks, "none") == list(tasks)
    found = in_order(tasks, "easy_first")
    keys = [(task.difficulty, -task.coverage) for task in found]
    assert keys == sorted(keys)
    assert keys != [(task.difficulty, -task.coverage) for task in tasks]
    assert sorted(task.id for task in found) == [task.id for task in tasks]
    with pytest.raises(ConfigError, match=r"sigmaforge\.curriculum is 'hard'; it may be none or easy_first"):
        in_order(tasks, "hard")
