"""The smallest set of switches that turns the specification's outcome of a rule into another one."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final, Protocol, TypeAlias

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_tree import Program
from sigma_env.sigma.files import LoadedRule
from sigma_env.sigma.switches import CHAINSAW, SIGMA, Switch

Outcome: TypeAlias = Matches | Unsupported
Switches: TypeAlias = frozenset[Switch]

_WHEN_RUN: Final = frozenset(
    {Switch.MISSING, Switch.AND_ORDER, Switch.PRECONDITIONS, Switch.FIELD_MAPPING, Switch.EXCLUSIONS}
)
"""Switches that act when a rule is run, so that its program does not show them."""

_ENGINES_KEPT: Final = 256
_INERT: Final = frozenset({Switch.EXCLUSIONS})
"""The specification's meaning without its parser, which refuses more: this switch can only end a rule that runs."""


class Subject(Protocol):
    """A rule that can be loaded for any meaning."""

    def load(self, on: Switches) -> LoadedRule:
        """The rule for a meaning, or why it is none there."""
        ...


class Runner:
    """Runs loaded rules on a store with any meaning."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._engines: dict[Switches, NativeEngine] = {}

    def outcome(self, loaded: LoadedRule, on: Switches) -> Outcome:
        """What comes of a rule that was loaded for this meaning."""
        if loaded.rule is None:
            return Unsupported(loaded.reason or "no rule")
        engine = self._engines.get(on)
        if engine is None:
            if len(self._engines) == _ENGINES_KEPT:
                self._engines = {few: one for few, one in self._engines.items() if len(few) < 2 or few == CHAINSAW}
            engine = self._engines[on] = NativeEngine(on)
        return engine.match([loaded.rule], self.store)[0]


class Search:
    """Looks for the smallest set of switches that turns the specification's outcome of a rule into the other one.

    Args:
        subject: the rule.
        runner: who runs it.
        sigma: the specification's outcome.
        wanted: the other one.
        every: the switches that may be turned on.
    """

    def __init__(self, subject: Subject, runner: Runner, sigma: Outcome, wanted: Outcome, every: Switches) -> None:
        self.subject = subject
        self.runner = runner
        self.wanted = wanted
        self.every = [switch for switch in Switch if switch in every]
        self._loaded: dict[Switches, LoadedRule] = {}
        self._outcomes: dict[Switches, Outcome] = {SIGMA: sigma}

    def smallest(self) -> Switches | None:
        """One switch, else two, else a set of which none can be left out; None if not even all suffice.

        None is needed where only the specification's parser refuses the rule, and what it means is the same.
        """
        if isinstance(self._outcomes[SIGMA], Unsupported) and self._suffices(_INERT):
            return SIGMA
        singles = [frozenset({switch}) for switch in self.every]
        found = self._first(singles)
        if found is not None:
            return found
        if not self._suffices(frozenset(self.every)):
            return None
        relevant = [switch for switch in self.every if self._is_relevant(switch)]
        found = self._first([frozenset(pair) for pair in combinations(relevant, 2)])
        return found or self._shrunk(relevant)

    def _first(self, sets: Sequence[Switches]) -> Switches | None:
        """The first that suffices; of those that make a rule refused, one that does so for the same reason."""
        enough = [on for on in sets if self._suffices(on)] if isinstance(self.wanted, Unsupported) else None
        if enough is None:
            return next(filter(self._suffices, sets), None)
        alike = (on for on in enough if self._outcome(on) == self.wanted)
        return next(alike, enough[0] if enough else None)

    def _shrunk(self, relevant: Sequence[Switch]) -> Switches:
        """Leaves out one switch after the other, until none can be: from the relevant ones if these are enough."""
        on = frozenset(relevant) if self._suffices(frozenset(relevant)) else frozenset(self.every)
        before = None
        while on != before:
            before = on
            for switch in self.every:
                if switch in on and self._suffices(on - {switch}):
                    on -= {switch}
        return on

    def _is_relevant(self, switch: Switch) -> bool:
        """Whether the rule is another one with this switch alone than with none, or without it than with all."""
        if switch in _WHEN_RUN:
            return True
        everything = frozenset(self.every)
        none = self._made(_INERT)
        return self._made({switch}) != none or self._made(everything - {switch}) != self._made(everything)

    def _made(self, on: Iterable[Switch]) -> object:
        """What the rule becomes, without the switches that it became so under."""
        loaded = self._load(frozenset(on))
        if loaded.rule is None:
            return loaded.reason
        program = loaded.rule.program
        return program._replace(switches=SIGMA) if isinstance(program, Program) else loaded.rule.condition

    def _suffices(self, on: Switches) -> bool:
        found = self._outcome(on)
        if isinstance(self.wanted, Unsupported):
            return isinstance(found, Unsupported)
        return found == self.wanted

    def _outcome(self, on: Switches) -> Outcome:
        known = self._outcomes.get(on)
        if known is None:
            known = self._outcomes[on] = self.runner.outcome(self._load(on), on)
        return known

    def _load(self, on: Switches) -> LoadedRule:
        known = self._loaded.get(on)
        if known is None:
            known = self._loaded[on] = self.subject.load(on)
        return known
