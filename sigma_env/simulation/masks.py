"""The truth of conditions over a list of events, as bit sets: for many variants of one rule on few events.

A rule's drafts are some hundred events, its sloppy versions some hundred trees that share most of their lines and
values. So each (field, written value) is looked up once among the field's distinct texts, and each tree once.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from sigma_env.engines.evaluator import Event, value_holds
from sigma_env.sigma.rule import (
    And,
    AnyText,
    Exists,
    FieldRef,
    FieldTest,
    Node,
    Not,
    Null,
    Pattern,
    Selection,
    Text,
    TextOp,
    Value,
)

_SEPARATOR = "\x00"  # no value of an event can hold it: EVTX ends a text there


class Masks:
    """Conditions on a fixed list of events; bit i of a result stands for `events[i]`.

    Args:
        events: what rules see of the events.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.everything = (1 << len(events)) - 1
        self._columns: dict[str | None, _Column] = {}
        # By identity, and with the object beside its bits, so that no other can take its id.
        self._nodes: dict[int, tuple[Node, int]] = {}
        self._values: dict[tuple[str | None, int], tuple[Value, int]] = {}

    def of(self, node: Node) -> int:
        """The events on which a condition holds."""
        known = self._nodes.get(id(node))
        if known is None:
            known = self._nodes[id(node)] = (node, self._of(node))
        return known[1]

    def _of(self, node: Node) -> int:
        if isinstance(node, FieldTest):
            return self._of_line(node)
        if isinstance(node, Selection):
            return self.of(node.child)
        if isinstance(node, Not):
            return self.everything & ~self.of(node.child)
        if isinstance(node, And):
            found = self.everything
            for child in node.children:
                found &= self.of(child)
            return found
        found = 0
        for child in node.children:
            found |= self.of(child)
        return found

    def _of_line(self, test: FieldTest) -> int:
        found = self.everything if test.all else 0
        for value in test.values:
            hits = self._of_value(test.field, value)
            found = found & hits if test.all else found | hits
        return self.everything & ~found if test.negated else found

    def _of_value(self, field: str | None, value: Value) -> int:
        key = (field, id(value))
        known = self._values.get(key)
        if known is None:
            column = self._column(field)
            found = 0
            for pattern in value.alternatives:
                found |= self._of_pattern(field, column, pattern)
            known = self._values[key] = (value, found & self.everything)
        return known[1]

    def _of_pattern(self, field: str | None, column: "_Column", pattern: Pattern) -> int:
        if isinstance(pattern, Null | Exists):
            if field is None:  # keywords have no field that could be absent
                return 0
            if isinstance(pattern, Null):
                return ~column.filled
            return column.present if pattern.present else ~column.present
        if isinstance(pattern, FieldRef):
            return self._of_reference(field, pattern)
        return column.rows(pattern)

    def _of_reference(self, field: str | None, pattern: FieldRef) -> int:
        holds = _COMPARISONS[pattern.op]
        found = 0
        for row, event in enumerate(self._events):
            texts = event.every_value() if field is None else event.values(field)
            others = [other.lower() for other in event.values(pattern.field) if other is not None]
            if others and any(holds(text.lower(), other) for text in texts if text is not None for other in others):
                found |= 1 << row
        return found

    def _column(self, field: str | None) -> "_Column":
        column = self._columns.get(field)
        if column is None:
            rows = (event.every_value() if field is None else event.values(field) for event in self._events)
            column = self._columns[field] = _Column(rows)
        return column


def rows_in(mask: int) -> Iterator[int]:
    """The events of a bit set, in order."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def iou(found: int, true: int) -> float:
    """Intersection over union of two bit sets; 0 where nothing is in both."""
    both = (found & true).bit_count()
    return both / (found | true).bit_count() if both else 0.0


class _Column:
    """The distinct texts of a field, each with the events that have it.

    Attributes:
        present: events that have the field.
        filled: events in which some value of it is not null.
    """

    def __init__(self, rows: Iterable[Iterable[str | None]]) -> None:
        self.present = self.filled = 0
        self._by_text: dict[str, int] = {}
        bit = 1
        for texts in rows:
            for text in texts:
                self.present |= bit
                if text is not None:
                    self.filled |= bit
                    self._by_text[text] = self._by_text.get(text, 0) | bit
            bit <<= 1
        self._searchable: dict[bool, _Searchable] = {}

    def rows(self, pattern: Pattern) -> int:
        """Events of which some value is accepted by a pattern that is about one value."""
        if isinstance(pattern, AnyText):
            return self.filled
        if isinstance(pattern, Text) and _SEPARATOR not in pattern.text:
            return self._in(pattern.cased).rows(pattern)
        found = 0
        for text, mask in self._by_text.items():
            if value_holds(pattern, text):
                found |= mask
        return found

    def _in(self, cased: bool) -> "_Searchable":
        found = self._searchable.get(cased)
        if found is None:
            found = self._searchable[cased] = _Searchable(self._by_text, cased)
        return found


class _Searchable:
    """Texts joined into one, so that a literal that is nowhere costs one search."""

    def __init__(self, by_text: dict[str, int], cased: bool) -> None:
        masks: dict[str, int] = {}
        for text, mask in by_text.items():
            key = text if cased else text.lower()
            masks[key] = masks.get(key, 0) | mask
        self._masks = list(masks.values())
        self._whole = masks
        self._joined = _SEPARATOR + "".join([text + _SEPARATOR for text in masks])
        self._ends = list(accumulate((len(text) + 1 for text in masks), initial=0))

    def rows(self, pattern: Text) -> int:
        if pattern.op == "equals":
            return self._whole.get(pattern.text, 0)
        if not pattern.text:
            return self._any()
        before = _SEPARATOR if pattern.op == "startswith" else ""
        needle = before + pattern.text + (_SEPARATOR if pattern.op == "endswith" else "")
        found, shift, joined = 0, len(before), self._joined
        at = joined.find(needle)
        while at >= 0:
            index = bisect_right(self._ends, at + shift - 1)
            found |= self._masks[index - 1]
            at = joined.find(needle, self._ends[index])
        return found

    def _any(self) -> int:
        found = 0
        for mask in self._masks:
            found |= mask
        return found


_COMPARISONS: dict[TextOp, Callable[[str, str], bool]] = {
    "equals": lambda text, other: text == other,
    "startswith": lambda text, other: text.startswith(other),
    "endswith": lambda text, other: text.endswith(other),
    "contains": lambda text, other: other in text,
}
