"""Which lines and values of a rule its request tells."""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from sigma_env.simulation.requests.cutting import Choice
from sigma_env.simulation.requests.outline import (
    Excluded,
    Group,
    Line,
    LineId,
    Outline,
    exceptions_in,
    lines_in,
)

MOST_VALUES: Final = 24
"""Values of one list that a request tells."""
MOST_WAYS: Final = 27
"""Ways to match a rule that a request tells; see `ways_of`."""

_UNLIMITED: Final = 1 << 30
_TELLS_THE_EVENT: Final = frozenset({"EventID", "Provider_Name", "Channel"})
"""Fields that say which events are meant at all; a request always tells them."""


class Limit(NamedTuple):
    """How much a request tells.

    Attributes:
        values: most values of one list.
        ways: most ways to match the rule.
        exceptions: share of the exceptions that are told.
    """

    values: int = MOST_VALUES
    ways: int = MOST_WAYS
    exceptions: float = 1.0


LIMITS: Final = (
    *(Limit(values, min(MOST_WAYS, values + 3)) for values in (24, 20, 17, 14, 12, 10, 8, 7, 6, 5, 4)),
    *(Limit(values, 6, share) for values, share in ((3, 1.0), (2, 1.0), (2, 0.7), (1, 0.7), (1, 0.4), (1, 0.2))),
    *(Limit(1, ways, 0.0) for ways in (6, 4, 2, 1)),
)
"""From all that a request may tell to the least; the first one is taken whose words fit."""


def is_list(line: Line) -> bool:
    """Whether a line has several values of which any one is enough, so that some can be left out."""
    return len(line.test.values) > 1 and not line.test.all


def ways_of(outline: Outline) -> int:
    """Number of ways to match: a value of the longest list of a branch, summed over branches."""
    if isinstance(outline, Line):
        return len(outline.test.values) if is_list(outline) and not outline.test.negated else 1
    if isinstance(outline, Excluded):
        return 1
    ways = [ways_of(child) for child in outline.children]
    return max(ways) if outline.operator == "and" else sum(ways)


def everything(outline: Outline) -> dict[LineId, tuple[int, ...]]:
    """The choice that leaves nothing out."""
    return {line.id: tuple(range(len(line.test.values))) for line, _ in lines_in(outline)}


def choose(outline: Outline, limit: Limit, rng: random.Random) -> Choice:
    """Choose within a limit; what is left out is spread evenly over lists, alternatives and exceptions.

    Of a list, values that an exception speaks of come first: without them, it would except nothing that is told.
    """
    exceptions = list(exceptions_in(outline))
    told = [exceptions[at] for at in _spread(len(exceptions), round(limit.exceptions * len(exceptions)), rng)]
    untold = {id(exception) for exception in exceptions} - {id(exception) for exception in told}
    chooser = _Chooser(limit, rng, untold, _texts_of(told))
    chooser.tell(outline, limit.ways)
    return chooser.choice


class _Chooser:
    def __init__(self, limit: Limit, rng: random.Random, untold: set[int], excepted: Mapping[str, str]) -> None:
        self._limit = limit
        self._rng = rng
        self._untold = untold
        self._excepted = excepted
        self.choice: dict[LineId, tuple[int, ...]] = {}

    def tell(self, outline: Outline, ways: int) -> None:
        """Tell an outline in at most so many ways."""
        if id(outline) in self._untold:
            return
        if isinstance(outline, Line):
            self._tell_line(outline, ways)
        elif isinstance(outline, Excluded):
            self.tell(outline.child, _UNLIMITED)
        elif outline.operator == "and":
            for child in outline.children:
                self.tell(child, ways)
        else:
            self._tell_alternatives(outline.children, ways)

    def _tell_line(self, line: Line, ways: int) -> None:
        number = len(line.test.values)
        most = min(number, ways, self._limit.values) if is_list(line) else number
        before = self.choice.get(line.id)
        if before is None or len(before) > most:
            excepted = self._excepted.get(line.test.field or "", "")
            named = [at for at, text in enumerate(_texts(line)) if text in excepted]
            self.choice[line.id] = tuple(_spread(number, most, self._rng, named))

    def _tell_alternatives(self, children: Sequence[Outline], ways: int) -> None:
        wanted = [min(ways_of(child), self._limit.values) for child in children]
        share = _fair_share(wanted, ways)
        for at in _spread(len(children), min(ways, len(children)), self._rng):
            self.tell(children[at], min(wanted[at], share))


