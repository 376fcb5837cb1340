"""Sloppy versions of a rule: what a careless answer would leave out."""

from __future__ import annotations

from collections.abc import Iterator

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Rule, Selection, Text, Value


def parts_left_out(node: Node) -> Iterator[tuple[str, Node]]:
    """The tree with one child of an And or Or left out, or one value of a test, and what it was."""
    if isinstance(node, And | Or):
        for position, child in enumerate(node.children):
            others = node.children[:position] + node.children[position + 1 :]
            if others:
                kind = "alternative" if isinstance(node, Or) else "condition"
                yield (
                    f"without {kind} {_title(child)}",
                    others[0] if len(others) == 1 else node._replace(children=others),
                )
            for title, changed in parts_left_out(child):
                children = (*node.children[:position], changed, *node.children[position + 1 :])
                yield title, node._replace(children=children)
    elif isinstance(node, Not | Selection):
        for title, changed in parts_left_out(node.child):
            yield title, node._replace(child=changed)
    elif isinstance(node, FieldTest) and len(node.values) > 1:
        for position, value in enumerate(node.values):
            values = node.values[:position] + node.values[position + 1 :]
            yield f"without value {node.field}: {value.written!r}", node._replace(values=values)


def tests_of(node: Node, *, negated: bool = False) -> Iterator[FieldTest]:
    """The tests of the tree that must hold, not those under a Not."""
    if isinstance(node, And | Or):
        for child in node.children:
            yield from tests_of(child, negated=negated)
    elif isinstance(node, Not):
        yield from tests_of(node.child, negated=not negated)
    elif isinstance(node, Selection):
        yield from tests_of(node.child, negated=negated)
    elif isinstance(node, FieldTest) and not negated:
        yield node


def single_tests(rule: Rule) -> Iterator[tuple[str, Node]]:
    """Each line of the rule alone, and each of its values alone."""
    for test in tests_of(rule.condition):
        yield f"only {_title(test)}", test
        if len(test.values) > 1:
            for value in test.values:
                yield f"only {test.field}: {value.written!r}", test._replace(values=(value,), all=False)


def as_keywords(node: Node) -> Node:
    """The tree with its texts searched in every field, filters included."""
    if isinstance(node, And | Or):
        return node._replace(children=tuple(as_keywords(child) for child in node.children))
    if isinstance(node, Not | Selection):
        return node._replace(child=as_keywords(node.child))
    if isinstance(node, FieldTest):
        values = tuple(
            Value(
                value.written,
                tuple(p._replace(op="contains") if isinstance(p, Text) else p for p in value.alternatives),
            )
            for value in node.values
        )
        texts = all(isinstance(p, Text) and p.text for value in values for p in value.alternatives)
        return node._replace(field=None, values=values) if texts else node
    return node


def _title(node: Node) -> str:
    if isinstance(node, Not):
        return f"not {_title(node.child)}"
    if isinstance(node, Selection):
        return node.name
    if isinstance(node, FieldTest):
        return f"{node.field}|{'|'.join(node.modifiers)}"
    return type(node).__name__
