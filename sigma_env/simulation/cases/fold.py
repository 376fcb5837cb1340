"""What an event's kind decides about a condition before any of its fields is filled."""

from collections.abc import Iterable

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.rule import And, Exists, FieldRef, FieldTest, Node, Not, Null, Pattern, Selection
from sigma_env.simulation.cases.frame import Frame


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
        return _all(truths) if isinstance(node, And) else _any(truths)

    def _of_line(self, test: FieldTest) -> bool | None:
        if test.field is None:
            return None
        spec = self._frame.slot(test.field)
        if spec is not None:
            texts: tuple[str, ...] | None = None
        elif self._frame.is_lacking(test.field):
            texts = ()
        else:
            fixed = self._frame.fixed.get(test.field)
            if fixed is None:
                return None
            texts = (fixed,)
        truths = (_any([_pattern_on(p, texts, self._frame) for p in value.alternatives]) for value in test.values)
        found = _all(truths) if test.all else _any(truths)
        return found if found is None else found != test.negated


def _pattern_on(pattern: Pattern, texts: tuple[str, ...] | None, frame: Frame) -> bool | None:
    """The truth of a pattern on a field that lacks (()), that is known, or that is there with any text (None)."""
    if isinstance(pattern, Null):
        return texts == ()
    if isinstance(pattern, Exists):
        return pattern.present == (texts != ())
    if isinstance(pattern, FieldRef):
        return False if texts == () or frame.is_lacking(pattern.field) else None
    if texts is None:
        return None
    return any(value_holds(pattern, text) for text in texts)


def _all(truths: Iterable[bool | None]) -> bool | None:
    found: bool | None = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def _any(truths: Iterable[bool | None]) -> bool | None:
    found: bool | None = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            found = None
    return found
