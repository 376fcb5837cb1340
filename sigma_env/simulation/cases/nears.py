"""How a filter can nearly exclude an event: what a sloppier filter would take for its own."""

from sigma_env.sigma.rule import And, FieldTest, Node
from sigma_env.simulation.cases.meeting import Goal
from sigma_env.simulation.sloppy.mutants import loosened, with_patterns
from sigma_env.simulation.sloppy.tree import places

Near = tuple[Goal, ...]
"""What has to hold on an event that a filter nearly excludes."""


def nears_of(condition: Node) -> list[tuple[Near, ...]]:
    """For each conjunction in the filters of a condition, the ways to come near it.

    All of its lines hold but one, where a line with `all` is as many lines as it has values; or all hold, but one
    only as long as its literals may stand anywhere.
    """
    found: list[tuple[Near, ...]] = []
    for place in places(condition):
        if place.negated and not isinstance(place.parent, And):
            children = place.node.children if isinstance(place.node, And) else (place.node,)
            lines = [line for child in children for line in _values_alone(child)]
            nears = [tuple(Goal(line, at != left) for at, line in enumerate(lines)) for left in range(len(lines))]
            misplaced = [near for at in range(len(lines)) if (near := _misplaced(lines, at)) is not None]
            every = (*(nears if len(lines) > 1 else ()), *misplaced)
            if every:
                found.append(every)
    return found


def _values_alone(node: Node) -> tuple[Node, ...]:
    if isinstance(node, FieldTest) and node.all and not node.negated:
        return tuple([node._replace(values=(value,), all=False) for value in node.values])
    return (node,)


def _misplaced(lines: list[Node], at: int) -> Near | None:
    """The lines hold, one of them only with its literals anywhere; None if it has no literal with a place."""
    line = lines[at]
    changed = with_patterns(line, loosened) if isinstance(line, FieldTest) and not line.negated else None
    if changed is None:
        return None
    others = tuple([Goal(other, True) for position, other in enumerate(lines) if position != at])
    return (*others, Goal(changed, True), Goal(line, False))
