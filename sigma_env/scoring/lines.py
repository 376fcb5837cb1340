"""Which lines of a rule kept it from matching an event, as the specification's meaning has them."""

from collections.abc import Sequence
from typing import Final, Protocol

from sigma_env.engines.evaluator import StoredEvent, Trace, trace
from sigma_env.engines.show import deciders, describe, saw
from sigma_env.events.store import EventStore
from sigma_env.scoring.hints import line_hint
from sigma_env.scoring.logsource import selects
from sigma_env.sigma.rule import FieldTest, Rule

LINES_SHOWN: Final = 6


class Lines(Protocol):
    """Tells for the events of one store why a rule does not match them.

    Attributes:
        store: the events.
    """

    store: EventStore

    def key(self, rule: Rule, whose: str, row: int) -> tuple[str, ...]:
        """What kept the rule from matching the event in a global row, without the event's values."""
        ...

    def lines(self, rule: Rule, whose: str, row: int) -> Sequence[str]:
        """The same with the event's values, for people."""
        ...


class SigmaLines:
    """See Lines; with the specification's meaning."""

    def __init__(self, store: EventStore) -> None:
        self.store = store

    def key(self, rule: Rule, whose: str, row: int) -> tuple[str, ...]:
        """See Lines."""
        unselected = self._unselected(rule, whose, row)
        if unselected:
            return (unselected,)
        return tuple(f"{name} {describe(_test(leaf))} {leaf.holds}" for name, leaf in self._deciders(rule, row))

    def lines(self, rule: Rule, whose: str, row: int) -> Sequence[str]:
        """See Lines."""
        unselected = self._unselected(rule, whose, row)
        if unselected:
            return [unselected]
        fields = list(self.store.partition_of(row).columns)
        found = self._deciders(rule, row)
        shown = [_line(whose, name, leaf, fields) for name, leaf in found[:LINES_SHOWN]]
        return shown + more_lines(len(found))

    def _unselected(self, rule: Rule, whose: str, row: int) -> str | None:
        partition = self.store.partition_of(row)
        if selects(rule.logsource, partition.channel, partition.event_id):
            return None
        where = f"{partition.channel} {partition.event_id}"
        return f"the {whose}'s logsource ({written_logsource(rule)}) does not select {where}"

    def _deciders(self, rule: Rule, row: int) -> list[tuple[str, Trace]]:
        event = StoredEvent.at(self.store, row, rule.logsource.category)
        return list(deciders(trace(rule.condition, event)))


def more_lines(found: int) -> list[str]:
    """A line that says how many lines are not shown, if there are any."""
    return [f"… {found - LINES_SHOWN:,} more lines"] if found > LINES_SHOWN else []


def written_logsource(rule: Rule) -> str:
    """A rule's logsource as its YAML has it, on one line."""
    parts = ((name, getattr(rule.logsource, name)) for name in ("product", "category", "service"))
    return ", ".join(f"{name}: {value}" for name, value in parts if value is not None)


def _line(whose: str, selection: str, leaf: Trace, fields: Sequence[str]) -> str:
    test = _test(leaf)
    shown = describe(test, [value for value, _ in leaf.held] or None)
    text = f"{'✓' if leaf.holds else '✗'} {whose}'s {selection}: {shown} — {saw(leaf)}"
    if leaf.holds:
        return f"{text}; it holds, and the condition negates it"
    hint = line_hint(test, leaf.seen, fields)
    return f"{text} ({hint})" if hint else text


def _test(leaf: Trace) -> FieldTest:
    assert isinstance(leaf.node, FieldTest)
    return leaf.node
