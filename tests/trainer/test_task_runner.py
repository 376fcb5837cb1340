"""What our trainer changes of verl's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from verl.trainer.ppo.v1 import trainer_base
from verl.utils import tensordict_utils as tu

from tests.trainer.test_configs import composed
from trainer.metrics import MetricsLog
from trainer.task_runner import Trainer, Uids


def test_names_of_groups_are_in_order_of_dispatch_and_verl_can_split_keys_at_them() -> None:
    uids = Uids()
    uids.begin(3)
    names = [uids.uuid4() for _ in range(12)]
    uids.begin(10)
    names.append(uids.uuid4())
    assert names == sorted(names)
    assert names[:2] == ["000003-0000", "000003-0001"]
    assert not any("_" in name for name in names)


class Loader:
    """Prompts of a dataset of two tasks, over and over, one at a time."""

    def __iter__(self) -> Any:
        for task_id in "aba":
            extra = {"task_id": task_id, "split": "train", "index": 0}
            yield {"raw_prompt": [[{"role": "user", "content": task_id}]], "extra_info": [extra]}


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainer:
    """A trainer without workers, in its first step, that validates at its start and after every 25 steps."""
    monkeypatch.setattr(trainer_base, "uuid", trainer_base.uuid)  # it replaces this one
    settings = ("sigmaforge.dataset=starter", "trainer.val_before_train=true", "trainer.test_freq=25")
    made = Trainer(composed("tiny", f"sigmaforge.run_dir={tmp_path}", *settings))
    made.config.data.gen_batch_size = 1
    made.train_dataloader, made.train_dataloader_it = Loader(), None
    made.global_steps, made.total_training_steps = 1, 50
    made.on_step_begin()
    return made


def test_prompts_are_named_and_counted_however_often_a_task_comes_in_a_step(trainer: Trainer) -> None:
    batch = trainer._next_train_batch(4)
    assert list(batch["uid"]) == [f"000001-000{place}" for place in range(4)]
    assert list(batch["repeat"]) == [0, 0, 1, 2]  # of the tasks a, b, a, a
    chunk = tu.concat_tensordict([batch, batch]).chunk(2)[1]
    assert list(chunk["repeat"]) == [0, 0, 1, 2]
    trainer.global_steps = 2
    trainer.on_step_begin()
    again = trainer._next_train_batch(2)
    assert list(again["uid"]) == ["000002-0000", "000002-0001"]
    assert list(again["repeat"]) == [0, 0]


def test_its_sampler_is_ours_and_checkpoints_are_deleted_by_us(trainer: Trainer) -> None:
    assert type(trainer.replay_buffer).__name__ == "GroupSampler"
    assert trainer.config.trainer.max_actor_ckpt_to_keep is None
    assert trainer._keep == 2


@pytest.mark.parametrize(
    ("step", "recorded", "validates"),
    [
        (0, {}, True),
        (25, {"val-core/starter/reward/mean@1": 0.5}, False),
        (25, {"critic/score/mean": 0.5}, True),
        (25, {}, True),
        (30, {}, False),
        (50, {}, True),
    ],
)
def test_a_run_that_goes_on_validates_first_where_a_kill_came_before_it(
    trainer: Trainer, step: int, recorded: dict[str, float], validates: bool
) -> None:
    if recorded:
        MetricsLog(trainer.config).log(recorded, step)
    trainer.global_steps = step
    assert trainer._validates_again() is validates


def test_one_that_never_validates_does_not_begin_to(trainer: Trainer) -> None:
    trainer.config.trainer.test_freq = -1
    trainer.global_steps = 25
    assert not trainer._validates_again()


def test_verls_trainer_takes_a_deterministic_order_of_tasks(trainer: Trainer) -> None:
    from verl.trainer.ppo.utils import create_rl_sampler

    tasks: Any = torch.arange(20)
    first, second = (list(create_rl_sampler(trainer.config.data, tasks)) for _ in range(2))
    assert first == second != sorted(first)
    assert not trainer.config.data.validation_shuffle
