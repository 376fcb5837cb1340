"""A rule without some of its lines and values: still a rule, which can be written as YAML again."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from sigma_env.sigma.rewrite import condition_text, expression_of, is_writable
from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Rule, Selection
from sigma_env.simulation.requests.outline import LineId, Path

Choice: TypeAlias = Mapping[LineId, tuple[int, ...]]
"""Positions of the values that are kept, by line; a line that is not in it is left out."""

_Piece: TypeAlias = tuple[Any, Node] | None
"""A definition and its node; None if nothing of it is left."""


def cut_rule(rule: Rule, choice: Choice) -> Rule | None:
    """The rule with the chosen lines and values only; the rule itself if that is all, None if nothing is left.

    A line that is left out takes part in no `and` and in no `or`; what becomes empty by that is left out too. Lines
    that are kept whole are the same objects.
    """
    detection = rule.document["detection"]
    cut = _Cut(detection, choice)
    condition = cut.node(rule.condition)
    if condition is rule.condition or condition is None:
        return None if condition is None else rule
    # In the detection's own order, which is the order of `1 of` and `all of`.
    pieces = {name: cut.pieces.get(name) for name in detection}
    kept = {name: piece[0] for name, piece in pieces.items() if piece is not None}
    written = detection["condition"]
    if cut.lost:
        condition, kept = _with_writable_names(condition, kept)
        written = condition_text(expression_of(condition))
    document = {"logsource": rule.document["logsource"], "detection": {**kept, "condition": written}}
    texts = (written,) if isinstance(written, str) else tuple(written)
    return rule._replace(condition=condition, conditions=texts, document=document, program=None)


class _Cut:
    """One pass over a condition.

    Attributes:
        pieces: what is left of the selections, by name, in the order of the condition.
        lost: whether a selection is gone, so that the condition must be written anew.
    """

    def __init__(self, detection: Mapping[str, Any], choice: Choice) -> None:
        self._detection = detection
        self._choice = choice
        self.pieces: dict[str, _Piece] = {}
        self.lost = False

    def node(self, node: Node) -> Node | None:
        if isinstance(node, Selection):
            return self._selection(node)
        if isinstance(node, Not):
            child = self.node(node.child)
            return node if child is node.child else None if child is None else Not(child)
        if isinstance(node, And | Or):
            return _joined(node, [self.node(child) for child in node.children])
        raise TypeError(f"{node!r} stands in a condition outside a selection")

    def _selection(self, selection: Selection) -> Selection | None:
        name = selection.name
        if name not in self.pieces:
            self.pieces[name] = self._definition(name, (), self._detection[name], selection.child)
        piece = self.pieces[name]
        if piece is None:
            self.lost = True
            return None
        return selection if piece[1] is selection.child else Selection(name, piece[1])

    def _definition(self, name: str, path: Path, definition: Any, node: Node) -> _Piece:
        if isinstance(definition, Mapping):
            pieces = {
                key: self._line((name, (*path, key)), values, child)
                for (key, values), child in zip(definition.items(), _children(node, len(definition)), strict=True)
            }
            kept = {key: piece[0] for key, piece in pieces.items() if piece is not None}
            return _whole(kept, node, list(pieces.values()))
        if isinstance(definition, list) and any(isinstance(item, Mapping | list) for item in definition):
            items = [
                self._definition(name, (*path, position), item, child)
                for position, (item, child) in enumerate(zip(definition, _children(node, len(definition)), strict=True))
            ]
            return _whole([piece[0] for piece in items if piece is not None], node, items)
        return self._line((name, path), definition, node)

    def _line(self, line: LineId, values: Any, node: Node) -> _Piece:
        kept = self._choice.get(line)
        if kept is None or not isinstance(node, FieldTest):
            return None
        if len(kept) == len(node.values):
            return values, node
        return [values[position] for position in kept], node._replace(values=tuple([node.values[p] for p in kept]))


def _children(node: Node, number: int) -> tuple[Node, ...]:
    """The nodes that the parser made of a definition's items: a single one stands alone."""
    return node.children if number > 1 and isinstance(node, And | Or) else (node,)


def _whole(definition: Any, node: Node, pieces: list[_Piece]) -> _Piece:
    nodes = [None if piece is None else piece[1] for piece in pieces]
    left = nodes[0] if len(pieces) == 1 else _joined(node, nodes)
    return None if left is None else (definition, left)


def _joined(node: Node, children: list[Node | None]) -> Node | None:
    """The And or Or of what is left of its children; the node itself if they are unchanged."""
    if not isinstance(node, And | Or):
        raise TypeError(f"{node!r} has no children")
    if all(child is before for child, before in zip(children, node.children, strict=True)):
        return node
    kept = tuple([child for child in children if child is not None])
    if len(kept) < 2:
        return kept[0] if kept else None
    return And(kept) if isinstance(node, And) else Or(kept)


def _with_writable_names(condition: Node, kept: Mapping[str, Any]) -> tuple[Node, dict[str, Any]]:
    """Other names, wherever a condition cannot write one (`1 of them` can mean a name with spaces)."""
    if all(map(is_writable, kept)):
        return condition, dict(kept)
    names = {name: f"selection{number}" for number, name in enumerate(kept, 1)}
    return _renamed(condition, names), {names[name]: definition for name, definition in kept.items()}


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if isinstance(node, Selection):
        return Selection(names[node.name], node.child)
    if isinstance(node, Not):
        return Not(_renamed(node.child, names))
    if isinstance(node, And | Or):
        return type(node)(tuple([_renamed(child, names) for child in node.children]))
    return node
