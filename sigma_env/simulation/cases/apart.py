"""Looks for wrong versions of a rule that its events do not tell apart from it, and makes events that do."""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Node, Rule
from sigma_env.simulation.cases.frame import DraftEvent
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.misses import Miss, MissMaker
from sigma_env.simulation.cases.positives import Positive
from sigma_env.simulation.cases.sameness import Sameness
from sigma_env.simulation.cases.work import Work
from sigma_env.simulation.masks import Masks
from sigma_env.simulation.sloppy import UNGATED, Sloppy, mutants, shortcuts
from sigma_env.simulation.sloppy.ways import most_positives

_TOO_LIKE: Final = {True: 0.895, False: 0.78}
"""IoU above which more events are made: of mutants, which have to stay below 0.9, and of shortcuts."""
_TRIES: Final = 4
_MOST_EVENTS: Final = 8
_PASSES: Final = 3
_MOST_SEARCHES: Final = 60


class Alike(NamedTuple):
    """A wrong version that could not be told apart: probably it means the same.

    Attributes:
        sloppy: the version.
        iou: its overlap with the rule on the rule's events, when it was looked at.
        proven: whether it surely means the same; else no event was found that only one of both matches.
    """

    sloppy: Sloppy
    iou: float
    proven: bool


class Apart:
    """Tells a rule's wrong versions from it.

    Args:
        rule: the reference.
        cut: what of it is disclosed.
        sameness: proves that a version means the same.
        meeting: knows what holds on an event.
        misses: makes events that do not match.
    """

    def __init__(self, rule: Rule, cut: Rule, sameness: Sameness, meeting: Meeting, misses: MissMaker) -> None:
        self._rule, self._cut = rule, cut
        self._sameness, self._meeting, self._misses = sameness, meeting, misses

    def tell(self, positives: list[Positive], misses: list[Miss], rng: random.Random) -> list[Alike]:
        """Adds events to both lists until no wrong version is too like the rule.

        Returns:
            Those that are still.
        """
        known = _Known([*(positive.work for positive in positives), *(miss.work for miss in misses)])
        versions = [v for v in (*mutants(self._cut), *shortcuts(self._cut)) if v.kind not in UNGATED]
        bases = tuple(positives)
        most = most_positives(len(positives))
        proven: set[int] = set()
        hopeless: set[int] = set()
        searches = 0
        for _ in range(_PASSES):  # what tells one version apart may make another one more alike
            changed = False
            for number, version in enumerate(versions):
                if number in proven or number in hopeless or searches >= _MOST_SEARCHES:
                    continue
                condition = version.rule.condition
                if known.iou(condition, self._rule.condition) <= _limit(version):
                    continue
                if self._sameness.same(condition, self._cut.condition):
                    proven.add(number)
                    continue
                searches += 1
                wanted = known.lacking(condition, self._rule.condition, _limit(version))
                made = list(self._separating(version, wanted, bases, rng))
                if not made:
                    hopeless.add(number)
                changed |= bool(made)
                room = most - len(positives)
                more = [event for event in made if isinstance(event, Positive)][:room]
                others = [event for event in made if isinstance(event, Miss)]
                known.add([event.work for event in more] + [event.work for event in others])
                positives += more
                misses += others
            if not changed:
                break
        overlaps = [known.iou(version.rule.condition, self._rule.condition) for version in versions]
        return [
            Alike(version, overlap, number in proven)
            for number, (version, overlap) in enumerate(zip(versions, overlaps, strict=True))
            if overlap > _limit(version)
        ]

    def _separating(
        self, version: Sloppy, wanted: int, bases: Sequence[Positive], rng: random.Random
    ) -> Iterator[Positive | Miss]:
        """Up to so many events that only the rule matches, or only its wrong version."""
        condition = version.rule.condition
        rest = [self._cut.condition] if self._cut is self._rule else [self._cut.condition, self._rule.condition]
        directions = [(Goal(condition, sloppy), *(Goal(node, not sloppy) for node in rest)) for sloppy in (True, False)]
        apart = [base for base in bases if not self._meeting.holds(condition, base.work)] or bases
        failures = 0
        while wanted and directions and failures < _TRIES * len(directions):
            goals = directions[failures % len(directions)]
            near = apart if goals[0].truth and failures % 4 < 2 else bases
            base = near[rng.randrange(len(near))]
            work = self._misses.changed(base, goals, rng)
            if work is None:
                failures += 1
                continue
            directions = [goals]
            failures = 0
            wanted -= 1
            title = f"{version.kind}: {version.title}"
            yield Miss(work, "near_miss", title, base) if goals[0].truth else base._replace(work=work)


def _limit(sloppy: Sloppy) -> float:
    return _TOO_LIKE[sloppy.kind in _MUTANTS]


_MUTANTS: Final = frozenset({"filter_line", "alternative", "values", "all_to_any", "and_or", "not_removed"})


class _Known:
    """Events and the truth of conditions on them; more can be added."""

    def __init__(self, works: Sequence[Work]) -> None:
        self._parts = [Masks([event_of(work) for work in works])]
        self._added: list[Work] = []

    def add(self, works: Sequence[Work]) -> None:
        """More events."""
        if works:
            self._added += works
            self._parts[1:] = [Masks([event_of(work) for work in self._added])]

    def _counts(self, one: Node, other: Node) -> tuple[int, int]:
        found = [(part.of(one), part.of(other)) for part in self._parts]
        return sum((a & b).bit_count() for a, b in found), sum((a | b).bit_count() for a, b in found)

    def iou(self, one: Node, other: Node) -> float:
        """The overlap of two conditions."""
        both, either = self._counts(one, other)
        return both / either if both else 0.0

    def lacking(self, one: Node, other: Node, limit: float) -> int:
        """How many more events have to tell two conditions apart."""
        both, either = self._counts(one, other)
        return min(_MOST_EVENTS, max(1, int(both / limit) + 1 - either))


def event_of(work: Work) -> DraftEvent:
    """An event as rules see it."""
    return DraftEvent(work.frame, work.values, work.computer)
