"""What a step trains on: whole groups of rollouts whose rewards differ, chosen by order of dispatch, not of arrival.

verl's own buffer refills for ever where every group is alike, and takes the groups that are ready first.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import transfer_queue as tq
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from trainer.errors import TrainerError

POLL_SECONDS: Final = 0.05
"""Between two looks at the queue."""

MIN_SURVIVORS: Final = 4
"""Rollouts that a group must have left, or all of them where it has fewer, for its mean to be a baseline."""

_VALIDATION: Final = "val"
_REWARD: Final = "reward"
_FINAL: Final = frozenset({"finished", "failure"})


class Group(NamedTuple):
    """The rollouts of one prompt, all ended.

    Attributes:
        uid: the group's; sorted, uids are in order of dispatch.
        keys: of its trajectories in the queue, by rollout.
        values: of the metric that groups are compared by, one for each rollout that did not fail.
    """

    uid: str
    keys: tuple[str, ...]
    values: tuple[float, ...]

    def is_alike(self) -> bool:
        """Whether all rollouts earned the same: every advantage is 0, and nothing can be learned."""
        return len(set(self.values)) <= 1

    def has_survived(self, rollouts: int) -> bool:
        """Whether enough of its rollouts are left."""
        return len(self.values) >= min(MIN_SURVIVORS, rollouts)


class Sorted(NamedTuple):
    """The groups of a step, each in one of three lists, in order of dispatch.

    Attributes:
        kept: what can be trained on.
        alike: dropped because nothing can be learned from them.
        failed: dropped because too few of their rollouts are left.
    """

    kept: list[Group]
    alike: list[Group]
    failed: list[Group]

    def add(self, groups: Iterable[Group], rollouts: int, drops_alike: bool) -> list[Group]:
        """Sorts more groups in; returns those that are dropped."""
        dropped = []
        for group in groups:
            if not group.has_survived(rollouts):
                self.failed.append(group)
            elif drops_alike and group.is_alike():
                self.alike.append(group)
            else:
                self.kept.append(group)
                continue
            dropped.append(group)
        return dropped

    def dispatched(self) -> int:
        """How many groups there are."""
        return sum(map(len, self))

    def failed_rollouts(self, rollouts: int) -> int:
        """How many rollouts of all groups failed."""
        return self.dispatched() * rollouts - sum(len(group.values) for groups in self for group in groups)


def refills(missing: int, kept: int, dispatched: int) -> int:
    """How many prompts to dispatch for groups that are missing: what the share kept so far in the step promises.

    At most twice as many, as DAPO does: where few groups are kept, a surplus costs less than another round, in which
    the machine waits for the longest answer.
    """
    return min(2 * missing, math.ceil(missing * dispatched / kept)) if kept else 2 * missing


class GroupSampler(ReplayBuffer):
    """Waits for all groups that were dispatched, drops and replaces those that teach nothing, and ends.

    verl makes it in the place of its own buffer (trainer.v1.sampler.custom_sampler).
    """

    def __init__(self, sampler_kwargs: Mapping[str, Any], **others: Any) -> None:
        """Takes the rules from the configuration.

        Args:
            sampler_kwargs: trainer.v1.sampler.sampler_kwargs; see the recipe.
            **others: what verl hands to every buffer.
        """
        super().__init__(sampler_kwargs=sampler_kwargs, poll_interval=POLL_SECONDS, **others)
        self._filters: bool = sampler_kwargs["enable"]
        self._metric: str = sampler_kwargs["metric"]
        self._refill_batches: int = sampler_kwargs["max_num_gen_batches"] if self._filters else 0
        self._rollouts = {"train": sampler_kwargs["rollouts"], _VALIDATION: sampler_kwargs["validation_rollouts"]}
        self._max_failed_share: float = sampler_kwargs["max_failed_share"]

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[KVBatchMeta, dict[str, float]]:
        """Chooses what a step trains on, or returns all that a validation dispatched.

        Args:
            global_steps: the step.
            partition_id: "train" or "val", of the queue.
            batch_size: groups that are wanted. There may be fewer, but never none.

        Returns:
            Keys and tags of the trajectories, by uid and rollout, and counts of groups.

        Raises:
            TrainerError: no group can be learned from, or too many rollouts failed.
        """
        if partition_id == _VALIDATION:
            groups, tags = self._ended(partition_id, frozenset())
            self._check_failed(global_steps, Sorted(groups, [], []), partition_id)
            return self._take(partition_id, groups, tags), {}
        groups_of_step, tags = self._filled(global_steps, partition_id, batch_size)
        chosen, surplus = groups_of_step.kept[:batch_size], groups_of_step.kept[batch_size:]
        if not chosen:
            raise TrainerError(_nothing_to_learn(global_steps, groups_of_step, self._metric))
        _clear(partition_id, surplus)
        rollouts = self._rollouts[partition_id]
        return self._take(partition_id, chosen, tags), _counts(groups_of_step, len(surplus), batch_size, rollouts)

    def _filled(self, step: int, partition: str, wanted: int) -> tuple[Sorted, Mapping[str, Any]]:
        """Sorts the groups of a step, and refills until enough are kept or as many were dispatched as may be."""
        groups, left = Sorted([], [], []), self._refill_batches * wanted
        while True:
            seen = frozenset(group.uid for group in groups.kept)
            new, tags = self._ended(partition, seen)
            _clear(partition, groups.add(new, self._rollouts[partition], self._filters))
            self._check_failed(step, groups, partition)
            missing = wanted - len(groups.kept)
            count = min(left, refills(missing, len(groups.kept), groups.dispatched()))
            if count <= 0:
                return groups, tags
            self.refill_fn(count)
            left -= count

    def _ended(self, partition: str, seen: frozenset[str]) -> tuple[list[Group], Mapping[str, Any]]:
        """Waits until every group in the queue has ended.

        Returns:
            Those that were not seen before, by uid, and the tags of all trajectories.
        """
        while True:
            tags: dict[str, Any] = (tq.kv_list(partition) or {}).get(partition, {})
            prompts = {key: tag["status"] for key, tag in tags.items() if tag.get("is_prompt")}
            if _FINAL.issuperset(prompts.values()):
                break
            time.sleep(self.poll_interval)
        keys: dict[str, list[str]] = {uid: [] for uid in sorted(prompts.keys() - seen)}
        for key in sorted(tags.keys() - prompts.keys(), key=_place):
            if (uid := _uid(key)) in keys:
                keys[uid].append(key)
        values = self._values(partition, [key for of_group in keys.values() for key in of_group])
        return [Group(uid, tuple(found), tuple(values[key] for key in found)) for uid, found in keys.items()], tags

    def _values(self, partition: str, keys: list[str]) -> dict[str, float]:
        """What groups are compared by: the reward, or another number of the reward manager, of each trajectory."""
        if not keys:
            return {}
        field = "rm_scores" if self._metric == _REWARD else "extra_fields"
        data = tq.kv_batch_get(keys=keys, partition_id=partition, select_fields=[field])[field]
        if self._metric == _REWARD:
            # The reward stands at the answer's last token, and 0 at the others.
            return {key: float(scores.sum()) for key, scores in zip(keys, data, strict=True)}
        infos = [getattr(fields, "data", fields)["reward_extra_info"] for fields in data]
        return {key: float(info[self._metric]) for key, info in zip(keys, infos, strict=True)}

    def _check_failed(self, step: int, groups: Sorted, partition: str) -> None:
        """Makes sure that no more failed than may: a share of the step's rollouts, but all of one group in any case."""
        rollouts = self._rollouts[partition]
        failed, total = groups.failed_rollouts(rollouts), groups.dispatched() * rollouts
        if failed > max(self._max_failed_share * total, rollouts) or failed == total:
            raise TrainerError(
                f"step {step}: {failed} of {total} {'validation ' * (partition == _VALIDATION)}rollouts failed, more "
                f"than sigmaforge.max_failed_share={self._max_failed_share} allows. Those that the scorer failed on "
                "stand in the run's folder with status engine_error; for others look for 'Error in _run_prompt' above"
            )

    def _take(self, partition: str, groups: Sequence[Group], tags: Mapping[str, Any]) -> KVBatchMeta:
        """Groups as verl's batch; the marks of their prompts leave the queue."""
        tq.kv_clear(keys=[group.uid for group in groups], partition_id=partition)
        keys = [key for group in groups for key in group.keys]
        return KVBatchMeta(partition_id=partition, keys=keys, tags=[tags[key] for key in keys])


