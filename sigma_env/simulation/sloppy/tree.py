"""Places in a rule's tree, and the tree with one of them changed."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Pattern, Selection

Rebuild: TypeAlias = Callable[[Node | None], Node | None]
"""Puts a node in a place, or nothing; gives the whole tree, or nothing where nothing is left of it."""


class Place(NamedTuple):
    """One node of a tree.

    Attributes:
        node: what stands there.
        negated: whether it stands under an odd number of `not`.
        parent: what it is a child of; None for the root.
        selection: name of the selection that it is in or is; "" if none.
        rebuild: the tree with something else in this place.
    """

    node: Node
    negated: bool
    parent: Node | None
    selection: str
    rebuild: Rebuild

    @property
    def title(self) -> str:
        """The place in the rule's words: `selection.Image|endswith`, `filter_main`."""
        return title(self.node, self.selection)


def title(node: Node, selection: str = "") -> str:
    """A node in the rule's words.

    Args:
        node: the node.
        selection: name of the selection that it is in.
    """
    if isinstance(node, Selection):
        return node.name
    if isinstance(node, Not):
        return f"not {title(node.child, selection)}"
    if isinstance(node, FieldTest):
        line = "|".join((node.field or "keywords", *node.modifiers))
        return f"{selection}.{line}" if selection else line
    joined = (" and " if isinstance(node, And) else " or ").join(title(child) for child in node.children[:3])
    return f"{selection} ({joined})" if selection else f"({joined})"


def places(node: Node) -> Iterator[Place]:
    """Every place of a tree, a node before its children."""
    yield from _places(node, False, None, "", _itself)


def _itself(node: Node | None) -> Node | None:
    return node


def _places(node: Node, negated: bool, parent: Node | None, selection: str, rebuild: Rebuild) -> Iterator[Place]:
    if isinstance(node, Selection):
        selection = node.name
    yield Place(node, negated, parent, selection, rebuild)
    if isinstance(node, Selection | Not):
        below = _of_only_child(node, rebuild)
        yield from _places(node.child, negated != isinstance(node, Not), node, selection, below)
    elif isinstance(node, And | Or):
        for position, child in enumerate(node.children):
            yield from _places(child, negated, node, selection, _of_child(node, position, rebuild))


def _of_only_child(node: Selection | Not, rebuild: Rebuild) -> Rebuild:
    return lambda child: rebuild(None if child is None else node._replace(child=child))


def _of_child(node: And | Or, position: int, rebuild: Rebuild) -> Rebuild:
    def put(child: Node | None) -> Node | None:
        if child is not None:
            return rebuild(node._replace(children=(*node.children[:position], child, *node.children[position + 1 :])))
        return rebuild(without(node, frozenset((position,))))

    return put


def without(node: And | Or, positions: frozenset[int]) -> Node | None:
    """A conjunction or disjunction without some of its children."""
    left = tuple([child for position, child in enumerate(node.children) if position not in positions])
    if len(left) > 1:
        return node._replace(children=left)
    return left[0] if left else None


def bare(node: Node) -> Node:
    """A tree without names of selections and without conjunctions and disjunctions of one child, to be compared."""
    if isinstance(node, Selection):
        return bare(node.child)
    if isinstance(node, Not):
        return Not(bare(node.child))
    if isinstance(node, And | Or):
        children: list[Node] = []
        for child in map(bare, node.children):
            children.extend(child.children if type(child) is type(node) else (child,))
        return children[0] if len(children) == 1 else node._replace(children=tuple(children))
    return node._replace(modifiers=(), all=node.all and len(node.values) > 1)


def same_tree(one: Node, other: Node) -> bool:
    """Whether two trees are equal, kinds of nodes and patterns included.

    Nodes are tuples, so `And(children) == Or(children)` and `Null() == AnyText()`.
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, FieldTest) and isinstance(other, FieldTest):
        return one._replace(values=()) == other._replace(values=()) and _same_values(one, other)
    if isinstance(one, And | Or) and isinstance(other, And | Or):
        return len(one.children) == len(other.children) and all(map(same_tree, one.children, other.children))
    if isinstance(one, Selection) and isinstance(other, Selection) and one.name != other.name:
        return False
    return same_tree(one.child, other.child)  # type: ignore[union-attr]


def _same_values(one: FieldTest, other: FieldTest) -> bool:
    return len(one.values) == len(other.values) and all(
        v is w
        or (len(v.alternatives) == len(w.alternatives) and all(map(same_pattern, v.alternatives, w.alternatives)))
        for v, w in zip(one.values, other.values, strict=True)
    )


def same_pattern(one: Pattern, other: Pattern) -> bool:
    """Whether two patterns are equal and of one kind."""
    return type(one) is type(other) and one == other
