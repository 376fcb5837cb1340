"""A rule's condition with every line at its place in the detection, so that lines and values can be left out."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Rule, Selection

Path: TypeAlias = tuple[str | int | None, ...]
"""Where a line stands in its selection's definition: positions in lists, then the map's key; () for bare keywords."""

LineId: TypeAlias = tuple[str, Path]
"""A selection's name, and the path of one of its lines."""


class Line(NamedTuple):
    """One line of a selection."""

    id: LineId
    test: FieldTest

    @property
    def place(self) -> str:
        """In the rule's words, as in `Part.place`."""
        name, path = self.id
        positions = "".join(f"[{step + 1}]" for step in path if isinstance(step, int))
        keys = [str(step) for step in path if not isinstance(step, int)]
        return f"{name}{positions}.{keys[0]}" if keys else f"{name}{positions}"


class Group(NamedTuple):
    """Several outlines, all or any of which must hold."""

    operator: Literal["and", "or"]
    children: "tuple[Outline, ...]"


class Excluded(NamedTuple):
    """What a `not` excludes."""

    child: "Outline"


Outline: TypeAlias = Line | Group | Excluded


def outline_of(rule: Rule) -> Outline:
    """The outline of a rule's condition; a selection that is named twice occurs twice."""
    detection = rule.document["detection"]
    known: dict[str, Outline] = {}

    def read(node: Node) -> Outline:
        if isinstance(node, Selection):
            if node.name not in known:
                known[node.name] = _of_definition(node.name, detection[node.name], node.child, ())
            return known[node.name]
        if isinstance(node, Not):
            return Excluded(read(node.child))
        if isinstance(node, And | Or):
            return Group("and" if isinstance(node, And) else "or", tuple([read(child) for child in node.children]))
        raise TypeError(f"{node!r} stands in a condition outside a selection")

    return read(rule.condition)


def _of_definition(name: str, definition: Any, node: Node, path: Path) -> Outline:
    """The outline of a definition and of the node that the parser made of it."""
    if isinstance(node, FieldTest) and not isinstance(definition, Mapping) and not _is_list_of_definitions(definition):
        return Line((name, path), node)
    operator: Literal["and", "or"] = "and" if isinstance(definition, Mapping) else "or"
    steps = list(definition) if isinstance(definition, Mapping) else list(range(len(definition)))
    nodes = node.children if len(steps) > 1 and isinstance(node, And | Or) else (node,)
    children = [
        Line((name, (*path, step)), child)
        if isinstance(definition, Mapping) and isinstance(child, FieldTest)
        else _of_definition(name, definition[step], child, (*path, step))
        for step, child in zip(steps, nodes, strict=True)
    ]
    return children[0] if len(children) == 1 else Group(operator, tuple(children))


def _is_list_of_definitions(definition: Any) -> bool:
    return isinstance(definition, list) and any(isinstance(item, Mapping | list) for item in definition)


def lines_in(outline: Outline, *, excluded: bool = False) -> Iterator[tuple[Line, bool]]:
    """The lines of an outline, each time that it comes to them, and whether they stand under an odd number of nots."""
    if isinstance(outline, Line):
        yield outline, excluded
    elif isinstance(outline, Excluded):
        yield from lines_in(outline.child, excluded=not excluded)
    else:
        for child in outline.children:
            yield from lines_in(child, excluded=excluded)


def exceptions_in(outline: Outline) -> Iterator[Outline]:
    """What the rule's outermost nots exclude, one by one: of `not 1 of filter_*`, each filter."""
    if isinstance(outline, Excluded):
        child = outline.child
        if isinstance(child, Group) and child.operator == "or":
            yield from child.children
        else:
            yield child
    elif isinstance(outline, Group):
        for child in outline.children:
            yield from exceptions_in(child)
