"""The condition of a detection: text → expression → tree over the selections.

The grammar is pySigma 2's, to the letter, also where it surprises: operators are lower case; a
word in an operand's place is a name, even `and`, but not `not`; the pattern of `1 of` has no hyphen.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from sigma_env.sigma.errors import InvalidRule, TooComplex
from sigma_env.sigma.limits import Limits
from sigma_env.sigma.rule import And, Node, Not, Or, Selection


class Name(NamedTuple):
    """A selection, by its name."""

    name: str


class Of(NamedTuple):
    """All (`all of`) or any (`1 of`, `any of`) of the selections whose names match `pattern`."""

    quantifier: str
    pattern: str


class Junction(NamedTuple):
    """Expressions joined by one operator."""

    operator: Literal["and", "or"]
    operands: "tuple[Expression, ...]"


class Negation(NamedTuple):
    """The negation of an expression."""

    operand: "Expression"


Expression: TypeAlias = Name | Of | Junction | Negation

# Models repeat short conditions all the time; long ones would fill the memory.
_LONGEST_CACHED: Final = 200

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_ONLY_NAME: Final = re.compile(r"[ \t\r\n]*([A-Za-z0-9_-]+)[ \t\r\n]*\Z")
_OF: Final = re.compile(r"(1|any|all)(?![A-Za-z0-9_$])[ \t\r\n]*of(?![A-Za-z0-9_$])[ \t\r\n]*([A-Za-z0-9_*]+)")
_AND: Final = re.compile(r"(?<![A-Za-z0-9_-])and(?![A-Za-z0-9_-])")
_OR: Final = re.compile(r"(?<![A-Za-z0-9_-])or(?![A-Za-z0-9_-])")
_NOT: Final = re.compile(r"not(?![A-Za-z0-9_-])")
_AGGREGATION: Final = re.compile(r"[ \t\r\n]*(?:count|min|max|avg|sum|near)\b")


class _Reader:
    """A recursive descent over one text; `at` is where it stands."""

    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.at = 0
        self.depth_left = depth

    def skip(self) -> int:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches the empty text
        return self.at

    def disjunction(self) -> Expression:
        operands = [self.conjunction()]
        while found := _OR.match(self.text, self.skip()):
            self.at = found.end()
            operands.append(self.conjunction())
        return operands[0] if len(operands) == 1 else Junction("or", tuple(operands))

    def conjunction(self) -> Expression:
        operands = [self.operand()]
        while found := _AND.match(self.text, self.skip()):
            self.at = found.end()
            operands.append(self.operand())
        return operands[0] if len(operands) == 1 else Junction("and", tuple(operands))

    def operand(self) -> Expression:
        start = self.skip()
        if found := _NOT.match(self.text, start):
            self.at = found.end()
            return Negation(self.deeper(self.operand))
        if found := _OF.match(self.text, start):
            self.at = found.end()
            return Of(found[1], found[2])
        if found := _NAME.match(self.text, start):
            self.at = found.end()
            return Name(found[0])
        if not self.text.startswith("(", start):
            raise self.error("here a selection, '1 of', 'all of', 'not' or '(' must stand")
        self.at = start + 1
        inside = self.deeper(self.disjunction)
        if not self.text.startswith(")", self.skip()):
            raise self.error(_what_is_wrong(self.text[self.at :], "')' is missing"))
        self.at += 1
        return inside

    def deeper(self, read: Callable[[], Expression]) -> Expression:
        self.depth_left -= 1
        if self.depth_left < 0:
            raise TooComplex("condition: parentheses and 'not' are nested too deeply; flatten it")
        inside = read()
        self.depth_left += 1
        return inside

    def error(self, problem: str) -> InvalidRule:
        where = f"at character {self.at + 1}" if self.at < len(self.text) else "at its end"
        return InvalidRule(f"condition '{_shortened(self.text)}', {where}: {problem}")


def parse_condition(text: str, depth: int) -> Expression:
    """Parse a condition without an aggregation.

    Args:
        text: The condition.
        depth: How deeply parentheses and `not` may nest.

    Raises:
        InvalidRule: The text is no condition; the message says where it stops being one.
        TooComplex: It nests too deeply.
    """
    if (only := _ONLY_NAME.match(text)) and only[1] != "not":
        return Name(only[1])
    return (_read_once if len(text) <= _LONGEST_CACHED else _read)(text, depth)


def _read(text: str, depth: int) -> Expression:
    reader = _Reader(text, depth)
    expression = reader.disjunction()
    if reader.skip() < len(text):
        raise reader.error(_what_is_wrong(text[reader.at :], "here 'and', 'or' or the end must stand"))
    return expression


_read_once = lru_cache(maxsize=256)(_read)


def split_aggregation(text: str) -> tuple[str, str | None]:
    """Cut a condition at its first `|` into the condition proper and the aggregation after it (None if there is none).

    Raises:
        InvalidRule: What follows the `|` is no aggregation of Sigma 1.
    """
    proper, bar, aggregation = text.partition("|")
    if not bar:
        return text, None
    if not _AGGREGATION.match(aggregation):
        raise InvalidRule(f"condition '{_shortened(text)}': '|' is no operator; use 'and', 'or', 'not'")
    return proper, aggregation.strip()


def resolve(expression: Expression, selections: Mapping[str, Selection], limits: Limits) -> Node:
    """Put the selections into an expression.

    Raises:
        InvalidRule: A name or a pattern has no selection.
        TooComplex: The selections are named too often.
    """
    budget = [limits.condition_leaves]
    return _resolved(expression, selections, budget)


def _resolved(expression: Expression, selections: Mapping[str, Selection], budget: list[int]) -> Node:
    if isinstance(expression, Name):
        selection = selections.get(expression.name)
        if selection is None:
            known = ", ".join(f"'{_shortened(name)}'" for name in list(selections)[:10])
            raise InvalidRule(f"condition: no selection '{_shortened(expression.name)}'; the detection has {known}")
        _spend(budget, 1)
        return selection
    if isinstance(expression, Of):
        return _selected(expression, selections, budget)
    if isinstance(expression, Negation):
        return Not(_resolved(expression.operand, selections, budget))
    children = tuple([_resolved(operand, selections, budget) for operand in expression.operands])
    return And(children) if expression.operator == "and" else Or(children)


def _selected(of: Of, selections: Mapping[str, Selection], budget: list[int]) -> Node:
    parts = ["", ""] if of.pattern == "them" else of.pattern.split("*")
    # Names with a leading underscore are private unless the pattern has one too.
    private = of.pattern.startswith("_")
    chosen = tuple(
        [
            selection
            for name, selection in selections.items()
            if (private or not name.startswith("_")) and _matches(parts, name)
        ]
    )
    if not chosen:
        raise InvalidRule(f"condition: '{of.quantifier} of {_shortened(of.pattern)}' matches no selection")
    _spend(budget, len(chosen))
    if len(chosen) == 1:
        return chosen[0]
    return And(chosen) if of.quantifier == "all" else Or(chosen)


def _matches(parts: list[str], name: str) -> bool:
    """Whether `name` is `parts` with any text between them; in linear time, as patterns are hostile."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return name == first
    end = len(name) - len(last)
    # As in pySigma, a star does not cross a line break, which no pattern can hold.
    if not name.startswith(first) or not name.endswith(last) or end < len(first) or "\n" in name:
        return False
    at = len(first)
    for part in parts[1:-1]:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _spend(budget: list[int], leaves: int) -> None:
    budget[0] -= leaves
    if budget[0] < 0:
        raise TooComplex("condition: names too many selections; write fewer 'of'")


def _what_is_wrong(rest: str, otherwise: str) -> str:
    """What a person most likely meant by the text where the condition stops making sense."""
    word = (_NAME.match(rest) or [""])[0]
    if word.lower() in ("and", "or", "not"):
        return f"operators are written in lower case: '{word.lower()}', not '{word}'"
    if word == "of":
        return "only '1 of', 'any of' and 'all of' exist, each with a name, a pattern or 'them'"
    return otherwise


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
