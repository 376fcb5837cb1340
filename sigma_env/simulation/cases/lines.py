"""A line of a rule on the texts of one field, prepared for being asked often."""

from collections.abc import Sequence

from sigma_env.engines.evaluator import value_holds
from sigma_env.sigma.rule import AnyText, Exists, FieldRef, FieldTest, Null, Pattern, Text, Value


class _Any:
    """Values of which one has to hold."""

    __slots__ = ("_absent", "_contained", "_ends", "_exact", "_null", "_others", "_present", "_starts")

    def __init__(self, values: Sequence[Value]) -> None:
        exact: set[str] = set()
        starts: list[str] = []
        ends: list[str] = []
        self._contained: list[str] = []
        self._others: list[Pattern] = []
        self._null = self._present = self._absent = False
        for value in values:
            for pattern in value.alternatives:
                kind = type(pattern)
                if kind is Text and not pattern.cased:  # type: ignore[union-attr]
                    op, text, _ = pattern  # type: ignore[misc]
                    if op == "equals":
                        exact.add(text)
                    else:
                        {"startswith": starts, "endswith": ends, "contains": self._contained}[op].append(text)
                elif kind is Null:
                    self._null = True
                elif kind is Exists:
                    self._present |= pattern.present  # type: ignore[union-attr]
                    self._absent |= not pattern.present  # type: ignore[union-attr]
                elif kind is not FieldRef:
                    self._others.append(pattern)
        self._exact, self._starts, self._ends = frozenset(exact), tuple(starts), tuple(ends)

    def holds(self, texts: Sequence[str | None]) -> bool:
        """Whether any value holds on any of the texts."""
        if not texts:
            return self._null or self._absent
        if self._present:
            return True
        filled = False
        for text in texts:
            if text is not None:
                filled = True
                if self._accepts(text):
                    return True
        return self._null and not filled

    def holds_as_keywords(self, texts: Sequence[str]) -> bool:
        """The same over every value of an event, where null and exists mean nothing."""
        return any(map(self._accepts, texts))

    def _accepts(self, text: str) -> bool:
        lower = text.lower()
        if lower in self._exact or lower.startswith(self._starts) or lower.endswith(self._ends):
            return True
        for contained in self._contained:
            if contained in lower:
                return True
        return any(isinstance(p, AnyText) or value_holds(p, text) for p in self._others)


class Lines:
    """Lines of one rule, by identity; they must live as long as this."""

    def __init__(self) -> None:
        self._prepared: dict[int, tuple[FieldTest, tuple[_Any, ...]]] = {}
        self._known: dict[tuple[int, tuple[str | None, ...]], bool] = {}

    def holds(self, test: FieldTest, texts: tuple[str | None, ...]) -> bool:
        """Whether a line holds on the values of its field, or for keywords of the event; references are left out."""
        key = (id(test), texts)
        known = self._known.get(key)
        if known is None:
            groups = self._groups(test)
            if test.field is None:
                words = [text for text in texts if text is not None]
                found = all(group.holds_as_keywords(words) for group in groups)
            else:
                found = all(group.holds(texts) for group in groups)
            known = self._known[key] = found != test.negated
        return known

    def _groups(self, test: FieldTest) -> tuple[_Any, ...]:
        prepared = self._prepared.get(id(test))
        if prepared is None:
            groups = tuple([_Any((value,)) for value in test.values]) if test.all else (_Any(test.values),)
            prepared = self._prepared[id(test)] = (test, groups)
        return prepared[1]
