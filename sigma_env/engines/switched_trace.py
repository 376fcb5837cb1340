"""A program on one event, test by test: slow, plain, and with a record of what decided.

It shares the tree with the engine that runs programs on columns and nothing of its way of deciding, so it judges that
engine in property tests, and explains to people what Chainsaw's meaning makes of a rule.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from sigma_env.engines.evaluator import Event, glob_holds, trace, value_holds
from sigma_env.engines.leaves import Fields
from sigma_env.engines.patterns import compare
from sigma_env.events.column import Scalar, render
from sigma_env.sigma.chainsaw_regex import unicode_form
from sigma_env.sigma.chainsaw_tree import (
    TEXT_CLASSES,
    BoolIs,
    Constant,
    Count,
    FieldCheck,
    Join,
    Negated,
    NullIs,
    NumberIs,
    Panic,
    Tied,
    Tree,
    TypedPattern,
)
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import FieldTest, Glob, Regex, Text
from sigma_env.sigma.switches import Switch

_KNOWN_KEPT = 10_000

Truth: TypeAlias = bool | None
"""True, False, or None: missing, which is neither."""


class Panicked(Exception):
    """The program would have ended here."""


class TypedEvent(Event, Protocol):
    """One event with the types that its values have."""

    def typed(self, field: str) -> Sequence[Scalar]:
        """The field's values, None for null; empty if the field is absent."""
        ...


class FieldsEvent:
    """A row of a partition, or of what stands for one, as a TypedEvent."""

    def __init__(self, fields: Fields, row: int, view: str | None) -> None:
        self._fields, self._row, self._view = fields, row, view

    def typed(self, field: str) -> Sequence[Scalar]:
        """See TypedEvent."""
        column = self._fields.column(field, self._view)
        return [] if column is None else column.typed_cells(self._row)

    def values(self, field: str) -> Sequence[str | None]:
        """See Event."""
        column = self._fields.column(field, self._view)
        return [] if column is None else column.cells(self._row)

    def every_value(self) -> Iterator[str]:
        """See Event."""
        for column in self._fields.keyword_columns():
            yield from (c for c in column.cells(self._row) if c is not None)


class SwitchedTrace(NamedTuple):
    """What a node came to on one event.

    Attributes:
        tree: the node.
        truth: what it came to.
        children: of nodes with parts, those that were or could be looked at, in order.
        seen: of a test, the event's values of its field; () if absent.
        held: of a FieldCheck, places of the patterns that hold on some value.
    """

    tree: Tree
    truth: Truth
    children: "tuple[SwitchedTrace, ...]" = ()
    seen: tuple[Scalar, ...] = ()
    held: tuple[int, ...] = ()


class Tracer:
    """Evaluates trees of one program.

    Args:
        on: its switches.
        tied_false: what a conjunction is whose value depends on the order of tied columns.
    """

    def __init__(self, on: frozenset[Switch], *, tied_false: bool = False) -> None:
        self._known: dict[tuple[int, tuple[Scalar, ...], tuple[type, ...]], SwitchedTrace] = {}
        self.missing = Switch.MISSING in on
        self.ordered = Switch.AND_ORDER in on
        self.tied_false = tied_false

    def trace(self, tree: Tree, event: TypedEvent) -> SwitchedTrace:
        """Evaluates a tree on an event, every line that can be.

        Raises:
            Panicked: the program would end on this event.
        """
        match tree:
            case FieldCheck():
                return self._check(tree, event)
            case FieldTest():
                return self._sigma_test(tree, event)
            case Negated(part):
                child = self.trace(part, event)
                return SwitchedTrace(tree, False if child.truth is None else not child.truth, (child,))
            case Constant(holds):
                return SwitchedTrace(tree, holds)
            case Panic(reason):
                raise Panicked(reason)
            case Join("or", parts):
                children = self._up_to(True, parts, event)
                return SwitchedTrace(tree, any_of(child.truth for child in children), children)
            case Join(_, parts) if self.ordered:
                children = self._up_to(False, parts, event)
                decisive = next((child.truth for child in children if child.truth is not True), True)
                return SwitchedTrace(tree, decisive, children)
        children = tuple([self.trace(part, event) for part in tree.parts])
        truths = [child.truth for child in children]
        if isinstance(tree, Count):
            return SwitchedTrace(tree, _counted(tree.least, truths), children)
        truth = _all_of(truths)
        if isinstance(tree, Tied) and truth is False and None in truths and not self.tied_false:
            truth = None
        return SwitchedTrace(tree, truth, children)

    def _up_to(self, enough: bool, parts: Sequence[Tree], event: TypedEvent) -> tuple[SwitchedTrace, ...]:
        """The parts' traces; the first True of a disjunction and the first other of a conjunction end the evaluation.

        What stands behind is only for people to see, so nothing there can end the program.
        """
        children: list[SwitchedTrace] = []
        ended = False
        for part in parts:
            try:
                child = self.trace(part, event)
            except Panicked:
                if ended:
                    continue
                raise
            children.append(child)
            ended = ended or (child.truth is True) == enough
        return tuple(children)

    def _sigma_test(self, test: FieldTest, event: TypedEvent) -> SwitchedTrace:
        holds = trace(test, event).holds
        seen = () if test.field is None else tuple(event.typed(test.field))
        absent = self.missing and test.field is not None and not seen
        return SwitchedTrace(test, None if absent and not holds else holds, (), seen)

    def _check(self, check: FieldCheck, event: TypedEvent) -> SwitchedTrace:
        seen = tuple(event.typed(check.field))
        key = (id(check), seen, tuple(map(type, seen)))  # True is 1 to a dictionary
        found = self._known.get(key)
        if found is None or found.tree is not check:
            if len(self._known) >= _KNOWN_KEPT:
                self._known.clear()
            found = self._known[key] = self._evaluated(check, seen)
        return found

    def _evaluated(self, check: FieldCheck, seen: tuple[Scalar, ...]) -> SwitchedTrace:
        if check.kind == "never":
            return SwitchedTrace(check, False, (), seen)
        if check.kind in TEXT_CLASSES:
            texts = _texts(check, seen)
            there = bool(texts) or (check.strict and len(seen) > 1)
            holds, held = _text_holds(check, texts)
        else:
            there = bool(seen)
            held = [i for i, p in enumerate(check.patterns) if len(seen) == 1 and _value_is(p, seen[0])]
            holds = bool(held)
        return SwitchedTrace(check, holds or (False if there or not self.missing else None), (), seen, tuple(held))


