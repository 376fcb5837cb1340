"""Events that a rule matches, evenly over the ways in which it can be."""

import random
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple

from sigma_env.sigma.rule import FieldTest, Node, Or, Rule
from sigma_env.sigma.taxonomy import event_types
from sigma_env.sigma.tree import fields_of
from sigma_env.simulation.cases.elsewhere import Elsewhere
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.frame import EVENT_TYPE, Frame, put, slot_name
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.nears import nears_of
from sigma_env.simulation.cases.stage import Stage
from sigma_env.simulation.cases.usage import Choice, Usage
from sigma_env.simulation.cases.way import Given, OpenWays, Planner, Way, choices_held
from sigma_env.simulation.cases.work import Work, later_text
from sigma_env.simulation.draft import FieldValue, Scene
from sigma_env.simulation.schema import FieldKind
from sigma_env.simulation.schemas import cannot_hold
from sigma_env.simulation.sloppy.tree import places
from sigma_env.simulation.sloppy.ways import shares
from sigma_env.simulation.values import needs_of, variant
from sigma_env.simulation.world import Company, fill

_TRIES: Final = 4
_PROGRAM_FIELDS: Final = ("Image", "NewProcessName", "SourceImage", "Application", "OriginalFileName")
_WORDS_OF_WINDOWS: Final = ("system", "autori", "authori", "s-1-5-18", "0x3e7")
_PEOPLE_FIELDS: Final = frozenset({"User", "IntegrityLevel", "LogonId", "SubjectUserSid", "SubjectLogonId"})
_UNDECORATED_OF: Final = 4
_VARIED_OF: Final = 3


Reason = Literal["schema", "implausible value", "too many ways"]


class Unsatisfiable(NamedTuple):
    """A way to match the rule of which no event was made.

    Attributes:
        branch: the alternative or value, in the rule's words; "" for the rule as a whole.
        reason: whether the events' kinds or a field's nature forbid it, or the rule has too many.
        detail: for people.
    """

    branch: str
    reason: Reason
    detail: str


class Positive(NamedTuple):
    """An event that matches.

    Attributes:
        work: the event.
        way: how it was made to match.
        branch: number of the way.
        repeated: lines of which a sibling field holds the literal too.
    """

    work: Work
    way: Way
    branch: int
    repeated: tuple[FieldTest, ...] = ()


