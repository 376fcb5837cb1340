"""Proof that two conditions mean the same on every event that there can be.

Both are brought into a normal form for each kind of event: what the kind decides is decided, a value is left out that
its field cannot hold, that another value of its list implies, or that contradicts what must hold beside it. Equal
forms mean the same, and so do forms that come to the same whichever of their lines hold; others may, too.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sigma_env.sigma.rule import And, FieldTest, Glob, Node, Not, Or, Regex, Selection, Text, Value
from sigma_env.simulation.cases.fold import Fold, Folds
from sigma_env.simulation.cases.frame import Frame, slot_name
from sigma_env.simulation.cases.implication import contradicts_line, implies, line_implies
from sigma_env.simulation.cases.lines import Lines
from sigma_env.simulation.cases.tables import Form, agree
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.sloppy.tree import same_tree
from sigma_env.simulation.values import needs_of, solve

_ATTEMPTS: Final = 6
_ABOUT_TEXT: Final = (Text, Regex, Glob)

_Given = Mapping[str, tuple[FieldTest, ...]]
"""Lines that must hold beside a node, by field."""


class Sameness:
    """Compares conditions of one rule on kinds of events.

    Args:
        frames: every kind and version that the rule's logsource selects.
        folds: what they decide.
    """

    def __init__(self, frames: Sequence[Frame], folds: Folds) -> None:
        self._frames, self._folds = frames, folds
        self._forms: dict[tuple[int, int], tuple[Node, Form]] = {}
        self._held: dict[tuple[int, int], tuple[Value, FieldSpec, bool]] = {}

    def same(self, one: Node, other: Node) -> bool:
        """Whether two conditions surely mean the same on all kinds of events."""
        for frame in self._frames:
            fold = self._folds.of(frame)
            if fold.truth(one) is False and fold.truth(other) is False:
                continue
            forms = self._form_of(one, frame, fold), self._form_of(other, frame, fold)
            if not _same(*forms) and not agree(*forms, frame):
                return False
        return True

    def _form_of(self, node: Node, frame: Frame, fold: Fold) -> Form:
        key = (id(node), id(frame))
        known = self._forms.get(key)
        if known is None:
            known = self._forms[key] = (node, self._form(node, frame, fold, {}, {}))
        return known[1]

    def _form(self, node: Node, frame: Frame, fold: Fold, given: _Given, outside: _Given) -> Form:
        """A node's normal form.

        Args:
            node: a part of a condition.
            frame: the kind of event.
            fold: what it decides.
            given: lines that hold wherever the node has a say, those beside it among them.
            outside: those of them that stand outside the filter or the disjunction that the node is in.
        """
        truth = fold.truth(node)
        if truth is not None:
            return truth
        if isinstance(node, Selection):
            return self._form(node.child, frame, fold, given, outside)
        if isinstance(node, Not):
            form = self._form(node.child, frame, fold, given, given)
            return not form if isinstance(form, bool) else Not(form)
        if isinstance(node, FieldTest):
            return self._form_of_line(node, frame, given, outside)
        if isinstance(node, And):
            beside = _with_lines(given, node.children)
            forms = [self._form(child, frame, fold, beside, outside) for child in node.children]
            return _joined(And, [_without_excluded(form, forms) for form in _with_one_filter(forms)])
        return _joined(Or, (self._form(child, frame, fold, given, given) for child in node.children))

    def _form_of_line(self, test: FieldTest, frame: Frame, given: _Given, outside: _Given) -> Form:
        if test.field is None:
            fields = self._able_fields(test, frame)
            if len(fields) > 1 and not test.all and not test.negated:
                lines = (self._form_of_line(test._replace(field=name), frame, given, outside) for name in fields)
                return _joined(Or, lines)
            test = test._replace(field=fields[0]) if len(fields) == 1 else test
        elif not test.negated and any(line_implies(line, test) for line in outside.get(test.field, ())):
            return True
        spec = None if test.field is None else frame.slot(test.field)
        if spec is not None and spec.kind is FieldKind.ENUM and "fieldref" not in test.modifiers:
            return _of_choices(test, spec)
        values = [value for value in test.values if spec is None or self._is_holdable(value, spec)]
        if test.all and len(values) < len(test.values):
            return test.negated
        is_single = spec is None or spec.name is not None  # of several unnamed ones each can hold another value
        beside = [line for line in given.get(test.field or "", ()) if line is not test and is_single]
        if not test.negated and not test.all:
            values = [value for value in values if not any(contradicts_line(value, line) for line in beside)]
        if not values:
            return test.negated
        kept = tuple(_without_implied(values, weakest=not test.all))
        return test._replace(modifiers=(), values=kept, all=test.all and len(kept) > 1)

    def _able_fields(self, test: FieldTest, frame: Frame) -> list[str]:
        """The fields that can hold any of some keywords."""
        able = [
            spec
            for spec in frame.schema.fields
            if not spec.volatile and any(self._is_holdable(value, spec) for value in test.values)
        ]
        return sorted({slot_name(spec) for spec in able})

    def _is_holdable(self, value: Value, spec: FieldSpec) -> bool:
        """Whether the field can hold any text that the value accepts."""
        key = (id(value), id(spec))
        known = self._held.get(key)
        if known is None:
            known = self._held[key] = (value, spec, _is_holdable(value, spec))
        return known[2]


def _of_choices(test: FieldTest, spec: FieldSpec) -> Form:
    """A line about a field of few texts, as a list of those that it accepts."""
    line = Lines()
    accepted = [choice for choice in spec.choices if line.holds(test, (choice,))]
    if not accepted or len(accepted) == len(spec.choices):
        return bool(accepted)
    values = tuple([Value(choice, (Text("equals", choice.lower()),)) for choice in accepted])
    return FieldTest(test.field, (), values)


def _is_holdable(value: Value, spec: FieldSpec) -> bool:
    rng = random.Random(0)
    return any(
        not isinstance(need.pattern, _ABOUT_TEXT) or solve([need], (), spec, rng, "", attempts=_ATTEMPTS) is not None
        for need in needs_of(value)
    )


def _with_lines(given: _Given, children: Iterable[Node]) -> _Given:
    """What must hold beside the children of a conjunction: the lines among them, too."""
    found = dict(given)
    for child in children:
        while isinstance(child, Selection):
            child = child.child
        if isinstance(child, And):
            found = dict(_with_lines(found, child.children))
        elif isinstance(child, FieldTest) and child.field is not None and not child.negated:
            found[child.field] = (*found.get(child.field, ()), child)
    return found


def _with_one_filter(forms: Sequence[Form]) -> list[Form]:
    """The forms of a conjunction with all of its filters as one, so that they are compared with each other."""
    filters = [form.child for form in forms if isinstance(form, Not)]
    if len(filters) < 2:
        return list(forms)
    joined = _joined(Or, filters)
    others: list[Form] = [form for form in forms if not isinstance(form, Not)]
    return [*others, not joined if isinstance(joined, bool) else Not(joined)]


def _without_excluded(form: Form, beside: Sequence[Form]) -> Form:
    """A line without the values that a filter beside it excludes whatever else holds."""
    if not isinstance(form, FieldTest) or form.all or form.negated:
        return form
    excluded = [
        line
        for other in beside
        for line in _excluded_lines(other)
        if line.field == form.field and not line.all and not line.negated
    ]
    values = [v for v in form.values if not any(implies(v, w) for line in excluded for w in line.values)]
    return form._replace(values=tuple(values)) if values else False


def _excluded_lines(form: Form) -> Iterator[FieldTest]:
    """Lines of which each alone makes a form false."""
    if isinstance(form, Not):
        children = form.child.children if isinstance(form.child, Or) else (form.child,)
        yield from (child for child in children if isinstance(child, FieldTest))


def _joined(kind: type[And] | type[Or], forms: Iterable[Form]) -> Form:
    decided = kind is Or
    children: list[Node] = []
    for form in forms:
        if isinstance(form, bool):
            if form is decided:
                return decided
        elif isinstance(form, kind):
            children.extend(each for each in form.children if not _among(each, children))
        elif not _among(form, children):
            children.append(form)
    children = _without_implied_nodes(children, weakest=decided)
    if decided and all(isinstance(child, FieldTest) for child in children):
        children.sort(key=lambda child: str(getattr(child, "field", "")))  # keywords come in the order of fields
    if not children:
        return not decided
    return children[0] if len(children) == 1 else kind(tuple(children))


def _same(one: Form, other: Form) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return same_tree(one, other)


def _among(node: Node, nodes: Iterable[Node]) -> bool:
    return any(same_tree(node, other) for other in nodes)


def _without_implied_nodes(nodes: list[Node], weakest: bool) -> list[Node]:
    """The nodes without superfluous ones: of a disjunction those that imply another, else those implied.

    Only lines and conjunctions of lines are compared.
    """
    compared = [(node, lines) for node in nodes if (lines := _lines_of(node)) is not None]
    dropped: set[int] = set()
    for node, lines in compared:
        left = [theirs for other, theirs in compared if other is not node and id(other) not in dropped]
        if any(_all_imply(lines, theirs) if weakest else _all_imply(theirs, lines) for theirs in left):
            dropped.add(id(node))
    return [node for node in nodes if id(node) not in dropped]


def _lines_of(node: Node) -> list[FieldTest] | None:
    children = node.children if isinstance(node, And) else (node,)
    lines = [child for child in children if isinstance(child, FieldTest) and not child.negated]
    return lines if len(lines) == len(children) else None


def _all_imply(lines: Sequence[FieldTest], others: Sequence[FieldTest]) -> bool:
    """Whether lines that all hold imply that others all do."""
    return all(any(line.field == other.field and line_implies(line, other) for line in lines) for other in others)


def _without_implied(values: Sequence[Value], *, weakest: bool) -> list[Value]:
    """A list without superfluous values: of alternatives those that imply another, else those implied."""
    kept: list[Value] = list(values)
    for value in values:
        others = [other for other in kept if other is not value]
        if any(implies(value, other) if weakest else implies(other, value) for other in others):
            kept = others
    return kept
