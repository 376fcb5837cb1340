"""What an event's kind decides about a condition before any of its fields is filled."""

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.kleene import conjunction, disjunction
from sigma_env.sigma.rule import And, AnyText, Exists, FieldRef, FieldTest, Node, Not, Null, Pattern, Selection, Value
from sigma_env.simulation.cases.frame import Frame
from sigma_env.simulation.schema import FieldKind


class Folds:
    """Conditions of one rule, folded for the kinds of events that it is asked about."""

    def __init__(self) -> None:
        self._of: dict[int, Fold] = {}

    def of(self, frame: Frame) -> "Fold":
        """The folding for one kind of events."""
        found = self._of.get(id(frame))
        if found is None:
            found = self._of[id(frame)] = Fold(frame)
        return found


class Fold:
    """Truth as far as an event's kind decides it: System's fields, and fields that such events lack or always have."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._known: dict[int, tuple[Node, bool | None]] = {}
        self._possible: dict[int, tuple[FieldTest, tuple[int, ...]]] = {}

    def truth(self, node: Node) -> bool | None:
        """True, false, or None: open."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = (node, self._truth(node))
        return known[1]

    def _truth(self, node: Node) -> bool | None:
        if isinstance(node, FieldTest):
            return self._of_line(node)
        if isinstance(node, Selection):
            return self.truth(node.child)
        if isinstance(node, Not):
            truth = self.truth(node.child)
            return None if truth is None else not truth
        truths = map(self.truth, node.children)
        return conjunction(truths) if isinstance(node, And) else disjunction(truths)

    def _of_line(self, test: FieldTest) -> bool | None:
        truths = (self.of_value(test.field, value) for value in test.values)
        found = conjunction(truths) if test.all else disjunction(truths)
        return found if found is None else found != test.negated

    def possible_values(self, test: FieldTest) -> tuple[int, ...]:
        """Positions of the written values of a line that can hold."""
        known = self._possible.get(id(test))
        if known is None:
            found = (at for at, value in enumerate(test.values) if self.of_value(test.field, value) is not False)
            known = self._possible[id(test)] = (test, tuple(found))
        return known[1]

    def of_value(self, field: str | None, value: Value) -> bool | None:
        """The truth of one written value of a line, as far as the kind decides it."""
        if field is None:
            return None
        return disjunction([self._of_pattern(field, pattern) for pattern in value.alternatives])

    def _of_pattern(self, field: str, pattern: Pattern) -> bool | None:
        lacking = self._frame.is_lacking(field)
        if isinstance(pattern, Null):
            return lacking
        if isinstance(pattern, Exists):
            return pattern.present != lacking
        if isinstance(pattern, FieldRef):
            return False if lacking or self._frame.is_lacking(pattern.field) else None
        if lacking:
            return False
        spec = self._frame.slot(field)
        if isinstance(pattern, AnyText):
            return True
        if spec is None:
            fixed = self._frame.fixed.get(field)
            return None if fixed is None else value_holds(pattern, fixed)
        if spec.kind is not FieldKind.ENUM:
            return None
        truths = {value_holds(pattern, choice) for choice in spec.choices}
        return truths.pop() if len(truths) == 1 else None
