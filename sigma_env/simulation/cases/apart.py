"""Looks for wrong versions of a rule that its events do not tell apart from it, and makes events that do."""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Node, Rule
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.misses import Miss, MissMaker
from sigma_env.simulation.cases.positives import Positive
from sigma_env.simulation.cases.sameness import Sameness
from sigma_env.simulation.cases.work import Work, event_of
from sigma_env.simulation.masks import Masks
from sigma_env.simulation.sloppy import UNGATED, Sloppy, mutants, shortcuts
from sigma_env.simulation.sloppy.ways import most_positives

_TOO_LIKE_A_MUTANT: Final = 0.895
"""IoU above which more events are made: it has to stay below 0.9."""
_TOO_LIKE_A_SHORTCUT: Final = 0.78
_MUTANTS: Final = frozenset({"filter_line", "alternative", "values", "all_to_any", "and_or", "not_removed"})
_NARROWER: Final = frozenset({"alternative", "values"})
"""Kinds of versions that lack a way to match; only other ways tell them apart."""
_TRIES: Final = 4
_MOST_EVENTS: Final = 8
_PASSES: Final = 3
_MOST_SEARCHES: Final = 60


class Alike(NamedTuple):
    """A wrong version that could not be told apart: probably it means the same.

    Attributes:
        sloppy: the version.
        iou: its overlap with the rule on the rule's events.
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
        misses: changes positives.
    """

    def __init__(self, rule: Rule, cut: Rule, sameness: Sameness, meeting: Meeting, misses: MissMaker) -> None:
        self._rule, self._cut = rule, cut
        self._sameness, self._meeting, self._misses = sameness, meeting, misses

    def tell(self, positives: list[Positive], misses: list[Miss], rng: random.Random) -> list[Alike]:
        """Adds events to both lists, and changes positives, until no wrong version is too like the rule.

        Returns:
            Those that are still.
        """
        events = _Events(positives, misses, self._rule.condition)
        versions = [v for v in (*mutants(self._cut), *shortcuts(self._cut)) if v.kind not in UNGATED]
        proven: set[int] = set()
        hopeless: set[int] = set()
        searches = 0
        for _ in range(_PASSES):  # what tells one version apart may make another one more alike
            changed = False
            for number, version in enumerate(versions):
                if number in proven or number in hopeless or searches >= _MOST_SEARCHES:
                    continue
                if events.iou(version) <= _limit(version):
                    continue
                if self._sameness.same(version.rule.condition, self._cut.condition):
                    proven.add(number)
                    continue
                searches += 1
                found = self._separate(version, events, rng)
                changed = changed or found
                if not found:
                    hopeless.add(number)
            if not changed:
                break
        overlaps = [(number, version, events.iou(version)) for number, version in enumerate(versions)]
        return [Alike(version, iou, number in proven) for number, version, iou in overlaps if iou > _limit(version)]

    def _separate(self, version: Sloppy, events: "_Events", rng: random.Random) -> bool:
        """Makes events that only the rule matches, or only its wrong version; whether there are some."""
        wanted = events.lacking(version)
        directions = [self._refuse, self._accept]
        made: list[Miss | tuple[int, Positive]] = []
        failures = 0
        while len(made) < wanted and failures < _TRIES * len(directions):
            event = directions[failures % len(directions)](version, events, failures, rng)
            if event is None:
                failures += 1
            else:
                made.append(event)
                directions = directions[failures % len(directions) :][:1]
                failures = 0
        events.add(made)
        return bool(made)

    def _refuse(self, version: Sloppy, events: "_Events", failures: int, rng: random.Random) -> Miss | None:
        """An event that the version matches and the rule does not."""
        condition = version.rule.condition
        bases = events.originals
        if failures < _TRIES:  # where the version fails already, it is what it has wrong that decides
            bases = [base for base in bases if not self._meeting.holds(condition, base.work)] or bases
        base = rng.choice(bases)
        work = self._misses.changed(base, [Goal(condition, True), *self._rule_is(False)], rng)
        return None if work is None else Miss(work, "near_miss", f"{version.kind}: {version.title}", base)

    def _accept(
        self, version: Sloppy, events: "_Events", failures: int, rng: random.Random
    ) -> tuple[int, Positive] | None:
        """An event that the rule matches and the version does not, and the positive that it was made from."""
        at = events.next_base(rng)
        if at is None:
            return None
        base = events.positives[at]
        goals = [Goal(version.rule.condition, False), *self._rule_is(True)]
        if version.kind not in _NARROWER and failures < _TRIES:
            goals += [goal for goal in base.way.alone if self._meeting.are_met([goal], base.work)]
        work = self._misses.changed(base, goals, rng)
        return None if work is None else (at, base._replace(work=work))

    def _rule_is(self, truth: bool) -> list[Goal]:
        conditions = [self._cut.condition]
        if self._cut.condition is not self._rule.condition:
            conditions.append(self._rule.condition)
        return [Goal(condition, truth) for condition in conditions]


def _limit(version: Sloppy) -> float:
    return _TOO_LIKE_A_MUTANT if version.kind in _MUTANTS else _TOO_LIKE_A_SHORTCUT


class _Events:
    """The events of a rule and the truth of its versions on them; more can be added.

    Attributes:
        positives: changed by `add`.
        misses: changed by `add`.
        originals: the positives as they were.
    """

    def __init__(self, positives: list[Positive], misses: list[Miss], reference: Node) -> None:
        self.positives, self.misses = positives, misses
        self.originals: Sequence[Positive] = tuple(positives)
        self._reference = reference
        self._most = most_positives(len(positives))
        self._untouched = list(range(len(positives)))
        self._all = _masks(positives, misses)
        self._added: list[Work] = []
        self._more = Masks([])

    def next_base(self, rng: random.Random) -> int | None:
        """A positive that another one can be made from, or be put in place of."""
        if len(self.positives) < self._most:
            return rng.randrange(len(self.positives))
        return rng.choice(self._untouched) if self._untouched else None

    def add(self, events: Sequence[Miss | tuple[int, Positive]]) -> None:
        """More events; positives take the place of those that they were made from once there are enough."""
        replaced = False
        for event in events:
            if isinstance(event, Miss):
                self.misses.append(event)
                self._added.append(event.work)
            elif len(self.positives) < self._most:
                self.positives.append(event[1])
                self._added.append(event[1].work)
            elif event[0] in self._untouched:
                self.positives[event[0]] = event[1]
                self._untouched.remove(event[0])
                replaced = True
        if replaced:
            self._all = _masks(self.positives, self.misses)
            self._added = []
        self._more = Masks([event_of(work) for work in self._added])

    def _counts(self, version: Sloppy) -> tuple[int, int]:
        """How many events both match, and how many either does."""
        both = either = 0
        for part in (self._all, self._more):
            found, true = part.of(version.rule.condition), part.of(self._reference)
            both += (found & true).bit_count()
            either += (found | true).bit_count()
        return both, either

    def iou(self, version: Sloppy) -> float:
        """The overlap of a version and the rule."""
        both, either = self._counts(version)
        return both / either if both else 0.0

    def lacking(self, version: Sloppy) -> int:
        """How many more events have to tell a version apart."""
        both, either = self._counts(version)
        return min(_MOST_EVENTS, max(1, int(both / _limit(version)) + 1 - either))


def _masks(positives: Sequence[Positive], misses: Sequence[Miss]) -> Masks:
    works = [positive.work for positive in positives] + [miss.work for miss in misses]
    return Masks([event_of(work) for work in works])