class PositiveMaker:
    """Makes events that one rule matches.

    Args:
        rule: the reference.
        cut: what of it is disclosed: the same, or a part.
        stage: where its events take place.
        folds: what the kinds of events decide.
        meeting: mends events.
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
        self._share_of = shares(cut.condition)
        self._planner = Planner(cut.condition, self._usage, self._share_of)
        self._goals = [Goal(cut.condition, True)]
        if rule.condition is not cut.condition:
            self._goals.append(Goal(rule.condition, True))
        self._filters = nears_of(cut.condition)
        self._named = sorted(fields_of(rule.condition))
        self._numbers: dict[frozenset[Choice], int] = {}
        self._reasons: dict[Choice, Unsatisfiable] = {}
        self._ways: OpenWays | None = None
        self.failure: Unsatisfiable | None = None

    def make(self, count: int, rng: random.Random, *, visible: bool = False) -> list[Positive]:
        """Up to so many events, one after the other in the ways whose turn it is."""
        found: list[Positive] = []
        misses = 0
        while len(found) < count and misses < _TRIES * 2 + count:
            made = self._one(len(found), rng, visible)
            if made is None:
                misses += 1
                if not found and misses >= _TRIES * 2 and not self._reasons:
                    break
            else:
                found.append(made)
        return found

    def each_way(self, others: Sequence[Positive], most: int, rng: random.Random) -> list[Positive]:
        """An event for each alternative and value by which none matches yet; what is left is `unsatisfiable`.

        Args:
            others: events that there are.
            most: how many events at most.
            rng: chooses.
        """
        matched = (choice for other in others for choice in self._matched_by(self._cut.condition, other.work))
        self._ways = ways = OpenWays(self._cut.condition, matched)
        found: list[Positive] = []
        while ways and len(found) < most:
            frame, way = self._open_way(ways, rng)
            if frame is None or way is None:
                self._give_up(ways.left(), "schema", "no event that the logsource selects can match by it")
                return found
            made = self._made(frame, way, len(found), rng, visible=False)
            if made is None:
                ways.fail(way.choices, _TRIES)
                self._usage.fail(way.choices)
                self._give_up(way.choices, "implausible value", "no event found that the rest of the rule accepts")
            else:
                ways.close(way.choices)
                self._usage.count(way.choices)
                found.append(made)
        for choice in ways.left():
            self._reasons.pop(choice, None)  # what failed with others
        self._give_up(ways.left(), "too many ways", f"{most:,} events are made for a rule at most")
        return found

    def _matched_by(self, node: Node, work: Work) -> Iterator[Choice]:
        """The alternatives and values by which an event matches a condition."""

        def holds(child: Node) -> bool:
            return self._meeting.holds(child, work)

        return choices_held(node, holds, lambda line, value: holds(line._replace(values=(value,))))

    def _open_way(self, ways: OpenWays, rng: random.Random) -> tuple[Frame | None, Way | None]:
        """A kind of events, and how one can match by what is open; None if none can."""
        for frame in self._stage.newest:
            way = self._planner.next_way(self._folds.of(frame), rng, ways)
            if way is not None and ways.holds_any(way.choices):
                return frame, way
        return None, None

    def _give_up(self, choices: Sequence[Choice], reason: Reason, detail: str) -> None:
        for choice in choices:
            self._reasons.setdefault(choice, Unsatisfiable(self._titles.get(choice, ""), reason, detail))

    def unsatisfiable(self) -> list[Unsatisfiable]:
        """The choices of which no event was made."""
        if self._ways is not None:
            return [self._reasons[choice] for choice in self._ways.without_event()]
        return [reason for choice, reason in self._reasons.items() if not self._usage.is_used(choice)]

    def _one(self, number: int, rng: random.Random, visible: bool) -> Positive | None:
        kind, frame = self._stage.next_frame(self._usage, rng)
        of_kind = (id(self._stage), kind)
        way = self._planner.next_way(self._folds.of(frame), rng)
        if way is None:
            self._usage.fail([of_kind])
            return None
        choices = [of_kind, *way.choices]
        made = self._made(frame, way, number, rng, visible=visible)
        if made is None:
            self._usage.fail(choices)
        else:
            self._usage.count(choices)
        return made

    def _made(self, frame: Frame, way: Way, number: int, rng: random.Random, *, visible: bool) -> Positive | None:
        work = self._matching(frame, way, rng, visible)
        if work is None:
            return None
        repeated = () if number % _UNDECORATED_OF == _UNDECORATED_OF - 1 else self._repeat(work, way, number, rng)
        if not self._complete(work, rng):
            return None
        branch = self._numbers.setdefault(frozenset(way.choices), len(self._numbers))
        return Positive(work, way, branch, repeated)

    def _matching(self, frame: Frame, way: Way, rng: random.Random, visible: bool) -> Work | None:
        scene = self._scene(frame, way, rng, visible)
        computer = self._company.host(scene.host).fqdn
        meant = _meant(frame, rng)
        work = Work(frame, scene, computer, fill(frame.schema, meant, scene, self._company))
        work.chosen.update(meant)
        if not self._give(work, way, rng):
            return None
        self._refill(work)
        for goal in way.alone:
            self._try([goal], work, rng)
        if not self._meeting.meet([*way.filters, *self._goals], work, rng):
            self._note(way, "implausible value", "no text found that the rest of the rule accepts")
            return None
        self._come_near(work, way, rng)
        self._vary(work, way, rng)
        return work

    def _scene(self, frame: Frame, way: Way, rng: random.Random, visible: bool) -> Scene:
        program, user = None, None
        for test, chosen in way.given:
            for at in chosen:
                written = test.values[at].written
                if not isinstance(written, str):
                    continue
                if program is None and test.field in _PROGRAM_FIELDS and "re" not in test.modifiers:
                    program = written.rpartition("\\")[2]
                if test.field in _PEOPLE_FIELDS and any(word in written.lower() for word in _WORDS_OF_WINDOWS):
                    user = "SYSTEM"
        return self._company.scene(rng, frame.schema, visible=visible, user=None if visible else user, program=program)

    def _give(self, work: Work, way: Way, rng: random.Random) -> bool:
        """Makes the way's lines hold, in the order of the event's fields, each from what is natural by then."""
        fresh = True
        for given in sorted(way.given, key=lambda given: _position(work.frame, given.test)):
            spec = None if given.test.field is None else work.frame.slot(given.test.field)
            if not fresh and spec is not None and spec.kind is FieldKind.COMMAND_LINE:
                self._refill(work)
                fresh = True
            before = len(work.chosen)
            if not self._meeting.give(given.test, given.chosen, work, rng):
                self._note_failure(way, given, work.frame)
                return False
            fresh = fresh and len(work.chosen) == before
        for field in self._named:
            spec = work.frame.slot(field)
            if spec is not None and spec.volatile and slot_name(spec) not in work.values:
                work.chosen.update(put(work.values, spec, later_text(spec, rng)))
        return True

    def _refill(self, work: Work) -> None:
        given = {name: value for name, value in work.values.items() if name in work.chosen}
        work.values = fill(work.frame.schema, given, work.scene, self._company)

    def _complete(self, work: Work, rng: random.Random) -> bool:
        self._refill(work)
        return self._meeting.are_met(self._goals, work) or self._meeting.meet(self._goals, work, rng)

    def _vary(self, work: Work, way: Way, rng: random.Random) -> None:
        """Spells some texts of the way's lines in another way, if the event matches all the same."""
        for test, _ in way.given:
            spec = None if test.field is None else work.frame.slot(test.field)
            value = None if spec is None else work.values.get(slot_name(spec))
            if spec is None or not isinstance(value, str) or rng.randrange(_VARIED_OF):
                continue
            trial = work.copy()
            put(trial.values, spec, variant(value, spec, rng, windash="windash" in test.modifiers))
            if self._meeting.are_met([*self._goals, *way.alone], trial):
                work.become(trial)

    def _try(self, goals: Sequence[Goal], work: Work, rng: random.Random) -> bool:
        """Meets more goals if that is possible beside what the event has to satisfy already."""
        if self._meeting.are_met(goals, work):
            return True
        trial = work.copy()
        if not self._meeting.meet(goals, trial, rng):
            return False
        work.become(trial)
        return True

    def _come_near(self, work: Work, way: Way, rng: random.Random) -> None:
        """Lets filters nearly exclude the event: all of their lines hold but one, or hold but for a literal's place."""
        alone = [goal for goal in way.alone if self._meeting.are_met([goal], work)]
        for conjunction in self._usage.order(self._filters, range(len(self._filters)), rng)[:2]:
            nears = self._filters[conjunction]
            for at in self._usage.order(nears, range(len(nears)), rng):
                trial = work.copy()
                if self._meeting.meet([*nears[at], *alone, *self._goals], trial, rng):
                    work.become(trial)
                    self._usage.count([(id(self._filters), conjunction), (id(nears), at)])
                    break
            else:
                self._usage.fail([(id(self._filters), conjunction)])

    def _repeat(self, work: Work, way: Way, number: int, rng: random.Random) -> tuple[FieldTest, ...]:
        """Puts the literal of one of the way's lines into a sibling field too."""
        lines = [given for given in way.given if given.test.field is not None]
        for turn in range(len(lines)):
            given = lines[(number + turn) % len(lines)]
            if self._elsewhere.repeat(work, given, rng, self._goals):
                return (given.test,)
        return ()

    def _note_failure(self, way: Way, given: Given, frame: Frame) -> None:
        test = given.test
        spec = None if test.field is None else frame.slot(test.field)
        if test.field is not None and spec is None:
            self._note(way, "schema", f"{frame.schema.name} has no {test.field}")
            return
        written = ", ".join(repr(test.values[at].written) for at in given.chosen[:3])
        why = None
        if spec is not None:
            needs = needs_of(test.values[given.chosen[0]])
            why = cannot_hold(spec, needs[0].written)
        self._note(way, "implausible value", f"{test.field}: no text for {written}" + (f" ({why})" if why else ""))

    def _note(self, way: Way, reason: Reason, detail: str) -> None:
        self.failure = self.failure or Unsatisfiable("", reason, detail)
        self._give_up(way.choices, reason, detail)

    @cached_property
    def _titles(self) -> dict[Choice, str]:
        found: dict[Choice, str] = {}
        for place in places(self._cut.condition):
            node = place.node
            if isinstance(node, FieldTest):
                found.update({(id(node), at): f"{place.title}: {v.written!r}" for at, v in enumerate(node.values)})
            elif isinstance(node, Or):
                found.update({(id(node), at): _title(child, place.selection) for at, child in enumerate(node.children)})
        return found


def _title(node: Node, selection: str) -> str:
    from sigma_env.simulation.sloppy.tree import title

    return title(node, selection)


def _position(frame: Frame, test: FieldTest) -> int:
    spec = None if test.field is None else frame.slot(test.field)
    if spec is None:
        return -1
    return next((at for at, each in enumerate(frame.schema.fields) if each.name == spec.name), len(frame.schema.fields))


def _meant(frame: Frame, rng: random.Random) -> dict[str, FieldValue]:
    """What the category itself says of an event: `registry_add` and `registry_delete` share an EventID."""
    spec = frame.slot(EVENT_TYPE)
    if frame.category is None or event_types(frame.category) is None or spec is None or not spec.choices:
        return {}
    return {slot_name(spec): rng.choice(spec.choices)}
