"""What many versions of one rule match: each line and each value is looked up once per partition of the store."""

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine, evaluate, required_event_ids
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import And, FieldTest, Node, Not, Rule, Selection, Value


class Variants:
    """Conditions under the logsource of one rule, on all events of a store.

    Versions of a rule share most of their lines and values as objects, so what was found is kept by identity.

    Args:
        rule: whose logsource and category count.
        store: the events.
        engine: says which events the logsource selects.
    """

    def __init__(self, rule: Rule, store: EventStore, engine: NativeEngine) -> None:
        self._view = rule.logsource.category
        self._partitions = store.partitions
        self._selected = engine.match_rule(rule._replace(condition=And(())), store).bits
        # With the object beside its bits, so that no other can take its identity.
        self._nodes: dict[tuple[int, int], tuple[Node, int]] = {}
        self._values: dict[tuple[int, str | None, int], tuple[Value, int]] = {}

    @property
    def selected(self) -> Matches:
        """The events that the logsource by itself selects."""
        return Matches(self._selected)

    def matches(self, condition: Node) -> Matches:
        """The events on which a condition holds, as the engine would say."""
        ids = required_event_ids(condition)
        bits: dict[int, int] = {}
        for index in self._selected:
            if ids is None or self._partitions[index].event_id in ids:
                found = self._of(condition, index)
                if found:
                    bits[index] = found
        return Matches(bits)

    def _of(self, node: Node, index: int) -> int:
        key = (index, id(node))
        known = self._nodes.get(key)
        if known is None:
            known = self._nodes[key] = (node, self._evaluated(node, index))
        return known[1]

    def _evaluated(self, node: Node, index: int) -> int:
        if isinstance(node, FieldTest):
            return self._of_line(node, index)
        if isinstance(node, Selection):
            return self._of(node.child, index)
        if isinstance(node, Not):
            return self._selected[index] & ~self._of(node.child, index)
        found = self._selected[index] if isinstance(node, And) else 0
        for child in node.children:
            if isinstance(node, And):
                found &= self._of(child, index)
                if not found:
                    break
            else:
                found |= self._of(child, index)
        return found

    def _of_line(self, test: FieldTest, index: int) -> int:
        selected = self._selected[index]
        found = selected if test.all else 0
        for value in test.values:
            hits = self._of_value(test.field, value, index)
            found = found & hits if test.all else found | hits
        return selected & ~found if test.negated else found

    def _of_value(self, field: str | None, value: Value, index: int) -> int:
        key = (index, field, id(value))
        known = self._values.get(key)
        if known is None:
            test = FieldTest(field, (), (value,))
            rows = evaluate(test, self._partitions[index], self._view, self._selected[index])
            known = self._values[key] = (value, rows)
        return known[1]
