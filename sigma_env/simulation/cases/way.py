"""One way to match a rule: which alternatives and which values, chosen evenly."""

import random
from functools import partial
from typing import NamedTuple

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection
from sigma_env.simulation.cases.fold import Fold
from sigma_env.simulation.cases.meeting import Goal
from sigma_env.simulation.cases.usage import Choice, Usage
from sigma_env.simulation.sloppy.ways import weights


class Given(NamedTuple):
    """A line of which certain values are to hold."""

    test: FieldTest
    chosen: tuple[int, ...]


class Way(NamedTuple):
    """How an event is to match.

    Attributes:
        given: lines to be made true.
        filters: what must fail, in the rule's order.
        alone: what should fail, so that the event matches in this way only.
        choices: what was chosen, to be counted.
    """

    given: tuple[Given, ...]
    filters: tuple[Goal, ...]
    alone: tuple[Goal, ...]
    choices: tuple[Choice, ...]


class Planner:
    """Chooses ways to match one condition.

    Args:
        condition: what is to be matched.
        usage: counts choices.
        share_of: share of the positives that each node gets, see `sloppy.ways.shares`.
    """

    def __init__(self, condition: Node, usage: Usage, share_of: dict[int, float]) -> None:
        self._condition = condition
        self._usage = usage
        self._share_of = share_of
        self._others: dict[Choice, FieldTest] = {}

    def next_way(self, fold: Fold, rng: random.Random) -> Way | None:
        """The way that is next in turn for a kind of event; None if no event of the kind can match."""
        given: list[Given] = []
        filters: list[Goal] = []
        alone: list[Goal] = []
        choices: list[Choice] = []
        walk = partial(self._walk, fold=fold, rng=rng, into=(given, filters, alone, choices))
        if not walk(self._condition):
            return None
        return Way(tuple(given), tuple(filters), tuple(alone), tuple(choices))

    def _walk(
        self,
        node: Node,
        *,
        fold: Fold,
        rng: random.Random,
        into: tuple[list[Given], list[Goal], list[Goal], list[Choice]],
    ) -> bool:
        truth = fold.truth(node)
        if truth is not None:
            return truth
        given, filters, alone, choices = into
        walk = partial(self._walk, fold=fold, rng=rng, into=into)
        if isinstance(node, Selection):
            return walk(node.child)
        if isinstance(node, Not):
            filters.append(Goal(node.child, False))
            return True
        if isinstance(node, And):
            return all(walk(child) for child in node.children)
        if isinstance(node, Or):
            open_ones = [at for at, child in enumerate(node.children) if fold.truth(child) is not False]
            shares = weights(node, self._share_of.get(id(node), 1.0))
            at = self._usage.order(node, open_ones, rng, shares)[0]
            choices.append((id(node), at))
            alone.extend(Goal(node.children[other], False) for other in open_ones if other != at)
            return walk(node.children[at])
        if node.negated:
            filters.append(Goal(node._replace(negated=False), False))
        elif node.all or len(node.values) == 1:
            given.append(Given(node, tuple(range(len(node.values)))))
        else:
            values = [at for at, value in enumerate(node.values) if fold.of_value(node.field, value) is not False]
            at = self._usage.order(node, values, rng)[0]
            choices.append((id(node), at))
            given.append(Given(node, (at,)))
            alone.append(Goal(self._without(node, at), False))
        return True

    def _without(self, test: FieldTest, at: int) -> FieldTest:
        key = (id(test), at)
        found = self._others.get(key)
        if found is None:
            found = self._others[key] = test._replace(values=test.values[:at] + test.values[at + 1 :])
        return found
