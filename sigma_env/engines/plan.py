"""A condition prepared for the columns: selections dissolved, and each line's literals ready as bytes to search for.

Most patterns of most rules are plain literals that occur nowhere in the partition at hand, so what counts is how
little work is done per literal that is not found.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from sigma_env.errors import EngineError
from sigma_env.events.column import SEP
from sigma_env.sigma.rule import And, AnyText, Exists, FieldTest, Node, Not, Null, Or, Pattern, Selection, Text, Value


class Alternatives(NamedTuple):
    """Patterns of which one has to hold.

    Attributes:
        needles: bytes to find in the lower-cased values, anchored with separators.
        cased: the same for the values in their own case.
        others: patterns that are no plain literals.
    """

    needles: tuple[bytes, ...]
    cased: tuple[bytes, ...]
    others: tuple[Pattern, ...]


class Leaf(NamedTuple):
    """A line: every one of `groups` has to hold, or not, if `negated`. `test` is the line as the rule has it."""

    field: str | None
    groups: tuple[Alternatives, ...]
    negated: bool
    test: FieldTest


class AllOf(NamedTuple):
    """A conjunction."""

    children: "tuple[Plan, ...]"


class AnyOf(NamedTuple):
    """A disjunction."""

    children: "tuple[Plan, ...]"


class NoneOf(NamedTuple):
    """A negation."""

    child: "Plan"


Plan: TypeAlias = Leaf | AllOf | AnyOf | NoneOf


def plan_of(node: Node) -> Plan:
    """Prepares a condition."""
    if isinstance(node, FieldTest):
        return _leaf(node)
    if isinstance(node, Selection):
        return plan_of(node.child)
    if isinstance(node, And | Or):
        children = tuple([plan_of(child) for child in node.children])
        if len(children) == 1:
            return children[0]
        return AllOf(children) if isinstance(node, And) else AnyOf(children)
    if isinstance(node, Not):
        return NoneOf(plan_of(node.child))
    raise EngineError(f"the native engine has no node for {node!r}")


def _leaf(test: FieldTest) -> Leaf:
    if test.field is None:
        test = test._replace(values=tuple([_of_values(value) for value in test.values]))
    if test.all and len(test.values) > 1:
        groups = tuple([_alternatives((value,)) for value in test.values])
    else:
        groups = (_alternatives(test.values),)
    return Leaf(test.field, groups, test.negated, test)


def _of_values(value: Value) -> Value:
    """A keyword without null and exists: they are about a field, and a keyword has none to be absent from."""
    kept = tuple([p for p in value.alternatives if not isinstance(p, Null | Exists)])
    return value if len(kept) == len(value.alternatives) else value._replace(alternatives=kept)


def _alternatives(values: Iterable[Value]) -> Alternatives:
    needles: list[bytes] = []
    cased: list[bytes] = []
    others: list[Pattern] = []
    for value in values:
        for pattern in value.alternatives:
            if isinstance(pattern, Text) and not pattern.text and pattern.op != "equals":
                others.append(AnyText())  # what is found everywhere is not searched for
            elif isinstance(pattern, Text):
                (cased if pattern.cased else needles).append(needle_of(pattern))
            else:
                others.append(pattern)
    return Alternatives(tuple(needles), tuple(cased), tuple(others))


def needle_of(pattern: Text) -> bytes:
    """The bytes to look for in a column's text, anchored as the pattern is."""
    op = pattern.op
    text = pattern.text.encode()
    if op == "contains":
        return text
    if op == "endswith":
        return text + SEP
    if op == "startswith":
        return SEP + text
    return SEP + text + SEP
