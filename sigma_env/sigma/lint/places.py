"""Where things stand: a place in a document → line and column, and a line of a selection → its place."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sigma_env.sigma.lint.checks import Place
from sigma_env.sigma.rule import And, FieldTest, Or
from sigma_env.sigma.rule import Node as RuleNode


def compose(text: str) -> list[Node]:
    """The nodes of the documents of a text that `iterate_documents` accepts: it caps their depth."""
    return [node for node in yaml.compose_all(text, Loader=yaml.CSafeLoader) if not _is_empty(node)]


def _is_empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def line_and_column(root: Node, at: Place) -> tuple[int, int]:
    """Line and column, from 1, of the deepest part of a place that there is: a key, or an element of a list."""
    node, mark = root, root.start_mark
    for step in at:
        if isinstance(node, MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
        else:
            break
    return mark.line + 1, mark.column + 1


def scalars(node: Node, value: Any, at: Place) -> Iterator[tuple[ScalarNode, Any, Place]]:
    """Every scalar value below a node with what YAML makes of it."""
    if isinstance(node, MappingNode) and isinstance(value, Mapping):
        for (key, child), inner in zip(node.value, value.values(), strict=True):
            yield from scalars(child, inner, (*at, key.value))
    elif isinstance(node, SequenceNode) and isinstance(value, list):
        for i, (child, inner) in enumerate(zip(node.value, value, strict=True)):
            yield from scalars(child, inner, (*at, i))
    elif isinstance(node, ScalarNode):
        yield node, value, at


class Placed:
    """The tests of a rule with their places: a test is known by its identity, for two may be equal."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[FieldTest, Place, bool]] = {}

    def add(self, definition: Any, node: RuleNode, at: Place) -> None:
        """Adds the tests of a selection, which the parser made of its definition part by part."""
        if isinstance(node, FieldTest) and not isinstance(definition, Mapping):
            while isinstance(definition, list) and len(definition) == 1 and not _is_value(definition[0]):
                definition, at = definition[0], (*at, 0)
            if isinstance(definition, Mapping):
                self.add(definition, node, at)
            else:
                self._places[id(node)] = (node, at, isinstance(definition, list))
        elif isinstance(definition, Mapping):
            tests = node.children if isinstance(node, And) and len(definition) > 1 else (node,)
            for (key, values), test in zip(definition.items(), tests, strict=True):
                assert isinstance(test, FieldTest)
                self._places[id(test)] = (test, (*at, str(key)), isinstance(values, list))
        elif isinstance(definition, list):
            parts = node.children if isinstance(node, Or) and len(definition) > 1 else (node,)
            for i, (part, child) in enumerate(zip(definition, parts, strict=True)):
                self.add(part, child, (*at, i))

    def of(self, test: FieldTest, value: int | None = None) -> Place:
        """The place of a test, or of its value of this number."""
        _, at, is_list = self._places.get(id(test), (test, ("detection",), False))
        return (*at, value) if is_list and value is not None else at

    def __iter__(self) -> Iterator[FieldTest]:
        return (test for test, _, _ in self._places.values())


def _is_value(item: Any) -> bool:
    return not isinstance(item, list | Mapping)
