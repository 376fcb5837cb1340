"""In how many ways a condition can hold, and what share of its positives each part gets.

The simulator makes positives by these shares, and mutants leave out parts that are large enough by them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection

LIKE_THE_RULE: Final = 0.9
"""IoU from which a wrong rule counts as one that the task does not tell from the right one."""
SMALLEST_SHARE: Final = 0.112
"""Of the positives: a part that has less can be forgotten without an IoU below LIKE_THE_RULE."""
_AIMED_SHARE: Final = 0.125
_AIMED_SHARE_OF_FEW: Final = 0.222
_FEW: Final = 4
_GROUPS_OF_A_FILTER: Final = 3
_POSITIVES: Final = (6, 9, 18, 27)


def ways(node: Node) -> int:
    """How many ways there are to make a condition true: those of its longest list, summed over its alternatives."""
    if isinstance(node, FieldTest):
        return 1 if node.all or node.negated else len(node.values)
    if isinstance(node, Selection):
        return ways(node.child)
    if isinstance(node, Not):
        return 1
    counts = [ways(child) for child in node.children]
    return sum(counts) if isinstance(node, Or) else max(counts, default=1)


def positives(node: Node) -> int:
    """How many positives a condition needs: as many as it has ways, up to 27.

    Few, or a multiple of nine: then a part with a ninth of the positives is enough to cost a tenth of the IoU.
    """
    n = ways(node)
    return next((count for count in _POSITIVES if n <= count), _POSITIVES[-1])


def most_positives(n: int) -> int:
    """How many positives there may be once n are made: with more, parts would be too small to matter."""
    return max(_POSITIVES[1], (n // 9) * 10 - 1 if n % 9 == 0 else n)


def excluded(n_positives: int) -> int:
    """How many events each condition and each filter gets that only it excludes.

    What leaving it out has to cost; and enough for three groups of a filter's values, of which each costs a tenth.
    """
    return max(excluded_at_least(n_positives), _GROUPS_OF_A_FILTER * (n_positives // 9 + 1))


def excluded_at_least(n_positives: int) -> int:
    """How many each of them has to have: with a third of the positives, leaving it out costs a quarter of the IoU."""
    return max(3, math.ceil(n_positives / 3))


def shares(node: Node) -> dict[int, float]:
    """What share of the positives each node takes part in, by identity: 1 for the root, less below disjunctions.

    Children of a disjunction share by their ways, but none gets less than an eighth of all if that is possible, and of
    few none less than two ninths: then the others alone are no shortcut.
    """
    found: dict[int, float] = {}
    _share(node, 1.0, found)
    return found


def _share(node: Node, share: float, found: dict[int, float]) -> None:
    found[id(node)] = found.get(id(node), 0.0) + share
    if isinstance(node, Selection | Not):
        _share(node.child, share, found)
    elif isinstance(node, And):
        for child in node.children:
            _share(child, share, found)
    elif isinstance(node, Or):
        for child, weight in zip(node.children, weights(node, share), strict=True):
            _share(child, share * weight, found)


def weights(node: Or, share: float) -> list[float]:
    """How a disjunction that has a share of all positives divides it among its children; the sum is 1."""
    counts = [ways(child) for child in node.children]
    aimed = _AIMED_SHARE_OF_FEW if len(counts) <= _FEW else _AIMED_SHARE
    floor = min(1 / len(counts), aimed / share)
    total = sum(counts)
    raised = [count / total < floor for count in counts]
    rest = 1 - floor * sum(raised)
    total_of_rest = sum(count for count, low in zip(counts, raised, strict=True) if not low)
    if not total_of_rest:
        return [1 / len(counts)] * len(counts)
    shared = [floor if low else rest * count / total_of_rest for count, low in zip(counts, raised, strict=True)]
    return shared if min(shared) >= floor - 1e-9 else [1 / len(counts)] * len(counts)


def groups(sizes: Sequence[float], negated: bool) -> list[range]:
    """Parts of a list, one after the other, that are large enough to matter when they are forgotten.

    Args:
        sizes: share of all positives of each element.
        negated: whether the list is a filter's, whose elements share what is excluded by it.

    Returns:
        Positions; empty if the list cannot be divided into two such parts.
    """
    n = len(sizes)
    count = min(n, _GROUPS_OF_A_FILTER) if negated else _even_groups(sizes)
    if count < 2:
        return []
    bounds = [round(i * n / count) for i in range(count + 1)]
    return [range(a, b) for a, b in pairwise(bounds)]


def _even_groups(sizes: Sequence[float]) -> int:
    n = len(sizes)
    for count in range(n, 1, -1):
        bounds = [round(i * n / count) for i in range(count + 1)]
        if all(sum(sizes[a:b]) >= SMALLEST_SHARE for a, b in pairwise(bounds)):
            return count
    return 1
