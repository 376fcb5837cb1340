"""The lines by which a rule matches events, under the meaning that it was run with."""

from collections.abc import Iterable

from sigma_env.engines.evaluator import Hit, Memo, StoredEvent, hits
from sigma_env.engines.judge import Switches, event_under
from sigma_env.engines.switched_match import program_of
from sigma_env.engines.switched_show import hits as program_hits
from sigma_env.engines.switched_trace import Panicked, Tracer
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_tree import Program
from sigma_env.sigma.rule import Rule


class HitLines:
    """Finds the lines by which one rule matches events; what many events have in common is decided once.

    Args:
        rule: the rule.
        store: the events.
        on: the switches that it was run with.
    """

    def __init__(self, rule: Rule, store: EventStore, on: Switches) -> None:
        self._rule = rule
        self._store = store
        self._memo: Memo = {}
        program = program_of(rule, on) if on else None
        self._program = program if isinstance(program, Program) else None
        self._tracer = Tracer(on)
        self._on = on

    def at(self, row: int) -> Iterable[Hit]:
        """The lines by which the rule matches the event in a global row; nothing from below a negation."""
        if not self._on:
            event = StoredEvent.at(self._store, row, self._rule.logsource.category)
            return hits(self._rule.condition, event, self._memo)
        if self._program is None:
            return []
        try:
            found = self._tracer.trace(self._program.tree, event_under(self._rule, self._store, row, self._on))
        except Panicked:
            return []
        return program_hits(found) if found.truth is True else []
