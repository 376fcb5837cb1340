"""A rule on one event, line by line: slow, plain, and with a record of what decided.

It shares the rule tree with the native engine and nothing of its way of matching, so it serves as
its judge in property tests, labels simulated events a second time, and explains scores to people.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from sigma_env.engines.patterns import compare, parse_number
from sigma_env.errors import EngineError
from sigma_env.events.column import render
from sigma_env.events.store import EventStore, Partition
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import (
    And,
    AnyText,
    Cidr,
    Compare,
    Exists,
    FieldRef,
    FieldTest,
    Glob,
    Node,
    Not,
    Null,
    Or,
    Pattern,
    Regex,
    Selection,
    Text,
    TextOp,
    Value,
    Wildcard,
)

_FIELDREF = "fieldref"


class Event(Protocol):
    """One event as a rule sees it."""

    def values(self, field: str) -> Sequence[str | None]:
        """The field's values as text, None for null; empty if the field is absent."""
        ...

    def every_value(self) -> Iterable[str]:
        """Each value of the event, for keywords."""
        ...


class StoredEvent:
    """A row of a store's partition as an Event."""

    def __init__(self, partition: Partition, row: int, view: str | None) -> None:
        self._partition, self._row, self._view = partition, row, view

    @classmethod
    def at(cls, store: EventStore, row: int, view: str | None) -> "StoredEvent":
        """The event of a global row number, under a rule's category."""
        partition = store.partition_of(row)
        return cls(partition, row - partition.base, view)

    def values(self, field: str) -> Sequence[str | None]:
        """See Event."""
        column = self._partition.column(field, self._view)
        return [] if column is None else column.cells(self._row)

    def every_value(self) -> Iterator[str]:
        """See Event."""
        for column in self._partition.keyword_columns():
            yield from (c for c in column.cells(self._row) if c is not None)


