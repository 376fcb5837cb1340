"""The parts of a rule that exclude events: conditions that must hold, and filters."""

from collections.abc import Iterator
from typing import NamedTuple

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection
from sigma_env.simulation.draft import Role
from sigma_env.simulation.sloppy.tree import Place, places, title, without


class Part(NamedTuple):
    """One part of a condition by which it excludes events.

    Attributes:
        role: of the events that only this part excludes.
        title: in the rule's words.
        node: the condition or what the filter excludes.
        truth: what the node comes to on events that the part excludes.
        rest: the condition without the part; None if nothing else is in it.
        host: the conjunction that it belongs to: on which events it has a say.
    """

    role: Role
    title: str
    node: Node
    truth: bool
    rest: Node | None
    host: Node | None


def parts_of(condition: Node) -> list[Part]:
    """Every part of a condition that excludes events, in the rule's order.

    Of a conjunction within a conjunction its own parts are named, not the whole; of a line with `all` each value; of
    `not 1 of filter_*` each filter. A disjunction, or a single line, is one condition as a whole. A filter that is one
    of several ways to match (`not filter or flags`) excludes what no other way lets through: without it, all is let
    through.
    """
    found = [part for place in places(condition) if not place.negated for part in _parts_at(place)]
    if not found or isinstance(_core(condition), Or):
        found.append(Part("near_miss", title(condition), condition, False, None, None))
    return found


def _parts_at(place: Place) -> Iterator[Part]:
    node = place.node
    if isinstance(node, FieldTest) and _is_every_value(node):
        for position, value in enumerate(node.values):
            alone = node._replace(values=(value,), all=False)
            rest = place.rebuild(node._replace(values=node.values[:position] + node.values[position + 1 :]))
            yield Part("near_miss", f"{place.title}: {value.written!r}", alone, False, rest, node)
        return
    core = _core(node)
    if isinstance(core, Not):
        yield from _filters(place, core)
    elif isinstance(place.parent, And) and not isinstance(core, And) and not _is_every_value(core):
        yield Part("near_miss", place.title, node, False, place.rebuild(None), place.parent)


def _filters(place: Place, node: Not) -> Iterator[Part]:
    excluded = node.child
    nothing = And(()) if isinstance(place.parent, Or) else None
    if not isinstance(excluded, Or):
        yield Part("filtered", title(excluded, place.selection), excluded, True, place.rebuild(nothing), place.parent)
        return
    for position, child in enumerate(excluded.children):
        left = without(excluded, frozenset((position,)))
        rest = place.rebuild(nothing if left is None else Not(left))
        yield Part("filtered", title(child, place.selection), child, True, rest, place.parent)


def _core(node: Node) -> Node:
    """What a selection that stands alone in another holds."""
    while isinstance(node, Selection):
        node = node.child
    return node


def _is_every_value(node: Node) -> bool:
    return isinstance(node, FieldTest) and node.all and len(node.values) > 1 and not node.negated
