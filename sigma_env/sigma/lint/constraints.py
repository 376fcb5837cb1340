"""What a part of a rule demands of an event's fields, and whether two demands contradict each other.

Only what is sure is said: a demand that is not understood contradicts nothing.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sigma_env.sigma.rule import (
    And,
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
)

# Fields of which one event has several values: two demands may hold on different ones.
_SEVERAL_VALUES: Final = frozenset({"Data"})
_MOST_PAIRS: Final = 20_000


class Demand(NamedTuple):
    """Some value of a field satisfies any of the patterns."""

    field: str
    patterns: tuple[Pattern, ...]


class _Shape(NamedTuple):
    """What is sure about the texts that a pattern accepts, lower-cased; `whole` is the only one, if there is one."""

    starts: str = ""
    ends: str = ""
    holds: str = ""
    whole: str | None = None


def demands(node: Node) -> tuple[Demand, ...]:
    """What holds of every event on which the node does."""
    if isinstance(node, FieldTest):
        if node.field is None or node.negated or node.field in _SEVERAL_VALUES:
            return ()
        if node.all:
            return tuple(Demand(node.field, value.alternatives) for value in node.values)
        return (Demand(node.field, tuple(p for value in node.values for p in value.alternatives)),)
    if isinstance(node, Selection):
        return demands(node.child)
    if isinstance(node, And):
        return tuple(demand for child in node.children for demand in demands(child))
    if isinstance(node, Or):
        return _common([demands(child) for child in node.children])
    return ()


def _common(parts: list[tuple[Demand, ...]]) -> tuple[Demand, ...]:
    shortest: list[dict[str, Demand]] = []
    for part in parts:
        by_field: dict[str, Demand] = {}
        for demand in part:
            known = by_field.get(demand.field)
            if known is None or len(demand.patterns) < len(known.patterns):
                by_field[demand.field] = demand
        shortest.append(by_field)
    fields = [field for field in shortest[0] if all(field in other for other in shortest)]
    return tuple(Demand(field, tuple(p for other in shortest for p in other[field].patterns)) for field in fields)


def exact_texts(of: Iterable[Demand], field: str) -> frozenset[str] | None:
    """The lower-cased texts that a field must be one of; None if it may be another."""
    found: frozenset[str] | None = None
    for demand in of:
        if demand.field == field and all(isinstance(p, Text) and p.op == "equals" for p in demand.patterns):
            texts = frozenset(p.text.lower() for p in demand.patterns if isinstance(p, Text))
            found = texts if found is None else found & texts
    return found


def contradiction(node: Node, required: Iterable[Demand]) -> tuple[FieldTest, Demand] | None:
    """A test of the node, and the demand because of which the whole node can't hold; None if it may."""
    known = list(required)
    if isinstance(node, FieldTest):
        for own in demands(node):
            for other in known:
                if other.field == own.field and _exclude(own.patterns, other.patterns):
                    return node, other
        return None
    if isinstance(node, Selection):
        return contradiction(node.child, known)
    if isinstance(node, And):
        return next((found for child in node.children if (found := contradiction(child, known))), None)
    if isinstance(node, Or):
        every = [contradiction(child, known) for child in node.children]
        return every[0] if all(every) else None
    assert isinstance(node, Not)
    return None


def _exclude(some: tuple[Pattern, ...], others: tuple[Pattern, ...]) -> bool:
    if len(some) * len(others) > _MOST_PAIRS:
        return False
    return all(_excludes(one, other) for one in some for other in others)


def _excludes(one: Pattern, other: Pattern) -> bool:
    if _is_absent(one) or _is_absent(other):
        return needs_value(one) or needs_value(other)
    a, b = _shape(one), _shape(other)
    if a is None or b is None:
        return False
    if a.whole is not None and not _accepts(b, a.whole):
        return True
    if b.whole is not None and not _accepts(a, b.whole):
        return True
    starts = not (a.starts.startswith(b.starts) or b.starts.startswith(a.starts))
    return starts or not (a.ends.endswith(b.ends) or b.ends.endswith(a.ends))


def _is_absent(pattern: Pattern) -> bool:
    return isinstance(pattern, Null) or (isinstance(pattern, Exists) and not pattern.present)


def needs_value(pattern: Pattern) -> bool:
    """Whether the pattern only holds on a field that is there."""
    return not isinstance(pattern, Null | Exists) or (isinstance(pattern, Exists) and pattern.present)


def _accepts(shape: _Shape, text: str) -> bool:
    if shape.whole is not None and text != shape.whole:
        return False
    return text.startswith(shape.starts) and text.endswith(shape.ends) and shape.holds in text


def _shape(pattern: Pattern) -> _Shape | None:
    if isinstance(pattern, Text):
        text = pattern.text.lower()
        if pattern.op == "equals":
            return _Shape(text, text, text, text)
        if pattern.op == "startswith":
            return _Shape(starts=text)
        return _Shape(ends=text) if pattern.op == "endswith" else _Shape(holds=text)
    if isinstance(pattern, Glob):
        first, last = pattern.parts[0], pattern.parts[-1]
        return _Shape(
            first.lower() if isinstance(first, str) else "",
            last.lower() if isinstance(last, str) else "",
            max((part.lower() for part in pattern.parts if isinstance(part, str)), key=len, default=""),
        )
    assert not isinstance(pattern, Null)
    if isinstance(pattern, Regex | Cidr | Compare | FieldRef | Exists):
        return None
    return _Shape()  # AnyText
