"""The native engine: a rule's tree over the columns of a store, one bit set of rows per node.

Every node is evaluated within a domain, the rows that are still undecided, so a conjunction gets
cheaper with each line that fails and a disjunction with each that holds. A line looks its patterns
up among the distinct values of its column; once few rows are left, among those rows' values only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.leaves import leaf_rows
from sigma_env.engines.plan import AllOf, Leaf, NoneOf, Plan, plan_of
from sigma_env.errors import EngineError
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.rule import (
    And,
    FieldTest,
    LogSource,
    Node,
    Or,
    Rule,
    Selection,
    Text,
    Value,
)
from sigma_env.sigma.switches import BY_NAME, Switch, name_of
from sigma_env.sigma.taxonomy import Target, select

if TYPE_CHECKING:
    from sigma_env.engines.switched_match import SwitchedMatcher

_LOGSOURCES_KEPT = 512


class _Scope(NamedTuple):
    """A partition that a logsource selects, and the provider it asks for there."""

    partition: Partition
    provider: FieldTest | None


class NativeEngine:
    """Matches in process, with the meaning that it is given.

    Args:
        semantics: "sigma", the specification's meaning; "chainsaw"; or any set of the switches between the two.
    """

    name = "native"

    def __init__(self, semantics: str | frozenset[Switch] = "sigma") -> None:
        self.switches = BY_NAME[semantics] if isinstance(semantics, str) else semantics
        self.version = "2" if self.switches else "1"
        self.semantics = name_of(self.switches)
        self._scopes: WeakKeyDictionary[EventStore, dict[LogSource, list[_Scope]]] = WeakKeyDictionary()
        self._switched = _switched(self) if self.switches else None

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        """One result per rule, in order; with the specification's meaning every valid rule is run."""
        if self._switched is not None:
            return [self._switched.match_rule(rule, store) for rule in rules]
        return [self.match_rule(rule, store) for rule in rules]

    def match_rule(self, rule: Rule, store: EventStore) -> Matches:
        """The events of the store that one rule matches.

        Raises:
            EngineError: the engine's meaning does not run this rule; `match` says why.
        """
        if self._switched is not None:
            result = self._switched.match_rule(rule, store)
            if isinstance(result, Unsupported):
                raise EngineError(f"a rule of {rule.logsource} is not run under {self.semantics}: {result.reason}")
            return result
        bits: dict[int, int] = {}
        plan: Plan | None = None
        view = rule.logsource.category
        ids = required_event_ids(rule.condition)
        for partition, provider in self._selected(rule.logsource, store):
            if ids is not None and partition.event_id not in ids:
                continue
            domain = (1 << partition.n_rows) - 1
            if provider is not None:
                domain = evaluate(provider, partition, view, domain)
            if plan is None:
                plan = plan_of(rule.condition)
            found = domain and _run(plan, partition, view, domain)
            if found:
                bits[partition.index] = found
        return Matches(bits)

    def _selected_rows(self, logsource: LogSource, store: EventStore) -> list[tuple[Partition, int]]:
        """The partitions that the taxonomy selects, and the bit sets of the rows there."""
        selected = []
        for partition, provider in self._selected(logsource, store):
            domain = (1 << partition.n_rows) - 1
            if provider is not None:
                domain = evaluate(provider, partition, logsource.category, domain)
            selected.append((partition, domain))
        return selected

    def _selected(self, logsource: LogSource, store: EventStore) -> list[_Scope]:
        kept = self._scopes.setdefault(store, {})
        scopes = kept.get(logsource)
        if scopes is None:
            if len(kept) >= _LOGSOURCES_KEPT:
                kept.clear()
            scopes = kept[logsource] = _scopes(select(logsource).targets, store)
        return scopes


def _switched(engine: NativeEngine) -> "SwitchedMatcher":
    from sigma_env.engines.switched_match import SwitchedMatcher

    return SwitchedMatcher(engine.switches, engine._selected_rows)


def selects(logsource: LogSource, store: EventStore, row: int) -> bool:
    """Whether a logsource by itself selects the event in a global row."""
    partition = store.partition_of(row)
    bit = 1 << (row - partition.base)
    return any(
        provider is None or evaluate(provider, partition, logsource.category, bit)
        for scope, provider in _scopes(select(logsource).targets, store)
        if scope is partition
    )


def _scopes(targets: Sequence[Target], store: EventStore) -> list[_Scope]:
    found: dict[tuple[int, str | None], _Scope] = {}
    for target in targets:
        selected = store.partitions if target.channel is None else store.by_channel(target.channel)
        for partition in selected:
            if target.event_ids is None or partition.event_id in target.event_ids:
                found[partition.index, target.provider] = _Scope(partition, _provider_test(target.provider))
    return [scope for _, scope in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or ""))]


def _provider_test(provider: str | None) -> FieldTest | None:
    if provider is None:
        return None
    return FieldTest("Provider_Name", (), (Value(provider, (Text("equals", provider.lower()),)),))


def required_event_ids(node: Node) -> frozenset[int] | None:
    """EventIDs outside which the condition is surely false; None if it says nothing about them."""
    if isinstance(node, Selection):
        return required_event_ids(node.child)
    if isinstance(node, FieldTest):
        return _event_ids(node) if node.field == "EventID" else None
    if isinstance(node, And):
        ids: frozenset[int] | None = None
        for child in node.children:
            more = required_event_ids(child)
            if more is not None:
                ids = more if ids is None else ids & more
        return ids
    if isinstance(node, Or):
        union: frozenset[int] = frozenset()
        for child in node.children:
            more = required_event_ids(child)
            if more is None:
                return None
            union |= more
        return union
    return None


def _event_ids(test: FieldTest) -> frozenset[int] | None:
    if test.negated or (test.all and len(test.values) > 1):
        return None
    ids = set()
    for value in test.values:
        for pattern in value.alternatives:
            if not isinstance(pattern, Text) or pattern.op != "equals" or len(pattern.text) > 9:
                return None
            if pattern.text.isascii() and pattern.text.isdigit():
                ids.add(int(pattern.text))
    return frozenset(ids)


def evaluate(node: Node, partition: Partition, view: str | None, domain: int) -> int:
    """Bit set of the rows of `domain` on which the node holds.

    Args:
        node: a condition.
        partition: the events.
        view: the rule's category, which decides what some field names mean.
        domain: the rows to decide; the result is a subset.
    """
    return _run(plan_of(node), partition, view, domain)


def _run(plan: Plan, partition: Partition, view: str | None, domain: int) -> int:
    if isinstance(plan, Leaf):
        found = leaf_rows(plan, partition, view, domain)
        return domain & ~found if plan.negated else found
    if isinstance(plan, AllOf):
        for child in plan.children:
            domain = _run(child, partition, view, domain)
            if not domain:
                return 0
        return domain
    if isinstance(plan, NoneOf):
        return domain & ~_run(plan.child, partition, view, domain)
    found = 0
    for child in plan.children:
        hits = _run(child, partition, view, domain)
        if hits:
            found |= hits
            domain &= ~hits
            if not domain:
                break
    return found
