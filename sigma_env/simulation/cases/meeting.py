"""Makes conditions true or false on an event, by changing as few of its texts as that takes.

A condition that is not as wanted is followed down to lines that have to change; their fields get new texts that satisfy
all that is asked of them so far. What that breaks elsewhere is mended in the next round.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from sigma_env.engines.evaluator import DictEvent, trace
from sigma_env.sigma.rule import And, Exists, FieldRef, FieldTest, Node, Not, Null, Or, Pattern, Selection, Text, Value
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.frame import Frame, put, slot_name
from sigma_env.simulation.cases.lines import Lines
from sigma_env.simulation.cases.texts import Texts
from sigma_env.simulation.cases.work import Demand, Work
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.values import Need, needs_of

_ROUNDS: Final = 6
_VALUES_TRIED: Final = 5
_CHILDREN_TRIED: Final = 6
_CARRIERS: Final = (
    FieldKind.SCRIPT, FieldKind.COMMAND_LINE, FieldKind.TEXT, FieldKind.REGISTRY_DATA, FieldKind.URL,
    FieldKind.VERSION_INFO, FieldKind.SERVICE_NAME, FieldKind.IMAGE, FieldKind.FILE, FieldKind.ACCOUNT,
)  # fmt: skip


class Goal(NamedTuple):
    """A condition and the truth that it should have."""

    node: Node
    truth: bool


class Meeting:
    """Makes conditions of one rule true or false on events.

    Args:
        folds: what the events' kinds decide by themselves.
    """

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self._lines = Lines()

    def holds(self, node: Node, work: Work) -> bool:
        """The truth of a condition on an event as it is now."""
        kind = type(node)
        if kind is FieldTest:
            return self._line_holds(node, work)  # type: ignore[arg-type]
        if kind is And:
            return all(self.holds(child, work) for child in node.children)  # type: ignore[union-attr]
        if kind is Or:
            return any(self.holds(child, work) for child in node.children)  # type: ignore[union-attr]
        truth = self.holds(node.child, work)  # type: ignore[union-attr]
        return truth if kind is Selection else not truth

    def distance(self, node: Node, truth: bool, work: Work) -> int:
        """How many lines have to change to give a condition a truth, at the least."""
        if self.holds(node, work) == truth:
            return 0
        if isinstance(node, FieldTest):
            return 1
        if isinstance(node, Selection):
            return self.distance(node.child, truth, work)
        if isinstance(node, Not):
            return self.distance(node.child, not truth, work)
        distances = [self.distance(child, truth, work) for child in node.children]
        return sum(distances) if isinstance(node, And) == truth else min(distances)

    def _line_holds(self, test: FieldTest, work: Work) -> bool:
        if test.field is None:
            return self._lines.holds(test, tuple(work.frame.every(work.values, work.computer)))
        if "fieldref" in test.modifiers:
            return _with_reference(test, work)
        return self._lines.holds(test, work.texts(test.field))

    def are_met(self, goals: Sequence[Goal], work: Work) -> bool:
        """Whether all goals are as wanted."""
        return all(self.holds(node, work) == truth for node, truth in goals)

    def meet(self, goals: Sequence[Goal], work: Work, rng: random.Random) -> bool:
        """Changes an event until all goals are met.

        Args:
            goals: conditions.
            work: the event; changed, also where it fails.
            rng: chooses.

        Returns:
            Whether they are met.
        """
        attempt = _Attempt(self, work, rng, fixed=dict(_fixed(goals)))
        for _ in range(_ROUNDS):
            unmet = [goal for goal in goals if self.holds(goal.node, work) != goal.truth]
            if not unmet:
                return True
            if not all(attempt.force(node, truth) for node, truth in unmet):
                return False
        return False

    def give(self, test: FieldTest, chosen: Sequence[int], work: Work, rng: random.Random) -> bool:
        """Makes given values of a line hold on an event.

        Args:
            test: the line.
            chosen: positions of the values.
            work: the event; changed.
            rng: chooses.
        """
        return _Attempt(self, work, rng).give(test, chosen)

    def truth(self, node: Node, work: Work) -> bool | None:
        """What the event's kind alone makes of a condition."""
        return self.truth_on(node, work.frame)

    def truth_on(self, node: Node, frame: Frame) -> bool | None:
        """What a kind of events alone makes of a condition."""
        return self._folds.of(frame).truth(node)


