"""One way to match a rule: which alternatives and which values, chosen evenly."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection, Value
from sigma_env.simulation.cases.fold import Fold
from sigma_env.simulation.cases.meeting import Goal
from sigma_env.simulation.cases.usage import Choice, Usage
from sigma_env.simulation.sloppy.ways import weights

_MOST_ALONE: Final = 400
"""Values of a list up to which an event is to match by one of them only."""
_LOOKED_AT: Final = 20
"""Open values of a list of which the one is taken that failed least."""


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

    def next_way(self, fold: Fold, rng: random.Random, open_ways: "OpenWays | None" = None) -> Way | None:
        """The way that is next in turn for a kind of event; None if no event of the kind can match.

        Args:
            fold: the kind.
            rng: chooses among equals.
            open_ways: choices that come before others.
        """
        given: list[Given] = []
        filters: list[Goal] = []
        alone: list[Goal] = []
        choices: list[Choice] = []
        walk = partial(self._walk, fold=fold, rng=rng, into=(given, filters, alone, choices), open_ways=open_ways)
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
        open_ways: "OpenWays | None",
    ) -> bool:
        given, filters, alone, choices = into
        truth = fold.truth(node)
        if truth is not None:
            if truth:
                choices += choices_held(node, fold.truth, lambda line, value: fold.of_value(line.field, value))
            return truth
        walk = partial(self._walk, fold=fold, rng=rng, into=into, open_ways=open_ways)
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
            first = [] if open_ways is None else open_ways.alternatives(node, open_ones)
            at = self._usage.order(node, first or open_ones, rng, shares)[0]
            choices.append((id(node), at))
            alone.extend(Goal(node.children[other], False) for other in open_ones if other != at)
            return walk(node.children[at])
        if node.negated:
            filters.append(Goal(node._replace(negated=False), False))
        elif node.all or len(node.values) == 1:
            given.append(Given(node, tuple(range(len(node.values)))))
        else:
            opened = None if open_ways is None else open_ways.value(node, fold)
            at = self._usage.order(node, fold.possible_values(node), rng)[0] if opened is None else opened
            choices.append((id(node), at))
            given.append(Given(node, (at,)))
            if len(node.values) <= _MOST_ALONE:
                alone.append(Goal(self._without(node, at), False))
        return True

    def _without(self, test: FieldTest, at: int) -> FieldTest:
        key = (id(test), at)
        found = self._others.get(key)
        if found is None:
            found = self._others[key] = test._replace(values=test.values[:at] + test.values[at + 1 :])
        return found


def choices_held(
    node: Node, holds: Callable[[Node], bool | None], holds_value: Callable[[FieldTest, Value], bool | None]
) -> Iterator[Choice]:
    """The alternatives and values by which a condition that holds does so.

    Args:
        node: the condition.
        holds: whether an alternative does.
        holds_value: whether a line does by one of its values alone.
    """
    if isinstance(node, Selection):
        yield from choices_held(node.child, holds, holds_value)
    elif isinstance(node, And):
        for child in node.children:
            yield from choices_held(child, holds, holds_value)
    elif isinstance(node, Or):
        for at, child in enumerate(node.children):
            if holds(child):
                yield id(node), at
                yield from choices_held(child, holds, holds_value)
    elif isinstance(node, FieldTest) and _is_list(node):
        yield from ((id(node), at) for at, value in enumerate(node.values) if holds_value(node, value))


class OpenWays:
    """The alternatives and values of a condition by which no event matches yet.

    Args:
        condition: what is to be matched.
        closed: those by which some event does.
    """

    def __init__(self, condition: Node, closed: Iterable[Choice]) -> None:
        self._condition = condition
        # By node: the positions that are open, and how often each failed.
        self._left = {id(node): dict.fromkeys(range(_size(node)), 0) for node in _choosing(condition)}
        self._given_up: list[Choice] = []
        self.close(closed)

    def __bool__(self) -> bool:
        return self._has_open(self._condition)

    def left(self) -> list[Choice]:
        """What is open, in the order of the condition."""
        return [(node, at) for node, options in self._left.items() for at in options]

    def without_event(self) -> list[Choice]:
        """What was given up, and what is open."""
        return self._given_up + self.left()

    def value(self, line: FieldTest, fold: Fold) -> int | None:
        """The open value of a list that is next on a kind of events; None if there is none."""
        failures = self._left.get(id(line), {})
        usable = (at for at in failures if fold.of_value(line.field, line.values[at]) is not False)
        return min(islice(usable, _LOOKED_AT), key=failures.__getitem__, default=None)

    def alternatives(self, node: Or, among: Sequence[int]) -> list[int]:
        """The alternatives in which something is open, or else that are open themselves."""
        failures = self._left.get(id(node), {})
        return [at for at in among if self._has_open(node.children[at])] or [at for at in among if at in failures]

    def holds_any(self, choices: Iterable[Choice]) -> bool:
        """Whether any of some choices is open."""
        return any(at in self._left.get(node, ()) for node, at in choices)

    def close(self, choices: Iterable[Choice]) -> None:
        """An event matches by these."""
        for node, at in choices:
            self._left.get(node, {}).pop(at, None)
            if (node, at) in self._given_up:
                self._given_up.remove((node, at))

    def fail(self, choices: Iterable[Choice], most: int) -> None:
        """No event was made by these; what failed so often is given up."""
        for node, at in choices:
            failures = self._left.get(node, {})
            if at in failures:
                failures[at] += 1
                if failures[at] >= most:
                    del failures[at]
                    self._given_up.append((node, at))

    def _has_open(self, node: Node) -> bool:
        if isinstance(node, Not):
            return False
        if isinstance(node, Selection):
            return self._has_open(node.child)
        below = () if isinstance(node, FieldTest) else node.children
        return bool(self._left.get(id(node))) or any(map(self._has_open, below))


def _is_list(node: FieldTest) -> bool:
    return len(node.values) > 1 and not node.all and not node.negated


def _size(node: Or | FieldTest) -> int:
    return len(node.values if isinstance(node, FieldTest) else node.children)


def _choosing(node: Node) -> Iterator[Or | FieldTest]:
    """The disjunctions and lists of a condition by which events match, outside of filters."""
    if isinstance(node, FieldTest):
        if _is_list(node):
            yield node
    elif isinstance(node, Selection):
        yield from _choosing(node.child)
    elif not isinstance(node, Not):
        if isinstance(node, Or):
            yield node
        for child in node.children:
            yield from _choosing(child)
