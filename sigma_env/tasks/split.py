"""Train, validation and test: by cluster, so that what is learnt on one side does not answer the other.

Two tasks are near when an answer to one would be learnt from the other: their rules match nearly the
same events, their texts read nearly the same, or their detections have nearly the same values. Near tasks, and
whatever is near to them in turn, form a cluster, and a cluster stands on one side as a whole.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Final, NamedTuple

from sigma_env.tasks.similarity import components, jaccard, similar_pairs
from sigma_env.tasks.task import Split

EVENTS_ALIKE: Final = 0.4
"""Jaccard index of the scored true events. On the public logs it also joins most of the rules whose few events are
among another rule's few; to join whatever is contained in something larger would chain a tenth of all tasks."""
WORDS_ALIKE: Final = 0.4
"""Jaccard index of the pairs of neighbouring words. On SigmaHQ's Windows rules it joins the families that differ in
one name ("Invoke-Obfuscation …", "UAC Bypass Using …"); at 0.3 it begins to join strangers by their stock phrases."""
VALUES_ALIKE: Final = 0.5
"""Jaccard index of the values in the detection; at 0.4, 118 of those rules hang together by common program names."""

SHARES: Final[tuple[tuple[Split, float], ...]] = (("train", 0.7), ("validation", 0.1), ("test", 0.2))
LARGEST_OUTSIDE_TRAIN: Final = 0.05
"""A cluster with a larger share of the tasks is put into train, because it would be most of a smaller part."""

_WORD: Final = re.compile(r"\w+")


class Profile(NamedTuple):
    """What makes a task like another.

    Attributes:
        key: names the task's rule; decides, with the seed, where its cluster goes.
        words: pairs of neighbouring words of what is said about the behaviour.
        values: values of the reference's detection, lower-cased.
        events: numbers of the scored true events in the dataset's store.
    """

    key: str
    words: frozenset[str]
    values: frozenset[str]
    events: frozenset[int]


def word_pairs(text: str) -> frozenset[str]:
    """The pairs of neighbouring words of a text, without case; of a single word, the word."""
    words = _WORD.findall(text.lower())
    return frozenset(" ".join(pair) for pair in pairwise(words)) or frozenset(words)


def why_near(left: Profile, right: Profile) -> str | None:
    """In which way two tasks are near, or None if they are not."""
    if jaccard(left.events, right.events) >= EVENTS_ALIKE:
        return "events"
    if jaccard(left.words, right.words) >= WORDS_ALIKE:
        return "words"
    return "values" if jaccard(left.values, right.values) >= VALUES_ALIKE else None


def clusters(profiles: Sequence[Profile]) -> list[list[int]]:
    """Groups of indices into `profiles`, such that near ones are in one group."""
    return components(len(profiles), near_pairs(profiles))


def near_pairs(profiles: Sequence[Profile]) -> list[tuple[int, int]]:
    """Every near pair of indices into `profiles`, the smaller first; one that is near in two ways comes twice."""
    pairs = similar_pairs([p.events for p in profiles], EVENTS_ALIKE)
    pairs += similar_pairs([p.words for p in profiles], WORDS_ALIKE)
    pairs += similar_pairs([p.values for p in profiles], VALUES_ALIKE)
    return pairs


def assign(profiles: Sequence[Profile], seed: int = 0) -> list[Split]:
    """The split of each profile.

    The place of a cluster follows from that one of its members whose hash is smallest, so most tasks keep their side
    when others come or go. Train is never empty.

    Args:
        profiles: the tasks of one dataset, in any order.
        seed: another seed gives another partition.
    """
    groups = clusters(profiles)
    sides: list[Split] = ["train"] * len(profiles)
    for group in groups:
        if len(group) <= max(1.0, LARGEST_OUTSIDE_TRAIN * len(profiles)):
            speaker = min((profiles[i].key for i in group), key=lambda key: _unit_hash("cluster", key, seed))
            # A hash of its own: the smallest of many is small, and would put every large cluster into train.
            side = _side(_unit_hash("side", speaker, seed))
            for i in group:
                sides[i] = side
    if profiles and "train" not in sides:
        for i in max(groups, key=len):
            sides[i] = "train"
    return sides


def assign_few(profiles: Sequence[Profile], training: int, seed: int = 0) -> list[Split]:
    """The split of each profile where exactly so many tasks are for training, and all others are held out.

    Clusters go to train as wholes, in the order of a hash, as long as they fit; of the others, those that `assign`
    would put into validation stay there, and the rest is test.

    Args:
        profiles: the tasks of one dataset, in any order.
        training: how many tasks are for training.
        seed: another seed gives another choice.

    Raises:
        ValueError: no choice of whole clusters has that many tasks.
    """
    groups = clusters(profiles)
    usual = assign(profiles, seed)
    sides: list[Split] = ["validation" if side == "validation" else "test" for side in usual]
    left = training
    order = sorted(groups, key=lambda group: min(_unit_hash("few", profiles[i].key, seed) for i in group))
    for group in order:
        if len(group) <= left:
            left -= len(group)
            for i in group:
                sides[i] = "train"
    if left:
        raise ValueError(f"{training} tasks cannot be put together of whole clusters; {left} are missing")
    return sides


def leaks(profiles: Sequence[Profile], sides: Sequence[Split]) -> list[tuple[int, int, str]]:
    """Every near pair that stands on two sides, and why it is near. Compares all pairs: a check, not a tool."""
    return [
        (left, right, why)
        for right in range(len(profiles))
        for left in range(right)
        if sides[left] != sides[right] and (why := why_near(profiles[left], profiles[right])) is not None
    ]


def _side(place: float) -> Split:
    bound = 0.0
    for side, share in SHARES:
        bound += share
        if place < bound:
            return side
    return SHARES[-1][0]


def _unit_hash(purpose: str, key: str, seed: int) -> float:
    """A number in 0…1 that is the same on every machine."""
    return int.from_bytes(blake2b(f"{purpose} {seed} {key}".encode(), digest_size=8).digest()) / 2**64
