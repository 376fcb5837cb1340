"""Which sets are alike: all pairs with a Jaccard index at or above a threshold, without comparing every pair."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from typing import TypeVar

T = TypeVar("T", str, int)


def jaccard(left: Set[T], right: Set[T]) -> float:
    """Size of the intersection over size of the union, 0…1; 0 if both are empty."""
    both = len(left & right)
    return both / (len(left) + len(right) - both) if both else 0.0


def similar_pairs(sets: Sequence[Set[T]], threshold: float) -> list[tuple[int, int]]:
    """Every pair (i, j), i < j, of sets whose Jaccard index is at least `threshold`; empty sets are like nothing.

    Exact, by prefix filtering (Chaudhuri, Ganti, Kaushik, "A Primitive Operator for Similarity Joins", 2006): if
    the elements of each set are ordered from the rarest on, sets as similar as that share one of their first
    |s| - ceil(threshold * |s|) + 1 elements.

    Args:
        sets: the sets.
        threshold: above 0, at most 1.

    Raises:
        ValueError: the threshold is outside that range.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be above 0 and at most 1")
    frequency = Counter(element for members in sets for element in members)
    owners: defaultdict[T, list[int]] = defaultdict(list)
    pairs: list[tuple[int, int]] = []
    for right, members in enumerate(sets):
        rarest_first = sorted(members, key=lambda element: (frequency[element], element))
        candidates: set[int] = set()
        # The small slack keeps a product such as 0.1 * 30 from rounding up past the exact bound.
        prefix = len(members) - math.ceil(threshold * len(members) - 1e-9) + 1
        for element in rarest_first[:prefix]:
            candidates.update(owners[element])
            owners[element].append(right)
        pairs += [(left, right) for left in sorted(candidates) if jaccard(sets[left], members) >= threshold]
    return pairs


def components(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The groups into which pairs join the numbers 0…size-1: each ascending, ordered by their first number."""
    parent = list(range(size))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for node in range(size):
        groups[root(node)].append(node)
    return [groups[first] for first in sorted(groups)]
