"""A line's literal in a field that could be mistaken for the line's: field names must matter."""

import random
from collections.abc import Sequence
from typing import Final

from sigma_env.sigma.rule import Text
from sigma_env.simulation.cases.frame import Frame, put, slot_name
from sigma_env.simulation.cases.meeting import Goal, Meeting
from sigma_env.simulation.cases.way import Given
from sigma_env.simulation.cases.work import Work
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.sloppy.siblings import siblings_of
from sigma_env.simulation.values import Need, needs_of, solve

_SHORTEST_LITERAL: Final = 3
_MOST_SIBLINGS: Final = 3
_WORDS: Final = frozenset(
    {FieldKind.IMAGE, FieldKind.FILE, FieldKind.COMMAND_LINE, FieldKind.TEXT, FieldKind.VERSION_INFO}
    | {FieldKind.SCRIPT, FieldKind.REGISTRY_DATA, FieldKind.DIRECTORY, FieldKind.ACCOUNT, FieldKind.URL}
    | {FieldKind.SERVICE_NAME, FieldKind.USER, FieldKind.DOMAIN, FieldKind.IP, FieldKind.HOST_NAME, FieldKind.PIPE}
    | {FieldKind.SID}
)


class Elsewhere:
    """Puts literals of one rule into sibling fields.

    Args:
        named: fields that the rule names; they are left alone.
        meeting: knows what holds on an event.
    """

    def __init__(self, named: frozenset[str], meeting: Meeting) -> None:
        self._named, self._meeting = named, meeting

    def repeat(self, work: Work, given: Given, rng: random.Random, goals: Sequence[Goal]) -> bool:
        """Puts a line's literal into a sibling field.

        Args:
            work: an event; changed if that is possible.
            given: the line and which of its values.
            rng: chooses the text around the literal.
            goals: must be met afterwards.
        """
        need = _literal(given)
        if need is None or given.test.field is None:
            return False
        own = work.frame.slot(given.test.field)
        for spec in self._siblings(work.frame, given.test.field):
            value = work.values.get(slot_name(spec))
            if not isinstance(value, str):
                continue
            wanted = need if own is not None and spec.kind is own.kind else _contained(need)
            text = solve([wanted], (), spec, rng, value)
            if text is not None:
                trial = work.copy()
                trial.chosen.update(put(trial.values, spec, text))
                if self._meeting.are_met(goals, trial):
                    work.become(trial)
                    return True
        return False

    def _siblings(self, frame: Frame, field: str) -> list[FieldSpec]:
        """Fields that could be mistaken for one and that the rule says nothing about, the likeliest first."""
        named = {slot_name(spec) for name in self._named if (spec := frame.slot(name)) is not None}
        own = frame.slot(field)
        specs = [spec for name in siblings_of(field) if (spec := frame.slot(name)) is not None]
        # Free text says nothing of what else could hold the literal.
        if own is not None and own.kind is not FieldKind.TEXT:
            specs += [spec for spec in frame.schema.fields if spec.kind is own.kind]
        usable = {
            spec.name: spec
            for spec in specs
            if spec.name is not None
            and spec.name not in named
            and spec.name != "RuleName"
            and not spec.volatile
            and spec.kind in _WORDS
        }
        return list(usable.values())[:_MOST_SIBLINGS]


def _literal(given: Given) -> Need | None:
    """A literal of a line, as its author wrote it."""
    for at in given.chosen:
        for need in needs_of(given.test.values[at]):
            if isinstance(need.pattern, Text) and len(need.pattern.text) >= _SHORTEST_LITERAL:
                return need
    return None


def _contained(need: Need) -> Need:
    assert isinstance(need.pattern, Text)
    return Need(need.pattern._replace(op="contains"), need.written)