class DictEvent:
    """A mapping from field names to values (lists for several) as an Event."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {k: v if isinstance(v, list) else [v] for k, v in fields.items()}

    def values(self, field: str) -> Sequence[str | None]:
        """See Event."""
        return [None if v is None else render(v)[0] for v in self._fields.get(field, ())]

    def every_value(self) -> Iterator[str]:
        """See Event."""
        for field in self._fields:
            yield from (v for v in self.values(field) if v is not None)


class Trace(NamedTuple):
    """What a node came to on one event.

    Attributes:
        node: the node.
        holds: its truth.
        children: of And, Or, Not and Selection, all of them, in order.
        seen: of a FieldTest, the event's values of the field; () if absent or for keywords.
        held: of a FieldTest, (written value, event's value) of each written value that holds; None for
            what is not about a value (null, exists).
    """

    node: Node
    holds: bool
    children: "tuple[Trace, ...]" = ()
    seen: tuple[str | None, ...] = ()
    held: tuple[tuple[Value, str | None], ...] = ()


Memo: TypeAlias = dict[tuple[int, tuple[str | None, ...]], Trace]
"""Lines evaluated before, by identity and the values seen: for many events of one rule, which must live on."""

_MEMO_SIZE = 10_000


def trace(node: Node, event: Event, memo: Memo | None = None) -> Trace:
    """Evaluates a condition on an event, every line of it."""
    if isinstance(node, FieldTest):
        return _trace_field(node, event, memo)
    if isinstance(node, Selection | Not):
        child = trace(node.child, event, memo)
        return Trace(node, child.holds if isinstance(node, Selection) else not child.holds, (child,))
    children = tuple([trace(child, event, memo) for child in node.children])
    held = [child.holds for child in children]
    return Trace(node, all(held) if isinstance(node, And) else any(held), children)


def _trace_field(test: FieldTest, event: Event, memo: Memo | None) -> Trace:
    seen = tuple(event.every_value()) if test.field is None else tuple(event.values(test.field))
    if memo is None or _FIELDREF in test.modifiers:  # what a reference comes to depends on another field
        return _evaluated(test, seen, event)
    key = (id(test), seen)
    found = memo.get(key)
    if found is None:
        if len(memo) >= _MEMO_SIZE:
            memo.clear()
        found = memo[key] = _evaluated(test, seen, event)
    return found


def _evaluated(test: FieldTest, seen: tuple[str | None, ...], event: Event) -> Trace:
    lowered = [text if text is None else text.lower() for text in seen]
    held = []
    for value in test.values:
        holds, text = _value_on(value, seen, lowered, test.field is None, event)
        if holds:
            held.append((value, text))
    holds = len(held) == len(test.values) if test.all else bool(held)
    return Trace(test, holds != test.negated, (), () if test.field is None else seen, tuple(held))


def _value_on(
    value: Value, seen: Sequence[str | None], lowered: Sequence[str | None], keyword: bool, event: Event
) -> tuple[bool, str | None]:
    """Whether a written value holds on a field's values, and on which of them."""
    for pattern in value.alternatives:
        if isinstance(pattern, Null):
            if all(text is None for text in seen) and not keyword:
                return True, None
        elif isinstance(pattern, Exists):
            if pattern.present == bool(seen) and not keyword:
                return True, None
        else:
            for text, lower in zip(seen, lowered, strict=True):
                if text is not None and lower is not None and _accepts(pattern, text, lower, event):
                    return True, text
    return False, None


def _accepts(pattern: Pattern, text: str, lower: str, event: Event) -> bool:
    if isinstance(pattern, Text):
        return _text_holds(pattern.op, text if pattern.cased else lower, pattern.text)
    return _refers(pattern, lower, event) if isinstance(pattern, FieldRef) else value_holds(pattern, text)


def _refers(pattern: FieldRef, lower: str, event: Event) -> bool:
    others = [other for other in event.values(pattern.field) if other is not None]
    return any(_text_holds(pattern.op, lower, other.lower()) for other in others)


def value_holds(pattern: Pattern, text: str) -> bool:
    """Whether a pattern that is about one value (not Null, Exists, FieldRef) accepts this one."""
    match pattern:
        case Text(op, literal, cased):
            return _text_holds(op, text if cased else text.lower(), literal)
        case AnyText():
            return True
        case Glob(parts, cased):
            return glob_holds(parts, text if cased else text.lower())
        case Regex(expression, flags):
            return compile_regex(expression, flags).search(text) is not None
        case Compare(op, number):
            read = parse_number(text.lower())
            return read is not None and compare(op, read, number)
        case Cidr(network):
            return _in_network(text, network)
    raise EngineError(f"{pattern!r} is not about one value")


def _text_holds(op: TextOp, text: str, literal: str) -> bool:
    if op == "equals":
        return text == literal
    if op == "startswith":
        return text.startswith(literal)
    return text.endswith(literal) if op == "endswith" else literal in text


def glob_holds(parts: Sequence[str | Wildcard], text: str) -> bool:
    """Whether the whole text fits a wildcard pattern: the set of places that each part can end at."""
    places, floating = {0}, False  # floating: or anywhere behind the first of them
    for part in parts:
        if part is Wildcard.MANY:
            floating = True
            continue
        if part is Wildcard.ONE:
            begins = range(min(places), len(text)) if floating else places
            places = {p + 1 for p in begins if p < len(text)}
        elif floating:
            places = {p + len(str(part)) for p in _occurrences(str(part), text, min(places))}
        else:
            places = {p + len(str(part)) for p in places if text.startswith(str(part), p)}
        floating = False
        if not places:
            return False
    return floating or len(text) in places


def _occurrences(part: str, text: str, begin: int) -> Iterator[int]:
    at = text.find(part, begin)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _in_network(text: str, network: str) -> bool:
    try:
        address = ipaddress.ip_address(text.strip().split("%")[0])
    except ValueError:
        return False
    block = ipaddress.ip_network(network, strict=False)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        mapped_block = block.version == 6 and block.subnet_of(ipaddress.ip_network("::ffff:0:0/96"))  # type: ignore[arg-type]
        return (address if mapped_block else address.ipv4_mapped) in block
    if isinstance(address, ipaddress.IPv4Address) and block.version == 6:
        return ipaddress.ip_address(f"::ffff:{address}") in block and block.prefixlen >= 96
    return address in block


class Hit(NamedTuple):
    """A line that made an event match: the selection it is in, its field, what it says and what the event held."""

    selection: str
    field: str | None
    pattern: object
    value: str | None


def hits(node: Node, event: Event, memo: Memo) -> list[Hit]:
    """The lines by which an event that matches the node did so; nothing from below a `not`."""
    found: list[Hit] = []
    _collect(node, event, memo, "", found)
    return found


def _collect(node: Node, event: Event, memo: Memo, selection: str, found: list[Hit]) -> None:
    if isinstance(node, And):
        for child in node.children:
            _collect(child, event, memo, selection, found)
    elif isinstance(node, Selection):
        _collect(node.child, event, memo, node.name, found)
    elif isinstance(node, Or):
        for child in node.children:
            if trace(child, event, memo).holds:
                _collect(child, event, memo, selection, found)
    elif isinstance(node, FieldTest):
        held = _trace_field(node, event, memo).held
        found += [Hit(selection, node.field, value.written, text) for value, text in held]
