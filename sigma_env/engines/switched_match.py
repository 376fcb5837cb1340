"""Rules under switches on a store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.leaves import Fields
from sigma_env.engines.mapped_fields import MappedFields
from sigma_env.engines.switched import Panicked, Prepared, Run, prepare, required_event_ids
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.chainsaw_compile import compile_detection
from sigma_env.sigma.chainsaw_mapping import chainsaw_mapping
from sigma_env.sigma.chainsaw_tree import Program, Refused
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.switches import Switch

SelectedRows: TypeAlias = Callable[[LogSource, EventStore], list[tuple[Partition, int]]]
"""The taxonomy's choice: partitions, and the bit sets of the rows there."""

_RANDOM = "Chainsaw's own result is random: {} are tested in an order that differs from run to run, under a 'not'"


def program_of(rule: Rule, on: frozenset[Switch]) -> Program | Refused:
    """The rule under switches: as it was loaded for them, else made of its document."""
    program = rule.program
    if isinstance(program, Program) and program.switches == on:
        return program
    detection = rule.document.get("detection")
    if not isinstance(detection, Mapping):
        return Refused("the rule was loaded without its text; load it for these semantics")
    source: Any = rule.document.get("logsource")
    logsource = written_logsource(source) if Switch.PRECONDITIONS in on else rule.logsource
    return compile_detection(logsource, detection, on, rule.meta.id, rule.meta.title)


def written_logsource(source: Mapping[str, Any]) -> LogSource:
    """The names of a logsource as they are written, case and spaces included."""
    return LogSource(*(source.get(part) for part in ("category", "product", "service")))


class SwitchedMatcher:
    """Runs rules under one set of switches.

    Args:
        on: the switches.
        selected_rows: what a logsource selects where Switch.PRECONDITIONS is off.
    """

    def __init__(self, on: frozenset[Switch], selected_rows: SelectedRows) -> None:
        self.on = on
        self._selected_rows = selected_rows
        self._mapped: WeakKeyDictionary[EventStore, list[MappedFields]] = WeakKeyDictionary()
        self._domains: WeakKeyDictionary[EventStore, dict[object, list[int]]] = WeakKeyDictionary()

    def match_rule(self, rule: Rule, store: EventStore) -> Matches | Unsupported:
        """The events of the store that one rule matches, or why it is not run."""
        program = program_of(rule, self.on)
        if isinstance(program, Refused):
            return Unsupported(f"panics at load: {program.reason}" if program.panics else program.reason)
        if Switch.EXCLUSIONS in self.on and program.title in chainsaw_mapping().excluded_titles:
            return Unsupported("the mapping excludes rules of this title")
        plan = prepare(program.tree)
        ids = required_event_ids(program.tree)
        scopes = [
            (partition, fields, domain)
            for partition, fields, domain in self._scopes(program, store)
            if domain and (ids is None or partition.event_id in ids)
        ]
        view = rule.logsource.category
        try:
            found = self._run(program, plan, scopes, view, tied_false=False)
            if program.tied and self._run(program, plan, scopes, view, tied_false=True) != found:
                return Unsupported(_RANDOM.format(", ".join(program.tied)))
        except Panicked as panic:
            return Unsupported(f"panics while hunting: {panic}")
        return found

    def _run(
        self,
        program: Program,
        plan: Prepared,
        scopes: Sequence[tuple[Partition, Fields, int]],
        view: str | None,
        *,
        tied_false: bool,
    ) -> Matches:
        run = Run(program, view, tied_false=tied_false)
        bits: dict[int, int] = {}
        for partition, fields, domain in scopes:
            found = run.true(plan, fields, domain)
            if found:
                bits[partition.index] = bits.get(partition.index, 0) | found
        return Matches(bits)

    def _scopes(self, program: Program, store: EventStore) -> list[tuple[Partition, Fields, int]]:
        mapped = self._mapped_fields(store)
        if Switch.PRECONDITIONS in self.on:
            domains = self._hunted(program, store, mapped)
            rows = [(partition, domains[partition.index]) for partition in store.partitions]
        else:
            rows = self._selected_rows(program.logsource, store)
        if Switch.FIELD_MAPPING in self.on:
            return [(partition, mapped[partition.index], domain) for partition, domain in rows]
        return [(partition, partition, domain) for partition, domain in rows]

    def _hunted(self, program: Program, store: EventStore, mapped: Sequence[MappedFields]) -> list[int]:
        """The rows of each partition that the preconditions let through."""
        known = self._domains.setdefault(store, {})
        selected = chainsaw_mapping().precondition(program.logsource, program.rule_id)
        domains = known.get(selected)
        if domains is None:
            domains = known[selected] = [
                fields.hunted if selected is None else fields.let_through(selected) for fields in mapped
            ]
        return domains

    def _mapped_fields(self, store: EventStore) -> list[MappedFields]:
        mapped = self._mapped.get(store)
        if mapped is None:
            mapped = self._mapped[store] = [MappedFields(partition, store) for partition in store.partitions]
        return mapped
