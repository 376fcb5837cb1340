"""Which choices were made how often, so that the events of a rule use each of them evenly."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

Choice = tuple[int, int]
"""Identity of the node that leaves a choice, and the position chosen."""

_GIVEN_UP = 3


class Usage:
    """Counts of choices; the least used come first."""

    def __init__(self) -> None:
        self._used: defaultdict[Choice, float] = defaultdict(float)
        self._failed: defaultdict[Choice, int] = defaultdict(int)

    def order(
        self, node: object, options: Iterable[int], rng: random.Random, weights: Sequence[float] | None = None
    ) -> list[int]:
        """The options of a node, the one first that is furthest behind its weight; equal ones at random.

        What failed before comes later, what failed often last.
        """
        key = id(node)

        def rank(option: int) -> tuple[bool, float, float]:
            failed = self._failed[key, option]
            weight = 1.0 if weights is None else max(weights[option], 1e-6)
            return failed >= _GIVEN_UP, (self._used[key, option] + failed + 0.5) / weight, rng.random()

        ranked = [(rank(option), option) for option in options]
        ranked.sort()
        return [option for _, option in ranked]

    def count(self, choices: Iterable[Choice]) -> None:
        """These choices made an event."""
        for choice in choices:
            self._used[choice] += 1
            self._failed[choice] = 0

    def fail(self, choices: Iterable[Choice]) -> None:
        """These choices did not make one."""
        for choice in choices:
            self._failed[choice] += 1

    def is_used(self, choice: Choice) -> bool:
        """Whether a choice made an event."""
        return self._used[choice] > 0