def _fair_share(wanted: Sequence[int], total: int) -> int:
    """The largest number such that parts of at most that size add up to at most `total`; at least 1."""
    if sum(wanted) <= total:
        return max(wanted)
    share = 1
    while sum(min(want, share + 1) for want in wanted) <= total:
        share += 1
    return share


def _texts(line: Line) -> list[str]:
    """The values of a line in lower case."""
    return [str(value.written).lower() for value in line.test.values]


def _texts_of(exceptions: Sequence[Outline]) -> dict[str, str]:
    """By field, all values of some exceptions."""
    found: dict[str, list[str]] = {}
    for exception in exceptions:
        for line, _ in lines_in(exception):
            found.setdefault(line.test.field or "", []).extend(_texts(line))
    return {field: "\n".join(texts) for field, texts in found.items()}


def _spread(number: int, chosen: int, rng: random.Random, named: Sequence[int] = ()) -> list[int]:
    """Positions of `chosen` of `number` things, one from each of as many even stretches; a named one if it has one."""
    if chosen >= number:
        return list(range(number))
    edges = [at * number // chosen for at in range(chosen + 1)] if chosen else []
    found = []
    for low, high in pairwise(edges):
        any_one = rng.randrange(low, high)
        found.append(next((at for at in named if low <= at < high), any_one))
    return found


def told_vaguely(outline: Outline, choice: Choice, rng: random.Random) -> Choice:
    """An ambiguous choice: about half of what must hold together, half of the exceptions, a third of each list.

    What says which events are meant is always told, and so is something of each alternative.
    """
    told = dict(choice)
    for exception in exceptions_in(outline):
        if rng.random() < 0.5:
            _withhold(exception, told)
    _thin_out(outline, told, rng)
    return _shortened(outline, told, 3, rng)


def _thin_out(outline: Outline, told: dict[LineId, tuple[int, ...]], rng: random.Random) -> None:
    if not isinstance(outline, Group):
        return
    kept: Sequence[Outline] = outline.children
    if outline.operator == "and":
        kept = [child for child in _conjuncts(outline) if not isinstance(child, Excluded)]
        free = [child for child in kept if not any(line.test.field in _TELLS_THE_EVENT for line, _ in lines_in(child))]
        withheld = [free[at] for at in sorted(rng.sample(range(len(free)), len(free) // 2))]
        for child in withheld:
            _withhold(child, told)
        kept = [child for child in kept if child not in withheld]
    for child in kept:
        _thin_out(child, told, rng)


def _conjuncts(outline: Outline) -> list[Outline]:
    if isinstance(outline, Group) and outline.operator == "and":
        return [conjunct for child in outline.children for conjunct in _conjuncts(child)]
    return [outline]


def _withhold(outline: Outline, told: dict[LineId, tuple[int, ...]]) -> None:
    for line, _ in lines_in(outline):
        told.pop(line.id, None)


def told_in_part(outline: Outline, choice: Choice, rng: random.Random) -> Choice:
    """Half of the values of each list."""
    return _shortened(outline, choice, 2, rng)


def _shortened(outline: Outline, choice: Choice, divisor: int, rng: random.Random) -> Choice:
    """The choice with a half, a third, … of each list, rounded up."""
    lists = {line.id for line, _ in lines_in(outline) if is_list(line) and line.test.field not in _TELLS_THE_EVENT}
    return {
        line_id: tuple([positions[at] for at in _spread(len(positions), -(-len(positions) // divisor), rng)])
        if line_id in lists
        else positions
        for line_id, positions in choice.items()
    }
