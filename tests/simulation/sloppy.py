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


def held_tests(node: Node, *, negated: bool = False) -> Iterator[FieldTest]:
    """The tests of the tree that must hold, not those under a Not."""
    if isinstance(node, And | Or):
        for child in node.children:
            yield from held_tests(child, negated=negated)
    elif isinstance(node, Not):
        yield from held_tests(node.child, negated=not negated)
    elif isinstance(node, Selection):
        yield from held_tests(node.child, negated=negated)
    elif isinstance(node, FieldTest) and not negated:
        yield node


def single_tests(rule: Rule) -> Iterator[tuple[str, Node]]:
    """Each line of the rule alone, and each of its values alone."""
    for test in held_tests(rule.condition):
        yield f"only {_title(test)}", test
        if len(test.values) > 1:
            for value in test.values:
                yield f"only {test.field}: {value.written!r}", test._replace(values=(value,), all=False)


def as_keywords(node: Node) -> Node | None:
    """The tree with its texts searched in every field, filters included; what is no text is forgotten."""
    if isinstance(node, And | Or):
        children = tuple(known for child in node.children if (known := as_keywords(child)) is not None)
        return node._replace(children=children) if children else None
    if isinstance(node, Not | Selection):
        child = as_keywords(node.child)
        return None if child is None else node._replace(child=child)
    values = []
    for value in node.values:
        texts = tuple(p._replace(op="contains") for p in value.alternatives if isinstance(p, Text) and p.text)
        if texts:
            values.append(Value(value.written, texts))
    return node._replace(field=None, values=tuple(values)) if values else None


def _title(node: Node) -> str:
    if isinstance(node, Not):
        return f"not {_title(node.child)}"
    if isinstance(node, Selection):
        return node.name
    if isinstance(node, FieldTest):
        return f"{node.field}|{'|'.join(node.modifiers)}"
    return type(node).__name__
