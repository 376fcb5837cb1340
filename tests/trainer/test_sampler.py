"""What a step trains on: kept groups only, in order of dispatch, and an end where there is nothing to learn.

The queue here is a dictionary with the calls that the sampler makes; the short runs use the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import transfer_queue

from tests.trainer.test_configs import composed
from trainer import sampler as module
from trainer.errors import TrainerError
from trainer.sampler import Group, GroupSampler, refills

N = 8
ALIKE, VARIED = (0.1,) * N, (0.1,) * (N - 1) + (1.1,)


class Queue:
    """Prompts and trajectories by partition. What is dispatched ends `later` looks at the queue later."""

    def __init__(self, partition: str = "train", later: int = 0) -> None:
        self.tags: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.partition, self.later, self.looks = partition, later, 0
        self.due: list[tuple[int, Callable[[], None]]] = []
        self.dispatched = 0

    def dispatch(self, rewards: Sequence[float | None]) -> str:
        """Adds a prompt, and the trajectories of its rollouts when it ends; None is a rollout that failed."""
        uid = f"000001-{self.dispatched:04d}"
        self.dispatched += 1
        self.tags[uid] = {"is_prompt": True, "status": "pending"}
        # The later of two prompts ends first, and its last rollout first of all.
        self.due.insert(0, (self.looks + self.later, lambda: self.end(uid, rewards)))
        return uid

    def end(self, uid: str, rewards: Sequence[float | None]) -> None:
        for rollout, reward in reversed(list(enumerate(rewards))):
            if reward is not None:
                key = f"{uid}_{rollout}_0"
                self.tags[key] = {"status": "success", "rollout": rollout}
                info = {"reward_extra_info": {"reward": reward, "iou": float(reward > 1)}}
                self.rows[key] = {"rm_scores": torch.tensor([0.0, 0.0, reward]), "extra_fields": info}
        self.tags[uid] = {"is_prompt": True, "status": "failure" if None in rewards else "finished"}

    def kv_list(self, partition: str) -> dict[str, dict[str, Any]]:
        assert partition == self.partition
        self.looks += 1
        for look, end in list(self.due):
            if look < self.looks:
                end()
                self.due.remove((look, end))
        return {partition: dict(self.tags)} if self.tags else {}

    def kv_batch_get(self, keys: list[str], partition_id: str, select_fields: list[str]) -> dict[str, list[Any]]:
        assert partition_id == self.partition
        return {field: [self.rows[key][field] for key in keys] for field in select_fields}

    def kv_clear(self, keys: list[str], partition_id: str) -> None:
        assert partition_id == self.partition
        for key in keys:
            del self.tags[key]
            self.rows.pop(key, None)


def made(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, later: Sequence[Sequence[float | None]] = (), *words: str
) -> Any:
    """A sampler as verl makes it, on a queue; `later` are the rewards of refills, the last of them for ever."""
    for call in ("kv_list", "kv_batch_get", "kv_clear"):
        monkeypatch.setattr(transfer_queue, call, getattr(queue, call))
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    rewards = list(later)

    def refill(count: int) -> None:
        asked.append(count)
        for _ in range(count):
            queue.dispatch(rewards.pop(0) if len(rewards) > 1 else rewards[0])

    asked: list[int] = []
    settings = composed("tiny", f"actor_rollout_ref.rollout.n={N}", *words).trainer.v1.sampler
    sampler = GroupSampler(
        trainer_mode="sync",
        trainer_config={},
        max_off_policy_threshold=settings.max_off_policy_threshold,
        max_off_policy_strategy=settings.max_off_policy_strategy,
        sampler_kwargs=settings.sampler_kwargs,
        refill_fn=refill,
    )
    sampler.asked = asked
    return sampler


def keys(*uids: str, rollouts: Sequence[int] = range(N)) -> list[str]:
    return [f"{uid}_{rollout}_0" for uid in uids for rollout in rollouts]


def test_all_groups_that_vary_are_taken_in_order_of_dispatch_however_they_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue(later=3)
    uids = [queue.dispatch(VARIED) for _ in range(4)]
    batch, metrics = made(queue, monkeypatch).sample(1, "train", 4)
    assert batch.keys == keys(*uids)
    assert [tag["rollout"] for tag in batch.tags] == [*range(N)] * 4
    assert metrics["groups/kept"] == metrics["groups/dispatched"] == 4
    assert metrics["groups/refilled"] == metrics["groups/alike"] == metrics["groups/failed"] == 0
    assert sorted(queue.tags) == sorted(batch.keys)  # verl clears them after the step


def test_groups_that_are_alike_are_replaced_until_as_many_as_were_asked_for_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue(later=1)
    uids = [queue.dispatch(rewards) for rewards in (ALIKE, VARIED, ALIKE, VARIED)]
    sampler = made(queue, monkeypatch, [ALIKE, VARIED, ALIKE, VARIED, VARIED])
    batch, metrics = sampler.sample(1, "train", 4)
    assert batch.keys == keys(uids[1], uids[3], "000001-0005", "000001-0007")
    assert sampler.asked == [4]
    assert metrics == {
        "groups/dispatched": 8, "groups/refilled": 4, "groups/kept": 4, "groups/surplus": 0, "groups/alike": 4,
        "groups/alike_share": 0.5, "groups/failed": 0, "groups/failed_rollouts": 0,
    }  # fmt: skip
    assert sorted(queue.tags) == sorted(batch.keys)


def test_what_is_kept_beyond_that_is_dropped_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    queue.dispatch(ALIKE), queue.dispatch(VARIED)
    batch, metrics = made(queue, monkeypatch, [VARIED]).sample(1, "train", 2)
    assert batch.keys == keys("000001-0001", "000001-0002")
    assert metrics["groups/surplus"] == 1
    assert sorted(queue.tags) == sorted(batch.keys)


@pytest.mark.parametrize(
    ("missing", "kept", "dispatched", "asked"), [(2, 6, 8, 3), (1, 7, 8, 2), (4, 4, 8, 8), (7, 1, 8, 14), (8, 0, 8, 16)]
)
def test_as_many_refills_as_the_share_kept_promises_but_at_most_two_for_one(
    missing: int, kept: int, dispatched: int, asked: int
) -> None:
    assert refills(missing, kept, dispatched) == asked


def test_it_stops_refilling_after_four_batches_and_trains_on_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    for rewards in (ALIKE, VARIED, ALIKE, ALIKE):
        queue.dispatch(rewards)
    sampler = made(queue, monkeypatch, [ALIKE])
    batch, metrics = sampler.sample(1, "train", 4)
    assert batch.keys == keys("000001-0001")
    assert sum(sampler.asked) == metrics["groups/refilled"] == 4 * 4
    assert metrics["groups/kept"] == 1


def test_where_nothing_varies_it_ends_with_an_error_that_says_so_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue()
    for reward in (0.0, 0.0, 0.1, 0.0):
        queue.dispatch((reward,) * N)
    with pytest.raises(TrainerError, match="no reward variance") as caught:
        made(queue, monkeypatch, [ALIKE]).sample(7, "train", 4)
    assert "step 7" in str(caught.value)
    assert "of 20 groups of rollouts, refills among them, 20 earned the same" in str(caught.value)
    assert "reward: 17 at 0.1, 3 at 0" in str(caught.value)
    for remedy in ("warm start", "easier tasks", "temperature"):
        assert remedy in str(caught.value)


def failed(survivors: int, rewards: tuple[float, ...] = VARIED) -> tuple[float | None, ...]:
    return (*(None for _ in range(N - survivors)), *rewards[N - survivors :])


def test_a_group_of_which_four_are_left_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    queue.dispatch(failed(4)), queue.dispatch(VARIED)
    batch, metrics = made(queue, monkeypatch).sample(1, "train", 2)
    assert batch.keys == [*keys("000001-0000", rollouts=range(4, 8)), *keys("000001-0001")]
    assert metrics["groups/failed"] == 0
    assert metrics["groups/failed_rollouts"] == 4


@pytest.mark.parametrize("rewards", [failed(3), failed(0), failed(4, ALIKE)])
def test_one_of_which_fewer_are_left_or_that_no_longer_varies_is_replaced(
    monkeypatch: pytest.MonkeyPatch, rewards: tuple[float | None, ...]
) -> None:
    queue = Queue()
    queue.dispatch(rewards), queue.dispatch(VARIED)
    batch, metrics = made(queue, monkeypatch, [VARIED]).sample(1, "train", 2)
    assert batch.keys == keys("000001-0001", "000001-0002")
    assert metrics["groups/failed"] + metrics["groups/alike"] == 1
    assert queue.tags.keys() == set(batch.keys)


@pytest.mark.parametrize("partition", ["train", "val"])
def test_a_run_ends_when_more_rollouts_fail_than_may(monkeypatch: pytest.MonkeyPatch, partition: str) -> None:
    queue = Queue(partition)
    for _ in range(3):
        queue.dispatch(failed(5))
    sampler = made(queue, monkeypatch, (), f"actor_rollout_ref.rollout.val_kwargs.n={N}")
    with pytest.raises(TrainerError, match=r"step 2: 9 of 24 .*rollouts failed, more than sigmaforge.max_failed_share"):
        sampler.sample(2, partition, 3)


def test_a_greater_share_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    for _ in range(3):
        queue.dispatch(failed(5))
    batch, _metrics = made(queue, monkeypatch, (), "sigmaforge.max_failed_share=0.5").sample(2, "train", 3)
    assert len(batch.keys) == 15


def test_a_validation_takes_all_groups_and_refills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue("val", later=2)
    uids = [queue.dispatch((reward,)) for reward in (0.0, 1.1, None, 0.4)]
    batch, metrics = made(queue, monkeypatch).sample(0, "val", 4)
    assert batch.keys == keys(uids[0], uids[1], uids[3], rollouts=[0])
    assert metrics == {}


def test_without_the_filter_alike_groups_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    uids = [queue.dispatch(ALIKE), queue.dispatch(VARIED)]
    batch, _metrics = made(queue, monkeypatch, (), "algorithm.filter_groups.enable=false").sample(1, "train", 2)
    assert batch.keys == keys(*uids)


def test_groups_may_be_compared_by_another_number_of_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    uids = [queue.dispatch((0.0,) * (N - 1) + (0.1,)), queue.dispatch(VARIED)]
    sampler = made(queue, monkeypatch, [VARIED], "algorithm.filter_groups.metric=iou")
    assert sampler.sample(1, "train", 2)[0].keys == keys(uids[1], "000001-0002")


def test_rewards_that_differ_in_the_last_bit_differ() -> None:
    assert Group("a", (), (0.1,) * 8).is_alike()
    assert not Group("a", (), (0.1, 0.1 + 2**-54)).is_alike()


def test_rollouts_are_ordered_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    uid = queue.dispatch((0.0,) * 15 + (1.0,))
    sampler = made(queue, monkeypatch, (), "actor_rollout_ref.rollout.n=16")
    assert sampler.sample(1, "train", 1)[0].keys == keys(uid, rollouts=range(16))
