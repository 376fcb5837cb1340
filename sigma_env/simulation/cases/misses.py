"""Events that one part of a rule alone excludes: near-misses of its conditions, and what its filters are for."""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.cases.elsewhere import Elsewhere
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.frame import Frame, slot_name
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.parts import Part
from sigma_env.simulation.cases.positives import Positive
from sigma_env.simulation.cases.stage import Stage
from sigma_env.simulation.cases.usage import Usage
from sigma_env.simulation.cases.way import Given, Planner, Way
from sigma_env.simulation.cases.work import Work
from sigma_env.simulation.draft import Role
from sigma_env.simulation.world import Company, fill

_TRIES_PER_EVENT: Final = 2
_FAILURES: Final = 8
_OTHER_KINDS: Final = 4


class Miss(NamedTuple):
    """An event that does not match.

    Attributes:
        work: the event.
        role: near_miss or filtered.
        broken: what excludes it.
        base: the positive that it was made from.
    """

    work: Work
    role: Role
    broken: str
    base: Positive


class MissMaker:
    """Makes events that a rule nearly matches out of its positives.

    Args:
        rule: the reference.
        cut: what of it is disclosed.
        stage: where its events take place.
        folds: what the kinds of events decide.
        meeting: changes events.
        elsewhere: puts literals into sibling fields.
        company: whose hosts they are on.
    """

    def __init__(
        self,
        rule: Rule,
        cut: Rule,
        stage: Stage,
        folds: Folds,
        meeting: Meeting,
        elsewhere: Elsewhere,
        company: Company,
    ) -> None:
        self._elsewhere = elsewhere
        self._rule, self._cut = rule, cut
        self._stage, self._folds, self._meeting, self._company = stage, folds, meeting, company
        self._usage = Usage()
        self._planners: dict[int, Planner] = {}
        self._seen: set[tuple[object, ...]] = set()

    def know(self, works: Sequence[Work]) -> None:
        """No event is to be like these."""
        self._seen.update(map(self._key, works))

    def with_literal_elsewhere(
        self, parts: Sequence[Part], bases: Sequence[Positive], rng: random.Random
    ) -> Iterator[Miss]:
        """For each literal of a condition an event that has it in a sibling field, while its own line fails."""
        part_of = {
            id(value): part
            for part in parts
            if not part.truth
            for test in field_tests(part.node)
            for value in test.values
        }
        covered: set[int] = set()
        for base in bases:
            for given in base.way.given:
                value = given.test.values[given.chosen[0]]
                part = part_of.get(id(value))
                if part is not None and id(value) not in covered:
                    work = self._with_literal_elsewhere(part, given, base, rng)
                    if work is not None:
                        covered.add(id(value))
                        yield Miss(work, part.role, part.title, base)

    def _with_literal_elsewhere(self, part: Part, given: Given, base: Positive, rng: random.Random) -> Work | None:
        goals = self._goals(part)
        if given.test in base.repeated:
            return self.changed(base, goals, rng)
        work = base.work.loosened()
        if not self._elsewhere.repeat(work, given, rng, ()):
            return None
        return self.changed(base._replace(work=work), goals, rng)

    def for_rest(
        self, parts: Sequence[Part], bases: Sequence[Positive], misses: Sequence[Miss], rng: random.Random
    ) -> Iterator[Miss]:
        """An event for each positive that none was made from yet: no positive stands alone in its scene."""
        used = {miss.work.scene for miss in misses}
        for base in bases:
            if base.work.scene in used:
                continue
            for part in rng.sample(parts, len(parts)):
                if part.host is None or self._meeting.holds(part.host, base.work):
                    work = self.changed(base, self._goals(part), rng, self._way(part, base, rng))
                    if work is not None:
                        yield Miss(work, part.role, part.title, base)
                        break

    def _goals(self, part: Part) -> list[Goal]:
        """What is wanted of events that a part alone excludes."""
        goals = [Goal(part.node, part.truth), Goal(self._cut.condition, False)]
        if self._rule.condition is not self._cut.condition:
            goals.append(Goal(self._rule.condition, False))
        if part.rest is not None:
            goals.append(Goal(part.rest, True))
        return goals

    def of_part(self, part: Part, bases: Sequence[Positive], count: int, rng: random.Random) -> list[Miss]:
        """Up to so many events that a part alone excludes, made from positives in turn."""
        goals = self._goals(part)
        found: list[Miss] = []
        failures = 0
        while len(found) < count and failures < _FAILURES + count:
            made = self._next(part, bases, goals, rng)
            if made is None:
                failures += 1
                if not found and failures >= _FAILURES:
                    break
            else:
                found.append(made)
        return found

    def _next(self, part: Part, bases: Sequence[Positive], goals: Sequence[Goal], rng: random.Random) -> Miss | None:
        for at in self._usage.order(bases, range(len(bases)), rng):
            base = bases[at]
            if part.host is not None and not self._meeting.holds(part.host, base.work):
                continue
            way = self._way(part, base, rng)
            work = self.changed(base, goals, rng, way)
            choices = [(id(bases), at), *(() if way is None else way.choices)]
            if work is not None:
                self._usage.count(choices)
                return Miss(work, part.role, part.title, base)
            self._usage.fail(choices)
            return None
        return None

    def _way(self, part: Part, base: Positive, rng: random.Random) -> Way | None:
        """How a filter is to exclude an event: its values and alternatives in turn."""
        if not part.truth:
            return None
        planner = self._planners.get(id(part.node))
        if planner is None:
            planner = self._planners[id(part.node)] = Planner(part.node, self._usage, {})
        return planner.next_way(self._folds.of(base.work.frame), rng)

    def changed(self, base: Positive, goals: Sequence[Goal], rng: random.Random, way: Way | None = None) -> Work | None:
        """An event like a positive but for what the goals ask for; None if none was found that is not known.

        Args:
            base: the positive.
            goals: what the event has to meet.
            rng: chooses.
            way: lines that are to hold by these values.
        """
        for work in self._starts(base, goals, rng):
            if way is not None and not all(self._meeting.give(*given, work, rng) for given in way.given):
                continue
            if self._meeting.meet(goals, work, rng) and self._is_new(work):
                return work
        return None

    def _is_new(self, work: Work) -> bool:
        key = self._key(work)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _key(self, work: Work) -> tuple[object, ...]:
        """What tells two events apart beside times and counters."""
        texts = (value for name, value in work.values.items() if name not in work.frame.volatile)
        matches = self._meeting.holds(self._rule.condition, work)
        return matches, work.frame.schema.name, work.scene.host, *texts

    def _starts(self, base: Positive, goals: Sequence[Goal], rng: random.Random) -> Iterator[Work]:
        """The positive's event, or events of other kinds like it where its kind can't be what is asked."""
        if all(self._meeting.truth(goal.node, base.work) is not (not goal.truth) for goal in goals):
            for _ in range(_TRIES_PER_EVENT):
                yield base.work.loosened()
            return
        first, *rest = goals
        frames = [
            frame
            for frame in self._stage.elsewhere(first.node, first.truth, None)
            if all(self._meeting.truth_on(goal.node, frame) is not (not goal.truth) for goal in rest)
        ]
        frames = [frame for frame in frames if frame.schema.logged_by == base.work.frame.schema.logged_by] or frames
        for frame in rng.sample(frames, min(len(frames), _OTHER_KINDS)):
            yield self._transplanted(base.work, frame, rng)

    def _transplanted(self, work: Work, frame: Frame, rng: random.Random) -> Work:
        """An event of another kind with the texts that were chosen for the rule's sake, where it has the fields."""
        host = self._company.host(work.scene.host)
        scene = work.scene
        if not host.logs(frame.schema.logged_by):
            scene = self._company.scene(rng, frame.schema, user=work.scene.user)._replace(number=scene.number)
        names = {slot_name(spec) for spec in frame.schema.fields}
        given = {name: value for name, value in work.values.items() if name in work.chosen and name in names}
        given = {name: value for name, value in given.items() if isinstance(value, str)}
        values = fill(frame.schema, given, scene, self._company)
        return Work(frame, scene, self._company.host(scene.host).fqdn, values)
