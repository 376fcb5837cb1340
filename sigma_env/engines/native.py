"""The native engine: a rule's tree over the columns of a store, one bit set of rows per node.

Every node is evaluated within a domain, the rows that are still undecided, so a conjunction gets
cheaper with each line that fails and a disjunction with each that holds. A line looks its patterns
up among the distinct values of its column; once few rows are left, among those rows' values only.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sigma_env.engines.base import Matches, Unsupported, bit_positions
from sigma_env.engines.patterns import codes_of
from sigma_env.engines.plan import AllOf, Alternatives, Leaf, NoneOf, Plan, plan_of
from sigma_env.events.column import Column
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.rule import (
    And,
    AnyText,
    Exists,
    FieldRef,
    FieldTest,
    LogSource,
    Node,
    Null,
    Or,
    Rule,
    Selection,
    Text,
    TextOp,
    Value,
)
from sigma_env.sigma.taxonomy import Target, select

_FEW_ROWS = 12
"""From here down a conjunction looks at the values of the rows left instead of searching whole columns."""
_LOGSOURCES_KEPT = 512


class _Scope(NamedTuple):
    """A partition that a logsource selects, and the provider it asks for there."""

    partition: Partition
    provider: FieldTest | None


class NativeEngine:
    """Matches in process, with the meaning of the Sigma specification."""

    name = "native"
    semantics = "sigma"
    version = "1"

    def __init__(self) -> None:
        self._scopes: WeakKeyDictionary[EventStore, dict[LogSource, list[_Scope]]] = WeakKeyDictionary()

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        """One result per rule, in order; the native engine runs every valid rule."""
        return [self.match_rule(rule, store) for rule in rules]

    def match_rule(self, rule: Rule, store: EventStore) -> Matches:
        """The events of the store that one rule matches."""
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

    def _selected(self, logsource: LogSource, store: EventStore) -> list[_Scope]:
        kept = self._scopes.setdefault(store, {})
        scopes = kept.get(logsource)
        if scopes is None:
            if len(kept) >= _LOGSOURCES_KEPT:
                kept.clear()
            scopes = kept[logsource] = _scopes(select(logsource).targets, store)
        return scopes


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
        found = _leaf(plan, partition, view, domain)
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


def _leaf(leaf: Leaf, partition: Partition, view: str | None, domain: int) -> int:
    """Rows of the domain on which every group of alternatives holds."""
    column = None
    if leaf.field is not None:
        column = partition.column(leaf.field, view)
        if column is None:
            return domain if all(map(_holds_when_absent, leaf.groups)) else 0
    for group in leaf.groups:
        if column is None:
            domain = _in_any_column(group, partition, view, domain)
        else:
            domain = _in_column(group, column, partition, view, domain)
        if not domain:
            return 0
    return domain


def _holds_when_absent(group: Alternatives) -> bool:
    return any(isinstance(p, Null) or (isinstance(p, Exists) and not p.present) for p in group.others)


def _in_column(group: Alternatives, column: Column, partition: Partition, view: str | None, domain: int) -> int:
    """Rows of the domain on which any of the alternatives holds."""
    among = _few_candidates(column, domain)
    codes = column.find_any(group.needles, among) if group.needles else []
    if group.cased:
        codes += column.find_any_cased(group.cased, among)
    rows = 0
    for pattern in group.others:
        if isinstance(pattern, Null):
            rows |= ~column.rows_filled
        elif isinstance(pattern, Exists):
            rows |= column.rows_present if pattern.present else ~column.rows_present
        elif isinstance(pattern, AnyText):
            rows |= column.rows_filled
        elif isinstance(pattern, FieldRef):
            rows |= _field_ref(pattern, column, partition, view, domain)
        else:
            codes += codes_of(pattern, column, among)
    if codes:
        rows |= column.rows_with(codes)
    return domain & rows


def _few_candidates(column: Column, domain: int) -> set[int] | None:
    """The values of the rows that are left, if they are so few that looking at each is less work."""
    if column.n_values <= _FEW_ROWS or domain.bit_count() > _FEW_ROWS:
        return None
    rows = []
    while domain:
        low = domain & -domain
        rows.append(low.bit_length() - 1)
        domain ^= low
    return column.codes_in(rows)


def _in_any_column(group: Alternatives, partition: Partition, view: str | None, domain: int) -> int:
    """Rows of the domain on which any of the keywords is in some value of the event."""
    found = 0
    for column in partition.keyword_columns():
        hits = _in_column(group, column, partition, view, domain)
        if hits:
            found |= hits
            domain &= ~hits
            if not domain:
                break
    return found


def _field_ref(pattern: FieldRef, column: Column, partition: Partition, view: str | None, domain: int) -> int:
    other = partition.column(pattern.field, view)
    if other is None:
        return 0
    holds = _FIELD_REF_TESTS[pattern.op]
    known: dict[tuple[frozenset[int], frozenset[int]], bool] = {}  # rows repeat the pairs of few values
    found = 0
    for row in bit_positions(domain & column.rows_filled & other.rows_filled).tolist():
        key = frozenset(column.codes_in((row,))), frozenset(other.codes_in((row,)))
        if key not in known:
            theirs = [other.lower_value(c) for c in key[1]]
            known[key] = any(holds(column.lower_value(c), text) for c in key[0] for text in theirs)
        if known[key]:
            found |= 1 << row
    return found


_FIELD_REF_TESTS: dict[TextOp, Callable[[str, str], bool]] = {
    "equals": lambda text, other: text == other,
    "startswith": lambda text, other: text.startswith(other),
    "endswith": lambda text, other: text.endswith(other),
    "contains": lambda text, other: other in text,
}
