"""Why a rule matches one event under switches, or why not, and the switches that make the difference there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from sigma_env.engines.base import Engine, Unsupported
from sigma_env.engines.evaluator import StoredEvent, trace
from sigma_env.engines.leaves import Fields
from sigma_env.engines.mapped_fields import mapped_store
from sigma_env.engines.native import NativeEngine, selects
from sigma_env.engines.switched_match import program_of
from sigma_env.engines.switched_trace import FieldsEvent, Panicked, SwitchedTrace, Tracer
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_mapping import Selected, chainsaw_mapping
from sigma_env.sigma.chainsaw_tree import Aggregate, Program, Refused
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.switches import CHAINSAW, SIGMA, WHEN_READ, Switch

Switches: TypeAlias = frozenset[Switch]

OF_DETECTIONS: Final = CHAINSAW - WHEN_READ - {Switch.EXCLUSIONS}
"""Chainsaw's meaning of a rule whose header is not its own: the engine that runs the program writes headers anew."""


def meaning_of(engine: Engine) -> Switches:
    """The switches that explain what an engine finds: those it runs with, or those that say what its program means."""
    if isinstance(engine, NativeEngine):
        return engine.switches
    return OF_DETECTIONS if engine.semantics == "chainsaw" else SIGMA


class Selection(NamedTuple):
    """Whether a rule is tried on an event, and a line that says why or why not."""

    selects: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule on one event.

    Attributes:
        matches: whether it matches the event.
        selection: whether it is tried on it.
        condition: what its tree came to; None where the rule is not run, or panics on the event.
        problem: why it is not run, or what is to be known beside the tree.
    """

    matches: bool
    selection: Selection
    condition: SwitchedTrace | None
    problem: str | None = None


def judge(rule: Rule, store: EventStore, row: int, on: Switches) -> Judgement:
    """Judges a rule on the event in a global row, with a record of what decided.

    Args:
        rule: the rule, loaded for these switches or with its document.
        store: the events.
        row: which.
        on: the switches; at least one.

    Raises:
        EngineError: the rule was loaded for another meaning and has no document.
    """
    program = program_of(rule, on)
    if isinstance(program, Refused):
        return Judgement(False, Selection(False, "the rule is not run"), None, program.told)
    selection = _selection(rule, program, store, row)
    if Switch.EXCLUSIONS in on and program.title in chainsaw_mapping().excluded_titles:
        return Judgement(False, selection, None, "the mapping excludes rules of this title")
    event = event_under(rule, store, row, on)
    try:
        found = Tracer(on).trace(program.tree, event)
        otherwise = Tracer(on, tied_false=True).trace(program.tree, event) if program.tied else found
    except Panicked as panic:
        return Judgement(False, selection, None, f"panics on this event: {panic}")
    matches = selection.selects and found.truth is True
    if found.truth != otherwise.truth and True in (found.truth, otherwise.truth):
        tied = ", ".join(program.tied)
        return Judgement(False, selection, found, f"random: {tied} are tested in an order that differs from run to run")
    if program.aggregate is not None and matches:
        result = NativeEngine(on).match([rule], store)[0]
        partition = store.partition_of(row)
        here = 0 if isinstance(result, Unsupported) else result.bits.get(partition.index, 0)
        matches = bool(here >> (row - partition.base) & 1)
        return Judgement(matches, selection, found, _count_line(program.aggregate, matches))
    return Judgement(matches, selection, found)


def event_under(rule: Rule, store: EventStore, row: int, on: Switches) -> FieldsEvent:
    """The event in a global row as a rule sees it under switches."""
    partition = store.partition_of(row)
    fields: Fields = mapped_store(store).fields[partition.index] if Switch.FIELD_MAPPING in on else partition
    return FieldsEvent(fields, row - partition.base, rule.logsource.category)


def _count_line(wanted: Aggregate, matches: bool) -> str:
    same = f" with the same {' and '.join(wanted.fields)}" if wanted.fields else ""
    sign = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[wanted.op]
    verb = "is" if matches else "is not"
    return f"the number of such events of one file{same} {verb} {sign} {wanted.number}"


def _selection(rule: Rule, program: Program, store: EventStore, row: int) -> Selection:
    partition = store.partition_of(row)
    where = f"{partition.channel} {partition.event_id}"
    if Switch.PRECONDITIONS not in program.switches:
        found = selects(rule.logsource, store, row)
        return Selection(found, f"logsource {rule.logsource} {'selects' if found else 'does not select'} {where}")
    fields = mapped_store(store).fields[partition.index]
    bit = 1 << (row - partition.base)
    if not fields.hunted & bit:
        return Selection(False, "Chainsaw tries no rule on an event without a provider and a time")
    selected = chainsaw_mapping().precondition(program.logsource, program.rule_id)
    if selected is None:
        return Selection(
            True, f"Chainsaw has no precondition for logsource {rule.logsource}: the rule sees every event"
        )
    rows = dict(mapped_store(store).seen(selected))
    found = bool(rows.get(partition.index, 0) & bit)
    wanted = " or ".join(map(_precondition, selected))
    column = partition.system_column("Provider_Name")
    provider = "" if column is None else str(column.cells(row - partition.base)[0])
    verb = "lets through" if found else "wants"
    told = f"Chainsaw's precondition for logsource {rule.logsource} {verb} {wanted}"
    return Selection(found, told if found else f"{told}; this is {provider}, EventID {partition.event_id}")


def _precondition(one: Selected) -> str:
    if one.event_ids is None:
        return one.provider
    return f"{one.provider} with EventID {', '.join(map(str, sorted(one.event_ids)))}"


def same_document(rule: Rule) -> Callable[[Switches], Rule | None]:
    """Loads a rule by the specification for other meanings of its logsource and detection."""

    def load(on: Switches) -> Rule | None:
        program = program_of(rule, on) if on else None
        return None if isinstance(program, Refused) else rule._replace(program=program)

    return load


class Causes:
    """Looks for the switches that make a rule come out differently on single events.

    Attributes:
        load: the rule as it is read under some switches, None if it is none.

    Args:
        load: likewise; each answer is kept.
        every: the switches of the other meaning.
    """

    def __init__(self, load: Callable[[Switches], Rule | None], every: Switches) -> None:
        self.load = lru_cache(maxsize=256)(load)
        self._every = every

    def matches(self, store: EventStore, row: int, on: Switches) -> bool:
        """Whether the rule matches an event under some switches."""
        rule = self.load(on)
        if rule is None:
            return False
        if on:
            return judge(rule, store, row, on).matches
        event = StoredEvent.at(store, row, rule.logsource.category)
        return selects(rule.logsource, store, row) and trace(rule.condition, event).holds

    def at(self, store: EventStore, row: int) -> Switches | None:
        """The switches that make the difference on an event: one, else as few as can be; None if there is none."""
        wanted = self.matches(store, row, self._every)
        if self.matches(store, row, SIGMA) == wanted:
            return None
        return self._smallest(lambda on: self.matches(store, row, on) == wanted)

    def refusal(self) -> Switches:
        """The switches for which the rule is not run; none if the rule is refused for another reason."""
        if self.load(self._every) is not None:
            return SIGMA
        return self._smallest(lambda on: self.load(on) is None)

    def _smallest(self, suffices: Callable[[Switches], bool]) -> Switches:
        in_order = [switch for switch in Switch if switch in self._every]
        alone = next((on for on in (frozenset({switch}) for switch in in_order) if suffices(on)), None)
        return alone if alone is not None else _shrunk(in_order, suffices)


def _shrunk(switches: Sequence[Switch], suffices: Callable[[Switches], bool]) -> Switches:
    """Leaves out one switch after the other, until none can be."""
    on: Switches = frozenset(switches)
    before: Switches | None = None
    while on != before:
        before = on
        for switch in switches:
            if switch in on and suffices(on - {switch}):
                on -= {switch}
    return on


def told(cause: Switches) -> str:
    """A cause for people: each switch with what it means."""
    return "; ".join(f"{switch.label} ({switch.value})" for switch in Switch if switch in cause)
