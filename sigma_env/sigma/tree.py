"""The lines of a condition."""

from collections.abc import Iterator

from sigma_env.sigma.rule import And, FieldRef, FieldTest, Node, Or


def field_tests(node: Node) -> Iterator[FieldTest]:
    """The lines of a condition, each time that it comes to them."""
    if isinstance(node, FieldTest):
        yield node
    elif isinstance(node, And | Or):
        for child in node.children:
            yield from field_tests(child)
    else:
        yield from field_tests(node.child)


def fields_of(node: Node) -> frozenset[str]:
    """The fields that a condition tests or compares with."""
    fields: set[str] = set()
    for test in field_tests(node):
        if test.field is not None:
            fields.add(test.field)
        fields.update(p.field for value in test.values for p in value.alternatives if isinstance(p, FieldRef))
    return frozenset(fields)