def _clear(partition: str, groups: Sequence[Group]) -> None:
    """Removes groups from the queue."""
    if groups:
        tq.kv_clear(keys=[key for group in groups for key in (group.uid, *group.keys)], partition_id=partition)


def _uid(key: str) -> str:
    return key.split("_", 1)[0]


def _place(key: str) -> tuple[str, int, int]:
    """Where a trajectory stands: verl's keys are UID_ROLLOUT_INDEX."""
    uid, rollout, index = key.split("_")
    return uid, int(rollout), int(index)


def _counts(groups: Sorted, surplus: int, wanted: int, rollouts: int) -> dict[str, float]:
    """The step's metrics of its groups. verl's aggregation would take a name with min, max or sum in it for one."""
    dispatched = groups.dispatched()
    return {
        "groups/dispatched": float(dispatched),
        "groups/refilled": float(max(0, dispatched - wanted)),
        "groups/kept": float(len(groups.kept) - surplus),
        "groups/surplus": float(surplus),
        "groups/alike": float(len(groups.alike)),
        "groups/alike_share": len(groups.alike) / dispatched,
        "groups/failed": float(len(groups.failed)),
        "groups/failed_rollouts": float(groups.failed_rollouts(rollouts)),
    }


def _nothing_to_learn(step: int, groups: Sorted, metric: str) -> str:
    alike = Counter(group.values[0] for group in groups.alike)
    each = ", ".join(f"{count} at {value:g}" for value, count in alike.most_common())
    return (
        f"step {step}: no reward variance: of {groups.dispatched()} groups of rollouts, refills among them, "
        f"{len(groups.alike)} earned the same in all rollouts ({metric}: {each or 'none'}) and {len(groups.failed)} "
        "failed, so that there is nothing to learn from. Start from a model that sometimes earns something (a warm "
        "start: python -m trainer sft), give it easier tasks, or raise actor_rollout_ref.rollout.temperature. Where "
        "all earn the most that there is, the tasks are learned"
    )
