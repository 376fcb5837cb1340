"""Numbers with their uncertainty: bootstrap over clusters of near tasks, which are not independent of each other."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
_SEED: Final = 0

Numbers = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
        mean: over tasks.
        low: lower bound at LEVEL; equal to the mean where there is only one cluster, which tells no uncertainty.
        high: upper bound.
        tasks: number of tasks.
        clusters: number of clusters.
    """

    mean: float
    low: float
    high: float
    tasks: int
    clusters: int


def mean_of(values: Iterable[tuple[str, str, float]]) -> Estimate | None:
    """The mean over tasks, each of which counts once, with the bootstrap interval over their clusters.

    Args:
        values: (task, cluster, value) per sample; several samples of a task are averaged first.

    Returns:
        None if there is no value.
    """
    of_task: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for task, cluster, value in values:
        of_task[task, cluster].append(value)
    sums: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for (_, cluster), found in sorted(of_task.items()):
        sums[cluster] += sum(found) / len(found)
        counts[cluster] += 1
    if not counts:
        return None
    clusters = sorted(counts)
    low, high, mean = _bootstrap(
        np.array([sums[cluster] for cluster in clusters]), np.array([float(counts[cluster]) for cluster in clusters])
    )
    return Estimate(mean, low, high, len(of_task), len(clusters))


def _bootstrap(sums: Numbers, counts: Numbers) -> tuple[float, float, float]:
    """Percentile interval and value of sum over count, with clusters drawn again and again."""
    mean = float(sums.sum() / counts.sum())
    if len(sums) == 1:
        return mean, mean, mean
    drawn = np.random.default_rng(_SEED).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high), mean


def agreement(groups: Iterable[Sequence[Hashable]]) -> float | None:
    """How often two members of one group are equal: the mean over groups of the share of equal pairs.

    None if no group has two members.
    """
    shares = []
    for group in groups:
        pairs = list(combinations(group, 2))
        if pairs:
            shares.append(sum(one == other for one, other in pairs) / len(pairs))
    return sum(shares) / len(shares) if shares else None


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least a share of the values do not exceed; None if there is none."""
    found = sorted(values)
    if not found:
        return None
    return found[max(0, int(np.ceil(share * len(found))) - 1)]
