"""Shortcuts: rules that know only part of what a rule says. Where one scores like the rule, the task teaches it."""

from collections.abc import Iterator
from typing import Final

from sigma_env.sigma.rule import (
    And,
    AnyText,
    FieldTest,
    Glob,
    Node,
    Not,
    Or,
    Pattern,
    Regex,
    Rule,
    Selection,
    Text,
    Value,
    Wildcard,
)
from sigma_env.simulation.sloppy.mutants import (
    Kind,
    Sloppy,
    dropped,
    dropped_alternative_filters,
    loosened,
    with_patterns,
)
from sigma_env.simulation.sloppy.siblings import siblings_of
from sigma_env.simulation.sloppy.tree import Place, bare, places, same_tree

_TYPE_FIELDS: Final = frozenset({"Channel", "EventID", "Provider_Name"})
_SIBLINGS_TRIED: Final = 2


def shortcuts(rule: Rule) -> Iterator[Sloppy]:
    """Every shortcut of a rule, a pure function of its tree; none that says the same as the rule.

    The kind visible_rarest needs an event and is made by `from_example`.
    """
    reference = bare(rule.condition)
    for kind, title, condition in _all(rule.condition):
        if not same_tree(bare(condition), reference):
            yield Sloppy(kind, title, rule._replace(condition=condition))


def from_example(rule: Rule, field: str, text: str) -> Sloppy:
    """The rule that says no more than that a field has the value seen in an example."""
    test = FieldTest(field, (), (Value(text, (Text("equals", text.lower()),)),))
    return Sloppy("visible_rarest", f"{field}: {text!r}", rule._replace(condition=test))


def _all(condition: Node) -> Iterator[tuple[Kind, str, Node]]:
    yield "event_id", "event type alone", only_event_type(condition) or And(())
    for place in places(condition):
        if not place.negated:
            yield from _alone(place)
            for kind, title, changed in dropped(place):
                if changed is not None:
                    yield "dropped_filter" if kind == "filter" else "dropped_condition", title, changed
            yield from _in_sibling_field(place)
        for title, changed in dropped_alternative_filters(place):
            if changed is not None:
                yield "dropped_filter", title, changed
    unfiltered = without_filters(condition)
    for title, tree in (("keywords", condition), ("keywords, no filters", unfiltered)):
        words = None if tree is None else as_keywords(tree)
        if words is not None:
            yield "keywords", title, words
    yield "contains", "contains", _loosened(condition)


def _alone(place: Place) -> Iterator[tuple[Kind, str, Node]]:
    node = place.node
    if isinstance(node, Selection):
        yield "one_selection", place.title, node
    elif isinstance(node, FieldTest) and not node.negated:
        for value in node.values:
            yield "one_literal", f"{place.title}: {value.written!r}", node._replace(values=(value,), all=False)


def _in_sibling_field(place: Place) -> Iterator[tuple[Kind, str, Node]]:
    node = place.node
    if isinstance(node, FieldTest) and node.field is not None:
        for sibling in siblings_of(node.field)[:_SIBLINGS_TRIED]:
            changed = place.rebuild(node._replace(field=sibling))
            if changed is not None:
                yield "sibling_field", f"{place.title} in {sibling}", changed


def only_event_type(node: Node) -> Node | None:
    """What a condition says of the events' type, for events of its logsource; None if nothing."""
    if isinstance(node, FieldTest):
        return node if node.field in _TYPE_FIELDS else None
    if isinstance(node, Selection):
        return only_event_type(node.child)
    if isinstance(node, Not):
        return None
    children = [only_event_type(child) for child in node.children]
    kept = tuple([child for child in children if child is not None])
    if isinstance(node, Or) and len(kept) < len(children):
        return None
    return node._replace(children=kept) if kept else None


def without_filters(node: Node) -> Node | None:
    """A condition without what stands under a `not`; None if nothing is left."""
    if isinstance(node, Not):
        return None
    if isinstance(node, Selection):
        child = without_filters(node.child)
        return None if child is None else child if child is node.child else node._replace(child=child)
    if isinstance(node, And | Or):
        children = [without_filters(child) for child in node.children]
        kept = tuple([child for child in children if child is not None])
        if len(kept) == len(children) and all(a is b for a, b in zip(kept, node.children, strict=True)):
            return node
        return node._replace(children=kept) if kept else None
    return node


def as_keywords(node: Node) -> Node | None:
    """A condition with its texts searched in every value of the event; what is no text is forgotten."""
    if isinstance(node, And | Or):
        children = [as_keywords(child) for child in node.children]
        kept = tuple([child for child in children if child is not None])
        return node._replace(children=kept) if kept else None
    if isinstance(node, Not | Selection):
        child = as_keywords(node.child)
        return None if child is None else node._replace(child=child)
    if node.field in _TYPE_FIELDS:
        return None
    values = []
    for value in node.values:
        patterns = tuple([p for pattern in value.alternatives if (p := _anywhere(pattern)) is not None])
        if patterns:
            values.append(Value(value.written, patterns))
    return node._replace(field=None, values=tuple(values)) if values else None


def _anywhere(pattern: Pattern) -> Pattern | None:
    if isinstance(pattern, Text):
        return loosened(pattern) if pattern.text else None
    if isinstance(pattern, Glob):
        return _within(pattern)
    return pattern if isinstance(pattern, Regex) else None


def _within(pattern: Glob) -> Glob:
    """A wildcard pattern that may stand anywhere."""
    parts = pattern.parts
    before = () if parts[0] is Wildcard.MANY else (Wildcard.MANY,)
    after = () if parts[-1] is Wildcard.MANY else (Wildcard.MANY,)
    return pattern._replace(parts=(*before, *parts, *after))


def _loosened(node: Node) -> Node:
    if isinstance(node, And | Or):
        children = tuple([_loosened(child) for child in node.children])
        same = all(a is b for a, b in zip(children, node.children, strict=True))
        return node if same else node._replace(children=children)
    if isinstance(node, Not | Selection):
        child = _loosened(node.child)
        return node if child is node.child else node._replace(child=child)
    if node.field in _TYPE_FIELDS:
        return node
    return with_patterns(node, _contained) or node


def _contained(pattern: Pattern) -> Pattern:
    if isinstance(pattern, Glob):
        return _within(pattern)
    return AnyText() if isinstance(pattern, Text) and not pattern.text else loosened(pattern)
