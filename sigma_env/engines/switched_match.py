"""Rules under switches on a store."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.leaves import Fields
from sigma_env.engines.mapped_fields import mapped_store
from sigma_env.engines.patterns import compare
from sigma_env.engines.possible import Whereabouts
from sigma_env.engines.switched import Prepared, Run, prepare
from sigma_env.engines.switched_trace import Panicked
from sigma_env.errors import EngineError
from sigma_env.events.derived import PROCESS_CREATION
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.chainsaw_compile import compile_detection
from sigma_env.sigma.chainsaw_files import written_logsource
from sigma_env.sigma.chainsaw_mapping import Selected, chainsaw_mapping
from sigma_env.sigma.chainsaw_tree import (
    Aggregate,
    Program,
    Refused,
)
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.switches import Switch

SelectedRows: TypeAlias = Callable[[LogSource, EventStore], list[tuple[Partition, int]]]
"""The taxonomy's choice: partitions, and the bit sets of the rows there."""

_Scope: TypeAlias = tuple[Partition, Fields, int, int]
"""A partition, what its fields are, the rows to decide, and the bit that stands for it in `Whereabouts`."""

_RANDOM = "Chainsaw's own result is random: {} are tested in an order that differs from run to run, under a 'not'"


def program_of(rule: Rule, on: frozenset[Switch]) -> Program | Refused:
    """The rule under switches: as it was loaded for them, else made of its document.

    Raises:
        EngineError: it has neither.
    """
    program = rule.program
    if isinstance(program, Program) and program.switches == on:
        return program
    detection = rule.document.get("detection")
    if not isinstance(detection, Mapping):
        raise EngineError(f"the rule '{rule.meta.id}' has no document; load it with load_rules(paths, switches)")
    source = rule.document.get("logsource")
    logsource = written_logsource(source) if Switch.PRECONDITIONS in on else rule.logsource
    return compile_detection(logsource, detection, on, rule.meta.id, rule.meta.title)


def refusal_of(rule: Rule, on: frozenset[Switch]) -> str | None:
    """Why a rule does not load under switches, None if it does."""
    program = program_of(rule, on)
    return program.told if isinstance(program, Refused) else None


class SwitchedMatcher:
    """Runs rules under one set of switches.

    Args:
        on: the switches.
        selected_rows: what a logsource selects where Switch.PRECONDITIONS is off.
    """

    def __init__(self, on: frozenset[Switch], selected_rows: SelectedRows) -> None:
        self.on = on
        self._selected_rows = selected_rows
        self._hunted: WeakKeyDictionary[EventStore, dict[tuple[Selected, ...] | None, list[_Scope]]]
        self._hunted = WeakKeyDictionary()
        self._where: WeakKeyDictionary[EventStore, dict[str | None, Whereabouts]] = WeakKeyDictionary()

    def match_rule(self, rule: Rule, store: EventStore) -> Matches | Unsupported:
        """The events of the store that one rule matches, or why it is not run."""
        program = program_of(rule, self.on)
        if isinstance(program, Refused):
            return Unsupported(program.told)
        if Switch.EXCLUSIONS in self.on and program.title in chainsaw_mapping().excluded_titles:
            return Unsupported("the mapping excludes rules of this title")
        view = rule.logsource.category
        there = self._whereabouts(view, store).of(program.tree)
        scopes = self._scopes(program, store)
        scopes = [scope for scope in scopes if there & scope[3]] if there else []
        if not scopes:
            return Matches({})
        plan = prepare(program.tree)
        try:
            found = self._run(program, plan, scopes, view, tied_false=False)
            if program.tied and self._run(program, plan, scopes, view, tied_false=True) != found:
                return Unsupported(_RANDOM.format(", ".join(program.tied)))
        except Panicked as panic:
            return Unsupported(f"panics while hunting: {panic}")
        return found if program.aggregate is None else self._counted(program.aggregate, found, store, view)

    def _counted(self, wanted: Aggregate, found: Matches, store: EventStore, view: str | None) -> Matches:
        """Those of the events that stand in groups of the wanted size: of one file, with the same values."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for row in found.rows(store).tolist():
            partition = store.partition_of(row)
            fields = self._fields(store)[partition.index]
            columns = [fields.column(field, view) for field in wanted.fields]
            cells = [[] if column is None else column.cells(row - partition.base) for column in columns]
            if all(len(cell) == 1 and cell[0] is not None for cell in cells):
                key = (int(store.refs_table.file[row]), *(cell[0] for cell in cells))
                groups.setdefault(key, []).append(row)
        op, number = wanted.op, wanted.number
        holds = [
            rows for rows in groups.values() if (len(rows) == number if op == "eq" else compare(op, len(rows), number))
        ]
        return Matches.from_rows(store, (row for rows in holds for row in rows))

    def _run(
        self,
        program: Program,
        plan: Prepared,
        scopes: Sequence[_Scope],
        view: str | None,
        *,
        tied_false: bool,
    ) -> Matches:
        run = Run(program, view, tied_false=tied_false)
        bits: dict[int, int] = {}
        for partition, fields, domain, _ in scopes:
            found = run.true(plan, fields, domain)
            if found:
                bits[partition.index] = bits.get(partition.index, 0) | found
        return Matches(bits)

    def _scopes(self, program: Program, store: EventStore) -> Sequence[_Scope]:
        """The partitions where the rule's logsource selects something, what its fields are there, and the rows."""
        if Switch.PRECONDITIONS not in self.on:
            rows = self._selected_rows(program.logsource, store)
            fields = self._fields(store)
            return [(part, fields[part.index], domain, 1 << part.index) for part, domain in rows if domain]
        known = self._hunted.setdefault(store, {})
        selected = chainsaw_mapping().precondition(program.logsource, program.rule_id)
        scopes = known.get(selected)
        if scopes is None:
            mapped, fields = mapped_store(store), self._fields(store)
            scopes = known[selected] = [
                (store.partitions[number], fields[number], rows, 1 << number) for number, rows in mapped.seen(selected)
            ]
        return scopes

    def _fields(self, store: EventStore) -> Sequence[Fields]:
        return mapped_store(store).fields if Switch.FIELD_MAPPING in self.on else store.partitions

    def _whereabouts(self, view: str | None, store: EventStore) -> Whereabouts:
        known = self._where.setdefault(store, {})
        key = PROCESS_CREATION if view == PROCESS_CREATION and Switch.FIELD_MAPPING not in self.on else None
        where = known.get(key)
        if where is None:
            event_ids = [partition.event_id for partition in store.partitions]
            if Switch.FIELD_MAPPING in self.on:
                having = mapped_store(store).having
            else:

                def having(field: str) -> int:
                    return sum(1 << p.index for p in store.partitions if p.column(field, key) is not None)

            where = known[key] = Whereabouts(having, event_ids)
        return where
