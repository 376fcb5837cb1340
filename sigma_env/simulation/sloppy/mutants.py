"""Mutants of a rule: versions with one thing wrong. A task whose events tell them all from the rule is a fair judge."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final, Literal, NamedTuple

from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Pattern, Rule, Selection, Text, Value
from sigma_env.simulation.sloppy.tree import Place, places, without
from sigma_env.simulation.sloppy.tree import title as title_of
from sigma_env.simulation.sloppy.ways import groups, shares, weights

Kind = Literal[
    "condition", "filter", "filter_line", "alternative", "values", "all_to_any", "and_or", "not_removed",
    "literal_shortened", "modifier_loosened",
    "event_id", "one_literal", "one_selection", "dropped_condition", "dropped_filter", "keywords", "sibling_field",
    "contains", "visible_rarest",
]  # fmt: skip
UNGATED: Final = frozenset({"literal_shortened", "modifier_loosened"})
"""Kinds of mutants that are reported only: no request says how long a literal has to be."""
_MOST_FILTER_LINES: Final = 8
_SHORTEST: Final = 4


class Sloppy(NamedTuple):
    """A wrong version of a rule.

    Attributes:
        kind: what was done to it.
        title: where, in the rule's words.
        rule: the result; it shares what is unchanged with the rule that it was made of.
    """

    kind: Kind
    title: str
    rule: Rule


def mutants(rule: Rule) -> Iterator[Sloppy]:
    """Every mutant of a rule, a pure function of its tree; give the rule cut down to what its request discloses.

    Values and alternatives are left out in even groups, each large enough to matter (see `ways.groups`); a filter's
    lines one by one, or in groups across its filters where they are many.
    """
    share_of = shares(rule.condition)
    filter_lines: list[Place] = []
    for place in places(rule.condition):
        if _is_filter_line(place):
            filter_lines.append(place)
        for kind, title, condition in _at(place, share_of):
            if condition is not None:
                yield Sloppy(kind, title, rule._replace(condition=condition))
    for title, condition in _without_filter_lines(rule.condition, filter_lines):
        yield Sloppy("filter_line", title, rule._replace(condition=condition))


_Change = tuple[Kind, str, Node | None]


def _at(place: Place, share_of: dict[int, float]) -> Iterator[_Change]:
    node = place.node
    if isinstance(node, And) and not place.negated:
        yield from dropped(place)
        changed = _or_for_and(node)
        if changed is not None:
            yield "and_or", f"or for and: {place.title}", place.rebuild(changed)
    elif isinstance(node, Not):
        yield "not_removed", place.title, place.rebuild(node.child)
    elif isinstance(node, Or):
        yield from _of_alternatives(place, node, share_of)
    elif isinstance(node, FieldTest):
        yield from dropped(place)
        yield from _of_values(place, node, share_of)
        yield from _of_literals(place, node)


def dropped(place: Place) -> Iterator[tuple[Literal["condition", "filter"], str, Node | None]]:
    """The tree without a condition or filter that stands in a place: a child of an And, a value of an `all`."""
    node = place.node
    if isinstance(node, And):
        for position, child in enumerate(node.children):
            left = without(node, frozenset((position,)))
            if left is not None and not isinstance(child, And):  # the parts of `all of selection_*` are left out
                kind: Literal["condition", "filter"] = "filter" if isinstance(child, Not) else "condition"
                yield kind, _title_below(place, child), place.rebuild(left)
    elif isinstance(node, FieldTest) and node.all and len(node.values) > 1 and not place.negated and not node.negated:
        for position, value in enumerate(node.values):
            left_values = node.values[:position] + node.values[position + 1 :]
            title = f"{place.title}: {value.written!r}"
            yield "condition", title, place.rebuild(node._replace(values=left_values))


def dropped_alternative_filters(place: Place) -> Iterator[tuple[str, Node | None]]:
    """The tree without one of the filters that a `not 1 of filter_*` names."""
    node, parent = place.node, place.parent
    if isinstance(node, Or) and place.negated and isinstance(parent, Not):
        for position, child in enumerate(node.children):
            yield _title_below(place, child), place.rebuild(without(node, frozenset((position,))))


def _title_below(place: Place, child: Node) -> str:
    return title_of(child.child if isinstance(child, Not) else child, place.selection)


def _or_for_and(node: And) -> Node | None:
    """`a or b` for `a and b`, with the filters as they are; only between selections."""
    kept = [child for child in node.children if isinstance(child, Not)]
    named = [child for child in node.children if not isinstance(child, Not)]
    if len(named) < 2 or not all(isinstance(child, Selection | Or) for child in named):
        return None
    either = Or(tuple(named))
    return And((either, *kept)) if kept else either


def _of_alternatives(place: Place, node: Or, share_of: dict[int, float]) -> Iterator[_Change]:
    named = all(isinstance(child, Selection) for child in node.children)
    if place.negated and isinstance(place.parent, Not):
        for title, condition in dropped_alternative_filters(place):
            yield "filter", title, condition
    else:
        share = share_of.get(id(node), 1.0)
        sizes = [share * weight for weight in weights(node, share)]
        for group in groups(sizes, place.negated):
            titles = ", ".join(_title_below(place, node.children[position]) for position in group)
            yield "alternative", titles, place.rebuild(without(node, frozenset(group)))
    if named and len(node.children) > 1 and not place.negated:
        yield "and_or", f"and for or: {place.title}", place.rebuild(And(node.children))


def _of_values(place: Place, test: FieldTest, share_of: dict[int, float]) -> Iterator[_Change]:
    if len(test.values) < 2 or test.negated:
        return
    if test.all:
        yield "all_to_any", place.title, place.rebuild(test._replace(all=False))
        return
    size = share_of.get(id(test), 1.0) / len(test.values)
    for group in groups([size] * len(test.values), place.negated):
        left = tuple([value for position, value in enumerate(test.values) if position not in group])
        written = ", ".join(repr(test.values[position].written) for position in group)
        yield "values", f"{place.title}: {written}", place.rebuild(test._replace(values=left))


def _of_literals(place: Place, test: FieldTest) -> Iterator[_Change]:
    changes: tuple[tuple[Kind, Callable[[Pattern], Pattern]], ...] = (
        ("literal_shortened", _shortened),
        ("modifier_loosened", loosened),
    )
    for kind, change in changes:
        changed = with_patterns(test, change)
        if changed is not None:
            yield kind, place.title, place.rebuild(changed)


def with_patterns(test: FieldTest, change: Callable[[Pattern], Pattern]) -> FieldTest | None:
    """A line with all of its patterns changed; None if that leaves it as it is."""
    values = tuple([Value(v.written, tuple([change(p) for p in v.alternatives])) for v in test.values])
    return test._replace(values=values) if values != test.values else None


def _shortened(pattern: Pattern) -> Pattern:
    if not isinstance(pattern, Text) or len(pattern.text) <= _SHORTEST:
        return pattern
    if pattern.op == "endswith":
        return pattern._replace(text=pattern.text[1:])
    return pattern._replace(text=pattern.text[:-1], op="startswith" if pattern.op == "equals" else pattern.op)


def loosened(pattern: Pattern) -> Pattern:
    """A literal that may stand anywhere; other patterns as they are."""
    return pattern._replace(op="contains") if isinstance(pattern, Text) and pattern.text else pattern


def _is_filter_line(place: Place) -> bool:
    return isinstance(place.parent, And) and place.negated and not isinstance(place.node, Not)


def _without_filter_lines(condition: Node, lines: list[Place]) -> Iterator[tuple[str, Node]]:
    """The condition with filters that say less: a line left out of each, of several at once where there are many."""
    rounds: list[list[Place]] = []
    for _, of_one in groupby(lines, key=lambda place: id(place.parent)):
        for position, place in enumerate(of_one):
            if position == len(rounds):
                rounds.append([])
            rounds[position].append(place)
    single = len(lines) <= _MOST_FILTER_LINES
    for group in ([place] for place in lines) if single else _halved(rounds):
        left_out = {id(place.node) for place in group}
        changed = _leave_out(condition, left_out)
        if changed is not None:
            yield ", ".join(place.title for place in group), changed


def _halved(rounds: Iterable[list[Place]]) -> Iterator[list[Place]]:
    for line in rounds:
        yield from (half for half in (line[::2], line[1::2]) if half)


def _leave_out(node: Node, left_out: set[int]) -> Node | None:
    """A tree without some nodes, by identity."""
    if id(node) in left_out:
        return None
    if isinstance(node, Selection | Not):
        child = _leave_out(node.child, left_out)
        return None if child is None else node if child is node.child else node._replace(child=child)
    if isinstance(node, And | Or):
        children = [_leave_out(child, left_out) for child in node.children]
        kept = tuple([child for child in children if child is not None])
        if len(kept) == len(children) and all(a is b for a, b in zip(kept, node.children, strict=True)):
            return node
        return None if not kept else kept[0] if len(kept) == 1 else node._replace(children=kept)
    return node