class _Attempt:
    """Changes one event."""

    def __init__(
        self, meeting: Meeting, work: Work, rng: random.Random, fixed: Mapping[int, bool] = MappingProxyType({})
    ) -> None:
        self._meeting, self._work, self._rng, self._fixed = meeting, work, rng, fixed
        self._texts = Texts(work, rng)

    def force(self, node: Node, truth: bool) -> bool:
        """Makes a node come out as wanted; what else that changes is not looked at."""
        if self._meeting.holds(node, self._work) == truth:
            return True
        if isinstance(node, Selection):
            return self.force(node.child, truth)
        if isinstance(node, Not):
            return self.force(node.child, not truth)
        if isinstance(node, FieldTest):
            return self._force_line(node, truth)
        if isinstance(node, And) == truth:
            return all(self.force(child, truth) for child in node.children)
        return self._force_one(node, truth)

    def _force_one(self, node: And | Or, truth: bool) -> bool:
        possible = [
            at
            for at, child in enumerate(node.children)
            if self._fixed.get(id(child), truth) == truth and self._meeting.truth(child, self._work) in (truth, None)
        ]
        before = self._work.copy() if len(possible) > 1 else None
        order = self._shuffled(possible)
        if len(order) > 2:
            order.sort(key=lambda at: self._meeting.distance(node.children[at], truth, self._work))
        for at in order[:_CHILDREN_TRIED]:
            if self.force(node.children[at], truth):
                return True
            if before is not None:
                self._work.become(before.copy())
        return False

    def _shuffled(self, options: Sequence[int]) -> list[int]:
        return self._rng.sample(options, len(options))

    def _force_line(self, test: FieldTest, truth: bool) -> bool:
        wanted = truth != test.negated
        if wanted:
            if test.all:
                return self.give(test, range(len(test.values)))
            return self._one_value(test, self.give)
        if test.all:
            return self._one_value(test, self._deny)
        return self._deny(test, range(len(test.values)))

    def _one_value(self, test: FieldTest, change: Callable[[FieldTest, Sequence[int]], bool]) -> bool:
        return any(change(test, (at,)) for at in self._shuffled(range(len(test.values)))[:_VALUES_TRIED])

    def give(self, test: FieldTest, chosen: Sequence[int]) -> bool:
        """Makes values of a line hold."""
        slots = self._slots(test)
        if test.field is None:  # words may stand in different fields
            chosen = [at for at in chosen if not self._is_found(test, at)]
        demands = [(test.values[at], self._needed(test.values[at])) for at in chosen]
        wanted = [(value, demand) for value, demand in demands if demand is not None]
        if len(wanted) < len(demands):
            return False
        if any(self._demand(spec, wanted) for spec in slots):
            return True
        if test.field is None and len(wanted) > 1:
            return all(any(self._demand(spec, [one]) for spec in slots) for one in wanted)
        return len(chosen) == 1 and self._refer_back(test, test.values[chosen[0]])

    def _refer_back(self, test: FieldTest, value: Value) -> bool:
        """Makes a reference hold by giving the other field the text of the line's own."""
        pattern = value.alternatives[0]
        if not isinstance(pattern, FieldRef) or pattern.op != "equals" or test.field is None:
            return False
        other = self._work.frame.slot(pattern.field)
        own = next((text for text in self._work.texts(test.field) if text is not None), None)
        if other is None or own is None:
            return False
        return self._demand(other, [(value, Demand(Need(Text("equals", own.lower()), own), ()))])

    def _is_found(self, keywords: FieldTest, at: int) -> bool:
        word = keywords._replace(values=(keywords.values[at],), all=False, negated=False)
        return self._meeting.holds(word, self._work)

    def _needed(self, value: Value) -> Demand | None:
        needs = [need for need in needs_of(value) if not isinstance(need.pattern, Null)]
        if not needs:
            return None
        need = needs[0] if len(needs) == 1 else self._rng.choice(needs)
        if isinstance(need.pattern, FieldRef):
            others = [text for text in self._work.texts(need.pattern.field) if text is not None]
            if not others:
                return None
            need = Need(Text(need.pattern.op, others[0].lower()), others[0])
        if isinstance(need.pattern, Exists) and not need.pattern.present:
            return None
        return Demand(need, ())

    def _deny(self, test: FieldTest, chosen: Sequence[int]) -> bool:
        """Makes values of a line fail."""
        demands = []
        for at in chosen:
            value = test.values[at]
            patterns: list[Pattern] = []
            for pattern in value.alternatives:
                if isinstance(pattern, Exists) and pattern.present:
                    return False
                if isinstance(pattern, FieldRef):
                    others = [text for text in self._work.texts(pattern.field) if text is not None]
                    patterns += [Text(pattern.op, other.lower()) for other in others]
                elif not isinstance(pattern, Null | Exists):
                    patterns.append(pattern)
            demands.append((value, Demand(None, tuple(patterns))))
        if test.field is None:
            return all(self._demand(spec, demands) for spec in self._holding(test))
        return all(self._demand(spec, demands) for spec in self._slots(test))

    def _slots(self, test: FieldTest) -> list[FieldSpec]:
        """Fields that can make a line hold: its own; for keywords, some that can carry words."""
        if test.field is not None:
            spec = self._work.frame.slot(test.field)
            return [] if spec is None else [spec]
        return list({slot_name(spec): spec for spec in self._carriers()}.values())[:3]

    def _carriers(self) -> Iterator[FieldSpec]:
        specs = [spec for spec in self._work.frame.schema.fields if not spec.volatile and spec.kind in _CARRIERS]
        yield from sorted(specs, key=lambda spec: _CARRIERS.index(spec.kind))

    def _holding(self, test: FieldTest) -> list[FieldSpec]:
        """Fields in which keywords are found."""
        alone = test._replace(negated=False, all=False)
        found = []
        for spec in self._work.frame.schema.fields:
            value = self._work.values.get(slot_name(spec))
            if value is not None:
                texts = (value,) if isinstance(value, str) else value
                if self._meeting._lines.holds(alone, texts):
                    found.append(spec)
        return list({slot_name(spec): spec for spec in found}.values())

    def _demand(self, spec: FieldSpec, wanted: Sequence[tuple[Value, Demand]]) -> bool:
        """Gives a field what satisfies new demands beside those that it has."""
        name = slot_name(spec)
        before = self._work.demands.get(name, {})
        after = dict(before)
        for value, demand in wanted:
            after[id(value)] = (value, demand)
        for demands in (after, _firm(after)):
            found = self._texts.solved(spec, [demand for _, demand in demands.values()])
            if found is not None:
                self._work.demands[name] = demands
                self._work.chosen.update(put(self._work.values, spec, found))
                return True
            if all(demand.firm for _, demand in after.values()):
                break
        return False


def _fixed(goals: Iterable[Goal]) -> Iterator[tuple[int, bool]]:
    """Nodes, by identity, whose truth follows from the goals."""
    for node, truth in goals:
        yield id(node), truth
        if isinstance(node, Selection):
            yield from _fixed([Goal(node.child, truth)])
        elif isinstance(node, Not):
            yield from _fixed([Goal(node.child, not truth)])
        elif isinstance(node, And | Or) and isinstance(node, And) == truth:
            yield from _fixed(Goal(child, truth) for child in node.children)


def _firm(demands: dict[int, tuple[Value, Demand]]) -> dict[int, tuple[Value, Demand]]:
    return {key: (value, demand) for key, (value, demand) in demands.items() if demand.firm}


def _with_reference(test: FieldTest, work: Work) -> bool:
    """A line that refers to another field, with the slow evaluator: such lines are few."""
    names = {test.field or ""}
    names.update(p.field for value in test.values for p in value.alternatives if isinstance(p, FieldRef))
    fields = {name: list(texts) for name in sorted(names) if (texts := work.texts(name))}
    return trace(test, DictEvent(fields)).holds