def _texts(check: FieldCheck, values: Iterable[Scalar]) -> list[str]:
    if check.strict:
        return [value for value in values if isinstance(value, str)]
    return [render(value)[0] for value in values if value is not None]


def any_of(truths: Iterable[Truth]) -> Truth:
    """True if any is, else False if any is, else missing."""
    known = list(truths)
    return True if True in known else False if False in known else None


def _all_of(truths: Sequence[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _counted(least: int, truths: Sequence[Truth]) -> Truth:
    if least == 0:
        found = any_of(truths)
        return None if found is None else not found
    if truths.count(True) >= least:
        return True
    return None if all(truth is None for truth in truths) else False


def _text_holds(check: FieldCheck, texts: Sequence[str]) -> tuple[bool, list[int]]:
    passed = [_passed(check, text) for text in texts]
    held = [i for i in range(len(check.patterns)) if any(row[i] for row in passed)]
    if not check.every:
        return bool(held), held
    if check.strict:
        return any(all(row) for row in passed), held
    return bool(texts) and len(held) == len(check.patterns), held


def _passed(check: FieldCheck, text: str) -> list[bool]:
    """Which patterns of a test for text a text passes; where the test says so, only ASCII's letters lose their case."""
    lower = text.lower()
    folded = text.encode().lower().decode() if check.ascii_case else lower
    return [_passes(pattern, text, lower, folded) for pattern in check.patterns]


def _passes(pattern: TypedPattern, text: str, lower: str, folded: str) -> bool:
    match pattern:
        case Text(_, _, cased):
            return value_holds(pattern._replace(cased=True), text if cased else folded)
        case Glob(parts, cased):
            return glob_holds(parts, text if cased else lower)
        case Regex(expression, flags):
            return compile_regex(unicode_form(expression), flags).search(text) is not None
        case NumberIs() | BoolIs() | NullIs():
            return False
    return value_holds(pattern, text)


def passing(check: FieldCheck, place: int, values: Iterable[Scalar]) -> Iterator[Scalar]:
    """Those of a field's values that one of the patterns of a test accepts."""
    pattern = check.patterns[place]
    one = check._replace(patterns=(pattern,))
    for value in values:
        if check.kind not in TEXT_CLASSES:
            accepts = _value_is(pattern, value)
        else:
            accepts = any(_passed(one, text)[0] for text in _texts(check, (value,)))
        if accepts:
            yield value


def _value_is(pattern: TypedPattern, value: Scalar) -> bool:
    match pattern:
        case NullIs():
            return value is None
        case BoolIs(wanted):
            return value is wanted
        case NumberIs(op, number):
            if not isinstance(value, int | float) or isinstance(value, bool):
                return False
            if isinstance(value, float) != isinstance(number, float):
                return False
            return value == number if op == "eq" else compare(op, value, number)
    return False
