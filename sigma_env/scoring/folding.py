"""What is left of a condition on events of one type: true, false, or open until an event's other fields are seen.

Kleene's three-valued logic, where None is "open". The fields that an event's type fixes are Channel,
EventID, Provider_Name and, in Sysmon's channel, EventType.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.kleene import conjunction, disjunction, negation
from sigma_env.sigma.rule import And, Exists, FieldRef, FieldTest, Node, Not, Null, Or, Pattern, Selection, Text, Value
from sigma_env.sigma.taxonomy import SYSMON, fixed_fields

FIXED_FIELDS: Final = frozenset({"Channel", "EventID", "Provider_Name", "EventType"})

FieldValue: TypeAlias = str | None
"""What a field holds, or None: it is absent."""
FixedValues: TypeAlias = Mapping[str, frozenset[FieldValue] | None]
"""Field of FIXED_FIELDS → the values that it can have, None where it can have any."""

# Older Sysmon writes pipe events without EventType: 16 of the 141 in the public logs lack it.
_MAY_LACK_EVENT_TYPE: Final = frozenset({17, 18})


@lru_cache(maxsize=512)
def fixed_values(channel: str, event_id: int) -> FixedValues:
    """The values that FIXED_FIELDS can have in events of a channel and EventID."""
    fixed = fixed_fields(channel, event_id)
    values: dict[str, frozenset[FieldValue] | None] = {name: fixed.get(name) for name in FIXED_FIELDS}
    if channel.lower() == SYSMON.lower():
        event_types = values["EventType"] or frozenset((None,))  # Sysmon's other events have none
        values["EventType"] = event_types | {None} if event_id in _MAY_LACK_EVENT_TYPE else event_types
    return values


def has_fixed_field(node: Node) -> bool:
    """Whether some line of a condition is about a field of FIXED_FIELDS."""
    kind = type(node)
    if kind is FieldTest:
        return node.field in FIXED_FIELDS  # type: ignore[union-attr, operator]
    if kind is And or kind is Or:
        return any(map(has_fixed_field, node.children))  # type: ignore[union-attr]
    return has_fixed_field(node.child)  # type: ignore[union-attr]


def patterns_of(node: Node, field: str) -> Iterator[Pattern]:
    """Every pattern that a condition has for a field."""
    if isinstance(node, FieldTest):
        if node.field == field:
            for value in node.values:
                yield from value.alternatives
    elif isinstance(node, And | Or):
        for child in node.children:
            yield from patterns_of(child, field)
    else:
        yield from patterns_of(node.child, field)


class Folding:
    """One condition, to be folded for many types of events."""

    def __init__(self, condition: Node) -> None:
        self._condition = condition
        # Kept by identity: hashing a line takes as long as looking at all of its values.
        self._exact: dict[int, frozenset[str] | None] = {}

    def truth(self, values: FixedValues) -> bool | None:
        """The truth of the condition as far as the fixed fields decide it."""
        return self._fold(self._condition, values)

    def _fold(self, node: Node, values: FixedValues) -> bool | None:
        if isinstance(node, FieldTest):
            possible = None if node.field is None else values.get(node.field)
            if possible is None:
                return None
            truths = {self._on(node, value) for value in possible}
            return truths.pop() if len(truths) == 1 else None
        if isinstance(node, Selection):
            return self._fold(node.child, values)
        if isinstance(node, Not):
            return negation(self._fold(node.child, values))
        truths_of_children = (self._fold(child, values) for child in node.children)
        return conjunction(truths_of_children) if isinstance(node, And) else disjunction(truths_of_children)

    def _on(self, test: FieldTest, seen: FieldValue) -> bool | None:
        exact = self._exact_texts(test)
        if exact is not None:
            held: bool | None = seen is not None and seen.lower() in exact
        else:
            truths = (
                disjunction(_pattern_on(pattern, seen) for pattern in value.alternatives) for value in test.values
            )
            held = conjunction(truths) if test.all else disjunction(truths)
        return negation(held) if test.negated else held

    def _exact_texts(self, test: FieldTest) -> frozenset[str] | None:
        """The texts of a line that lists plain texts, which saves comparing a long list over and over."""
        if id(test) not in self._exact:
            plain = not test.all and all(map(_is_exact, test.values))
            texts = (str(value.alternatives[0].text) for value in test.values) if plain else ()  # type: ignore[union-attr]
            self._exact[id(test)] = frozenset(texts) if plain else None
        return self._exact[id(test)]


def _is_exact(value: Value) -> bool:
    patterns = value.alternatives
    return len(patterns) == 1 and type(patterns[0]) is Text and patterns[0].op == "equals" and not patterns[0].cased


def _pattern_on(pattern: Pattern, seen: FieldValue) -> bool | None:
    if isinstance(pattern, Null):
        return seen is None
    if isinstance(pattern, Exists):
        return pattern.present == (seen is not None)
    if seen is None:
        return False
    return None if isinstance(pattern, FieldRef) else value_holds(pattern, seen)
