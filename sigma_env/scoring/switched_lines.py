"""Which lines of a rule kept it from matching an event in Chainsaw's meaning, and what the specification says of it."""

from collections.abc import Sequence

from sigma_env.engines.judge import Causes, Judgement, Switches, judge, same_document, told
from sigma_env.engines.switched_match import program_of
from sigma_env.engines.switched_show import deciders, describe, saw, selections_of, truth_mark
from sigma_env.engines.switched_trace import SwitchedTrace
from sigma_env.events.store import EventStore
from sigma_env.scoring.hints import check_hint
from sigma_env.scoring.lines import LINES_SHOWN, more_lines
from sigma_env.sigma.chainsaw_tree import Constant, FieldCheck, Program
from sigma_env.sigma.rule import FieldTest, Rule
from sigma_env.sigma.switches import Switch


class SwitchedLines:
    """See Lines; with the meaning of some switches."""

    def __init__(self, store: EventStore, on: Switches) -> None:
        self.store = store
        self._on = on
        self._mapped = Switch.FIELD_MAPPING in on
        self._of: tuple[Rule, Rule, Causes] | None = None

    def key(self, rule: Rule, whose: str, row: int) -> tuple[str, ...]:
        """See Lines."""
        found = self._judged(rule, row)[0]
        beside = _beside(found, whose)
        if beside:
            return (beside,)
        return tuple(f"{_named(leaf, whose)} {leaf.truth}" for leaf in _deciders(found))

    def lines(self, rule: Rule, whose: str, row: int) -> Sequence[str]:
        """See Lines."""
        found, causes = self._judged(rule, row)
        beside = _beside(found, whose)
        cause = None if found.matches else causes.at(self.store, row)
        after = [] if cause is None else [f"by the specification the {whose} matches it; the difference: {told(cause)}"]
        if beside:
            return [beside, *after]
        fields = list(self.store.partition_of(row).columns)
        leaves = _deciders(found)
        shown = [self._line(leaf, whose, fields) for leaf in leaves[:LINES_SHOWN]]
        return [*shown, *more_lines(len(leaves)), *after]

    def _line(self, leaf: SwitchedTrace, whose: str, fields: Sequence[str]) -> str:
        text = f"{truth_mark(leaf.truth)} {_named(leaf, whose)}"
        test = leaf.tree
        if not isinstance(test, FieldCheck | FieldTest):
            return text
        text += f" — {saw(leaf, mapped=self._mapped)}"
        if leaf.truth is True:
            return f"{text}; it holds, and the condition negates it"
        hint = check_hint(test, leaf.seen, fields) if isinstance(test, FieldCheck) else None
        return f"{text} ({hint})" if hint else text

    def _judged(self, rule: Rule, row: int) -> tuple[Judgement, Causes]:
        if self._of is None or self._of[0] is not rule:
            program = program_of(rule, self._on)
            ready = rule._replace(program=program) if isinstance(program, Program) else rule
            self._of = rule, ready, Causes(same_document(rule), self._on)
        _, ready, causes = self._of
        return judge(ready, self.store, row, self._on), causes


def _beside(found: Judgement, whose: str) -> str | None:
    """What decided instead of a line."""
    if found.matches:
        return f"by this meaning the {whose} matches it, and the program that was run found otherwise"
    if found.condition is None or found.problem:
        return f"the {whose}: {found.problem}"
    return None if found.selection.selects else f"the {whose}: {found.selection.reason}"


def _deciders(found: Judgement) -> list[SwitchedTrace]:
    assert found.condition is not None
    return list(deciders(found.condition))


def _named(leaf: SwitchedTrace, whose: str) -> str:
    test = leaf.tree
    if isinstance(test, FieldCheck | FieldTest):
        places = leaf.held if leaf.truth is True else ()
        name = selections_of(test, places)
        return f"{whose}'s {name}: {describe(test, places)}" if name else f"{whose}'s {describe(test, places)}"
    assert isinstance(test, Constant)
    return f"{whose}'s condition: a part that is always {str(test.holds).lower()}, for the optimiser lost its tests"
