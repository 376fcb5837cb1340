"""All events of one rule."""

import random
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sigma_env.sigma.tree import fields_of
from sigma_env.simulation.cases.apart import Alike, Apart
from sigma_env.simulation.cases.elsewhere import Elsewhere
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.meeting import Meeting
from sigma_env.simulation.cases.misses import Miss, MissMaker
from sigma_env.simulation.cases.parts import Part, parts_of
from sigma_env.simulation.cases.positives import Positive, PositiveMaker, Unsatisfiable
from sigma_env.simulation.cases.sameness import Sameness
from sigma_env.simulation.cases.stage import Stage
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.plan import Plan
from sigma_env.simulation.schemas import Catalogue, catalogue
from sigma_env.simulation.sloppy.ways import excluded, excluded_at_least, most_positives, positives
from sigma_env.simulation.world import Company

MOST_WAYS: Final = 5_000
"""Events by which ways to match are shown beyond those that a task scores; the longest public list has 4,432 values."""
_MOST_MISSES: Final = 400
"""Beyond that, each part of a rule gets no more events than it has to have, and its ways to match none of their own."""
_MISSES_PER_EXAMPLE: Final = 2


class Cases(NamedTuple):
    """The events of one rule.

    Attributes:
        drafts: positives, near-misses and filtered events, in this order; visible examples last.
        unsatisfiable: ways to match of which no event could be made.
        alike: wrong versions of the rule that no event could tell from it.
    """

    drafts: tuple[Draft, ...]
    unsatisfiable: tuple[Unsatisfiable, ...]
    alike: tuple[Alike, ...] = ()


def make_cases(
    plan: Plan,
    company: Company,
    seed: int,
    *,
    visible: int = 0,
    schemas: Catalogue | None = None,
    each_way: bool = False,
) -> Cases:
    """Makes the events by which answers to one rule's request are judged.

    A pure function of its arguments: the same ones give the same events.

    Args:
        plan: the rule and what of it is disclosed.
        company: where it happens.
        seed: another seed gives other events.
        visible: how many examples the request shows; they share no host and user with other positives.
        schemas: kinds of events; those of the package if None.
        each_way: whether there is to be a positive for each alternative and value of the rule, however many these are,
            up to MOST_WAYS; else as many as a task scores.

    Returns:
        Events that are complete but for what clock and counters give.
    """
    rng = random.Random(f"{seed}|cases|{plan.rule.meta.id}|{plan.rule.meta.title}")
    return _Run(plan, company, schemas or catalogue(), rng).cases(visible, each_way=each_way)


class _Run:
    def __init__(self, plan: Plan, company: Company, schemas: Catalogue, rng: random.Random) -> None:
        rule, cut = plan.rule, plan.cut
        self._plan, self._rng, self._company = plan, rng, company
        self._folds = folds = Folds()
        self._meeting = meeting = Meeting(folds)
        conditions = [cut.condition] if cut.condition is rule.condition else [cut.condition, rule.condition]
        self._stage = Stage(rule, conditions, schemas, folds)
        self._elsewhere = elsewhere = Elsewhere(fields_of(rule.condition), meeting)
        self._positives = PositiveMaker(rule, cut, self._stage, folds, meeting, elsewhere, company)
        self._misses = MissMaker(rule, cut, self._stage, folds, meeting, elsewhere, company)
        self._apart = Apart(rule, cut, Sameness(self._stage.frames, folds), meeting, self._misses)

    def cases(self, visible: int, *, each_way: bool) -> Cases:
        cut = self._plan.cut
        if not self._stage.kinds:
            reason = Unsatisfiable("", "schema", "no kind of event that the logsource selects has what the rule needs")
            return Cases((), (reason,))
        found = self._positives.make(positives(cut.condition), self._rng)
        unsatisfiable = tuple(self._positives.unsatisfiable())
        if not found:
            return Cases((), unsatisfiable or tuple(filter(None, (self._positives.failure,))))
        self._misses.know([positive.work for positive in found])
        parts = parts_of(cut.condition)
        misses = [*self._of_parts(parts, found), *self._misses.with_literal_elsewhere(parts, found, self._rng)]
        alike = self._apart.tell(found, misses, self._rng)
        misses += self._misses.for_rest(parts, found, misses, self._rng)
        misses += self._misses.lacking(parts, found, misses, excluded_at_least(len(found)), self._rng)
        if each_way:
            more, unsatisfiable = self._each_way(found)
            self._misses.know([positive.work for positive in more])
            if len(more) <= _MOST_MISSES:
                misses += self._misses.for_rest(parts, more, misses, self._rng)
            found += more
        drafts = [*self._drafts(found), *map(self._miss, misses), *self._examples(visible, parts)]
        return Cases(tuple(drafts), unsatisfiable, tuple(alike))

    def _each_way(self, found: Sequence[Positive]) -> tuple[list[Positive], tuple[Unsatisfiable, ...]]:
        """Positives for what the others leave open of the whole rule, and what is open still."""
        plan, maker, known = self._plan, self._positives, found
        if plan.cut is not plan.rule:
            known = ()
            shared = self._folds, self._meeting, self._elsewhere, self._company
            maker = PositiveMaker(plan.rule, plan.rule, self._stage, *shared)
        more = maker.each_way(known, MOST_WAYS, self._rng)
        return more, tuple(maker.unsatisfiable())

    def _of_parts(self, parts: Sequence[Part], found: Sequence[Positive]) -> list[Miss]:
        count = excluded(len(found))
        if count * len(parts) > _MOST_MISSES:
            count = excluded_at_least(most_positives(len(found)))
        return [miss for part in parts for miss in self._misses.of_part(part, found, count, self._rng)]

    def _examples(self, visible: int, parts: Sequence[Part]) -> list[Draft]:
        if not visible:
            return []
        shown = self._positives.make(visible, self._rng, visible=True)
        if not shown:
            return []
        self._misses.know([positive.work for positive in shown])
        near: list[Miss] = []
        for part in parts:
            if len(near) < _MISSES_PER_EXAMPLE * len(shown):
                near += self._misses.of_part(part, shown, len(shown), self._rng)
        return [*self._drafts(shown, visible=True), *map(self._miss, near)]

    def _drafts(self, found: Iterable[Positive], *, visible: bool = False) -> list[Draft]:
        rule_id = self._plan.rule.meta.id
        return [
            Draft(p.work.frame.schema, p.work.values, p.work.scene, "positive", rule_id, p.branch, None, visible)
            for p in found
        ]

    def _miss(self, miss: Miss) -> Draft:
        work, role = miss.work, miss.role
        rule_id = self._plan.rule.meta.id
        return Draft(work.frame.schema, work.values, work.scene, role, rule_id, miss.base.branch, miss.broken)
