"""Events that one part of a rule alone excludes: near-misses of its conditions, and what its filters are for."""

import random
from collections import Counter
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
from sigma_env.simulation.cases.work import Work, event_of
from sigma_env.simulation.draft import Role, Scene
from sigma_env.simulation.masks import Masks
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
        part: the part of the rule that was to exclude it by itself; None where a wrong version was to be told apart.
    """

    work: Work
    role: Role
    broken: str
    base: Positive
    part: Part | None = None


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
                        yield Miss(work, part.role, part.title, base, part)

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
                if self._has_a_say(part, base):
                    work = self.changed(base, self._goals(part), rng, self._way(part, base, rng))
                    if work is not None:
                        yield Miss(work, part.role, part.title, base, part)
                        break

    def lacking(
        self, parts: Sequence[Part], bases: Sequence[Positive], misses: Sequence[Miss], least: int, rng: random.Random
    ) -> Iterator[Miss]:
        """What is missing of so many events that each part alone excludes, as far as they can be made."""
        made_for = Counter(id(miss.part) for miss in misses)
        masks: Masks | None = None
        for part in parts:
            if made_for[id(part)] >= least:
                continue
            masks = masks or Masks([event_of(miss.work) for miss in misses])
            there = masks.everything
            for node, truth in self._goals(part):
                there &= masks.of(node) if truth else ~masks.of(node)
            yield from self.of_part(part, bases, least - there.bit_count(), rng)

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
        # An alternative that nothing matches has no positives of its own.
        usable = [at for at, base in enumerate(bases) if self._has_a_say(part, base)] or range(len(bases))
        found: list[Miss] = []
        failures = 0
        while len(found) < count and failures < _FAILURES + count:
            at = self._usage.order(bases, usable, rng)[0]
            made = self._next(part, bases, at, goals, rng)
            if made is None:
                failures += 1
                if not found and failures >= _FAILURES:
                    break
            else:
                found.append(made)
        return found

    def _has_a_say(self, part: Part, base: Positive) -> bool:
        return part.host is None or self._meeting.holds(part.host, base.work)

    def _next(
        self, part: Part, bases: Sequence[Positive], at: int, goals: Sequence[Goal], rng: random.Random
    ) -> Miss | None:
        way = self._way(part, bases[at], rng)
        work = self.changed(bases[at], goals, rng, way)
        choices = [(id(bases), at), *(() if way is None else way.choices)]
        if work is None:
            self._usage.fail(choices)
            return None
        self._usage.count(choices)
        return Miss(work, part.role, part.title, bases[at], part)

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
            # Where there are few ways to break it, the same happens to somebody else.
            yield self._transplanted(base.work, base.work.frame, rng, self._elsewhere_on(base.work.frame, rng))
            return
        first, *rest = goals
        frames = [
            frame
            for frame in self._stage.elsewhere(first.node, first.truth, None)
            if all(self._meeting.truth_on(goal.node, frame) is not (not goal.truth) for goal in rest)
        ]
        frames = [frame for frame in frames if frame.schema.logged_by == base.work.frame.schema.logged_by] or frames
        chosen = rng.sample(frames, min(len(frames), _OTHER_KINDS))
        for frame in chosen:
            yield self._transplanted(base.work, frame, rng)
        for frame in chosen:
            yield self._transplanted(base.work, frame, rng, self._elsewhere_on(frame, rng))

    def _elsewhere_on(self, frame: Frame, rng: random.Random) -> Scene:
        return self._company.scene(rng, frame.schema)

    def _transplanted(self, work: Work, frame: Frame, rng: random.Random, scene: Scene | None = None) -> Work:
        """An event of another kind, or in another scene, with the texts that were chosen for the rule's sake."""
        if scene is None:
            scene = work.scene
            if not self._company.host(scene.host).logs(frame.schema.logged_by):
                scene = self._company.scene(rng, frame.schema, user=scene.user)._replace(number=scene.number)
        names = {slot_name(spec) for spec in frame.schema.fields}
        given = {name: value for name, value in work.values.items() if name in work.chosen and name in names}
        if frame is not work.frame:
            given = {name: value for name, value in given.items() if isinstance(value, str)}
        values = fill(frame.schema, given, scene, self._company)
        return Work(frame, scene, self._company.host(scene.host).fqdn, values)
