"""Events on which nobody can say what a rule means, because their schema lacks a field that decides it.

A Security 4688 of an old Windows names no parent. Whether a rule about parents fires on it is not a question of the
rule: the event was logged without the answer. Three-valued logic (Kleene's) finds these events: a test of a
lacking field is unknown, and where the condition is unknown too, the event is undecided.

Lacking is a field that the same thing has where it is logged otherwise: in another version of the event or, of a
category, in another channel's. What only other events of the log have, absence decides: a 5145 has no AttributeValue.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine, evaluate
from sigma_env.events.column import pack_bits
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.rule import And, Exists, FieldRef, FieldTest, Node, Not, Null, Rule, Selection, Value
from sigma_env.sigma.tree import fields_of


class Bounds(NamedTuple):
    """Rows on which a node surely holds, and rows on which it possibly does; the first are among the second."""

    surely: int
    possibly: int


class Schema(NamedTuple):
    """Events that are written alike: those of a partition with one Provider_Name and one Version, as a bit set."""

    partition: Partition
    provider: int
    rows: int


def schemas(partition: Partition) -> list[Schema]:
    """The partition's events by Provider_Name and Version."""
    keys = [_codes(partition, "Provider_Name"), _codes(partition, "Version")]
    found, group = np.unique(np.stack(keys), axis=1, return_inverse=True)
    group = group.reshape(-1)
    return [Schema(partition, int(found[0, g]), pack_bits(group == g)) for g in range(found.shape[1])]


def _codes(partition: Partition, field: str) -> np.typing.NDArray[np.int32]:
    column = partition.system_column(field)
    if column is None or column.is_multi:
        return np.zeros(partition.n_rows, np.int32)
    return column.codes


class UndecidedFinder:
    """Finds undecided events in one store.

    Args:
        store: the events.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._engine = NativeEngine()
        self._schemas: dict[int, list[Schema]] = {}

    def undecided(self, rule: Rule) -> Matches:
        """The events that the rule's logsource selects and on which its condition is unknown."""
        view = rule.logsource.category
        fields = frozenset(fields_of(rule.condition))
        selected = [s for s in self._selected(rule) if s.rows]
        had = [frozenset(f for f in fields if _has(schema, f, view)) for schema in selected]
        bits: dict[int, int] = {}
        for schema, fields_had in zip(selected, had, strict=True):
            elsewhere = [
                has for other, has in zip(selected, had, strict=True) if _is_the_same(schema, other, view is not None)
            ]
            if unknown := frozenset().union(*elsewhere) - fields_had:
                bounds = decide(rule.condition, schema.partition, view, unknown, schema.rows)
                if undecided := bounds.possibly & ~bounds.surely:
                    index = schema.partition.index
                    bits[index] = bits.get(index, 0) | undecided
        return Matches(bits)

    def _selected(self, rule: Rule) -> Iterator[Schema]:
        """The schemas of the logsource, each with the rows that it selects."""
        everything = rule._replace(condition=And(()))
        for index, rows in sorted(self._engine.match_rule(everything, self._store).bits.items()):
            partition = self._store.partitions[index]
            if index not in self._schemas:
                self._schemas[index] = schemas(partition)
            for schema in self._schemas[index]:
                yield schema._replace(rows=schema.rows & rows)


def _is_the_same(schema: Schema, other: Schema, is_category: bool) -> bool:
    """Whether two schemas log the same thing: versions of one event, or a category in two channels."""
    if schema.partition.channel != other.partition.channel:
        return is_category
    return schema.partition.index == other.partition.index and schema.provider == other.provider


def _has(schema: Schema, field: str, view: str | None) -> bool:
    column = schema.partition.column(field, view)
    return column is not None and bool(column.rows_present & schema.rows)


def decide(node: Node, partition: Partition, view: str | None, lacked: frozenset[str], domain: int) -> Bounds:
    """Evaluates a condition with the tests of lacking fields unknown.

    Args:
        node: the condition.
        partition: the events.
        view: the rule's category.
        lacked: fields, as the condition names them, that no row of `domain` has.
        domain: rows to decide.
    """
    if isinstance(node, FieldTest):
        return _decide_test(node, partition, view, lacked, domain)
    if isinstance(node, Selection):
        return decide(node.child, partition, view, lacked, domain)
    if isinstance(node, Not):
        inner = decide(node.child, partition, view, lacked, domain)
        return Bounds(domain & ~inner.possibly, domain & ~inner.surely)
    bounds = [decide(child, partition, view, lacked, domain) for child in node.children]
    return all_of(bounds, domain) if isinstance(node, And) else any_of(bounds)


def all_of(bounds: Iterable[Bounds], domain: int) -> Bounds:
    """Kleene's conjunction."""
    surely = possibly = domain
    for each in bounds:
        surely &= each.surely
        possibly &= each.possibly
    return Bounds(surely, possibly)


def any_of(bounds: Iterable[Bounds]) -> Bounds:
    """Kleene's disjunction."""
    surely = possibly = 0
    for each in bounds:
        surely |= each.surely
        possibly |= each.possibly
    return Bounds(surely, possibly)


def _decide_test(
    test: FieldTest, partition: Partition, view: str | None, lacked: frozenset[str], domain: int
) -> Bounds:
    needy: list[Value] = []
    known: list[Value] = []
    for value in test.values:
        (needy if any(_needs(p, test.field, lacked) for p in value.alternatives) else known).append(value)
    if not needy:
        rows = evaluate(test, partition, view, domain)
        return Bounds(rows, rows)
    plain = test._replace(negated=False)
    bounds = []
    if known:
        rows = evaluate(plain._replace(values=tuple(known)), partition, view, domain)
        bounds.append(Bounds(rows, rows))
    possibly = domain
    if test.field is not None and test.field not in lacked:  # only the field that it is compared with is lacking
        column = partition.column(test.field, view)
        possibly = domain & column.rows_filled if column is not None else 0
    for value in needy:
        # `null` is definite also where the schema has no such field, and so is the rest of a value that a part needs.
        rest = tuple(p for p in value.alternatives if not _needs(p, test.field, lacked))
        rows = evaluate(plain._replace(values=(Value(None, rest),)), partition, view, domain) if rest else 0
        bounds.append(Bounds(rows, rows | possibly))
    found = all_of(bounds, domain) if test.all else any_of(bounds)
    return Bounds(domain & ~found.possibly, domain & ~found.surely) if test.negated else found


def _needs(pattern: object, field: str | None, lacked: frozenset[str]) -> bool:
    """Whether a pattern can only be judged with a lacking field."""
    if isinstance(pattern, FieldRef) and pattern.field in lacked:
        return True
    return field in lacked and not isinstance(pattern, Null | Exists)
