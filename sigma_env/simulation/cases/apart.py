"""Looks for wrong versions of a rule that its events do not tell apart from it, and makes events that do."""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.cases.frame import DraftEvent
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.misses import Miss, MissMaker
from sigma_env.simulation.cases.positives import Positive
from sigma_env.simulation.cases.work import Work
from sigma_env.simulation.masks import Masks, iou
from sigma_env.simulation.sloppy import UNGATED, Sloppy, mutants, shortcuts

_TOO_LIKE: Final = {True: 0.88, False: 0.78}
"""IoU above which more events are made: of mutants, which have to stay below 0.9, and of shortcuts."""
_MOST_POSITIVES: Final = 30
_TRIES: Final = 4
_MOST_EVENTS: Final = 8


class Alike(NamedTuple):
    """A wrong version that could not be told apart: probably it means the same.

    Attributes:
        sloppy: the version.
        iou: its overlap with the rule on the rule's events.
        reason: what was tried.
    """

    sloppy: Sloppy
    iou: float
    reason: str


class Apart:
    """Tells a rule's wrong versions from it.

    Args:
        rule: the reference.
        cut: what of it is disclosed.
        meeting: changes events.
        misses: makes events that do not match.
    """

    def __init__(self, rule: Rule, cut: Rule, meeting: Meeting, misses: MissMaker) -> None:
        self._rule, self._cut, self._meeting, self._misses = rule, cut, meeting, misses

    def tell(self, positives: list[Positive], misses: list[Miss], rng: random.Random) -> list[Alike]:
        """Adds events to both lists until no wrong version is too like the rule.

        Returns:
            Those that are still.
        """
        versions = [s for s in (*mutants(self._cut), *shortcuts(self._cut)) if s.kind not in UNGATED]
        alike: list[Alike] = []
        masks = _masks(positives, misses)
        true = masks.of(self._rule.condition)
        suspects = [s for s in versions if iou(masks.of(s.rule.condition), true) > _limit(s)]
        for suspect in suspects:
            masks = _masks(positives, misses)
            true = masks.of(self._rule.condition)
            found = iou(masks.of(suspect.rule.condition), true)
            if found > _limit(suspect):
                self._separate(suspect, masks.of(suspect.rule.condition), true, positives, misses, rng)
                masks = _masks(positives, misses)
                found = iou(masks.of(suspect.rule.condition), masks.of(self._rule.condition))
                if found > _limit(suspect):
                    alike.append(Alike(suspect, found, "no event found that only one of both matches"))
        return alike

    def _separate(
        self, sloppy: Sloppy, found: int, true: int, positives: list[Positive], misses: list[Miss], rng: random.Random
    ) -> None:
        wanted = _lacking(found, true, _limit(sloppy))
        bases = list(positives)
        failures = 0
        condition = sloppy.rule.condition
        goals = [Goal(condition, True), Goal(self._cut.condition, False), Goal(self._rule.condition, False)]
        while wanted and failures < _TRIES:
            base = bases[rng.randrange(len(bases))]
            work = self._misses.changed(base, goals, rng)
            if work is None:
                failures += 1
                continue
            misses.append(Miss(work, "near_miss", f"{sloppy.kind}: {sloppy.title}", base))
            wanted -= 1
        goals = [Goal(condition, False), Goal(self._cut.condition, True), Goal(self._rule.condition, True)]
        failures = 0
        while wanted and failures < _TRIES and len(positives) < _MOST_POSITIVES:
            base = bases[rng.randrange(len(bases))]
            work = self._misses.changed(base, goals, rng)
            if work is None:
                failures += 1
                continue
            positives.append(base._replace(work=work))
            wanted -= 1


def _limit(sloppy: Sloppy) -> float:
    return _TOO_LIKE[sloppy.kind in _MUTANTS]


_MUTANTS: Final = frozenset({"filter_line", "alternative", "values", "all_to_any", "and_or", "not_removed"})


def _lacking(found: int, true: int, limit: float) -> int:
    """How many more events a version has to be wrong on."""
    both, either = (found & true).bit_count(), (found | true).bit_count()
    return min(_MOST_EVENTS, max(1, int(both / limit) + 1 - either))


def _masks(positives: Sequence[Positive], misses: Sequence[Miss]) -> Masks:
    works = (*(positive.work for positive in positives), *(miss.work for miss in misses))
    return Masks([event_of(work) for work in works])


def event_of(work: Work) -> DraftEvent:
    """An event as rules see it."""
    return DraftEvent(work.frame, work.values, work.computer)
