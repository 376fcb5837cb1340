"""What a rule becomes under switches: a tree of three-valued tests, beside the nodes of `rule`."""

from typing import Literal, NamedTuple, TypeAlias

from sigma_env.sigma.rule import FieldTest, LogSource, Pattern
from sigma_env.sigma.switches import Switch

TestClass: TypeAlias = Literal["text", "empty", "regex", "marked", "any", "number", "bool", "null", "never"]
"""What a test of a list is tested with: tests of one class and field are one test."""

TEXT_CLASSES: frozenset[TestClass] = frozenset({"text", "empty", "regex", "marked", "any"})


class NumberIs(NamedTuple):
    """A typed comparison: whole numbers with whole numbers, floats with floats."""

    op: Literal["eq", "gt", "gte", "lt", "lte"]
    number: int | float


class BoolIs(NamedTuple):
    """A typed boolean."""

    value: bool


class NullIs(NamedTuple):
    """A null that is there."""


TypedPattern: TypeAlias = Pattern | NumberIs | BoolIs | NullIs


class FieldCheck(NamedTuple):
    """A test of one field for values of one type.

    Attributes:
        field: as the rule has it, without modifiers; with `int(…)` or `str(…)` around it where it is cast.
        kind: class of the patterns; all but those of text decide every value that is there.
        patterns: any has to hold.
        every: all have to hold, on one value.
        ascii_case: letters beyond ASCII have case in the event.
        strict: what is no text is missing to a test for text; else the test reads its rendered form.
        selections: where the patterns are from, for people: the one selection, or one for each pattern.
    """

    field: str
    kind: TestClass
    patterns: tuple[TypedPattern, ...]
    every: bool = False
    ascii_case: bool = True
    strict: bool = True
    selections: tuple[str, ...] = ()

    def selection_of(self, place: int) -> str:
        """The selection that a pattern is from, "" if that is not known."""
        if len(self.selections) > 1:
            return self.selections[place]
        return self.selections[0] if self.selections else ""


class Join(NamedTuple):
    """A conjunction or disjunction, in order.

    Attributes:
        op: which.
        parts: two or more.
        grouped: whether it is a list to the optimiser, or a pair.
        kept: whether the optimiser leaves it alone: under `all of x`, `1 of x` and repeated fields.
    """

    op: Literal["and", "or"]
    parts: "tuple[Tree, ...]"
    grouped: bool = True
    kept: bool = False


class Negated(NamedTuple):
    """A negation; that of what is missing is false."""

    part: "Tree"


class Tied(NamedTuple):
    """A conjunction of tests that the program tests in an order that differs from run to run."""

    parts: "tuple[Tree, ...]"


class Constant(NamedTuple):
    """What is always the same."""

    holds: bool


class Count(NamedTuple):
    """At least `least` of the parts hold."""

    least: int
    parts: "tuple[Tree, ...]"


class Panic(NamedTuple):
    """The program ends where it comes here."""

    reason: str


Tree: TypeAlias = FieldCheck | FieldTest | Join | Negated | Tied | Constant | Count | Panic


class Aggregate(NamedTuple):
    """A condition on how many events of one file have the same values.

    Attributes:
        fields: whose values; events that lack one do not count.
        op: how the number of events is compared.
        number: with what.
    """

    fields: tuple[str, ...]
    op: Literal["eq", "gt", "gte", "lt", "lte"]
    number: int


class Program(NamedTuple):
    """A rule under switches, ready to be run.

    Attributes:
        switches: the meaning.
        logsource: of the rule, as written under Switch.PRECONDITIONS.
        rule_id: of the rule: one precondition goes by it.
        title: likewise, for the exclusions.
        tree: the condition.
        tied: columns whose order is random in the program itself decide under a negation.
        aggregate: what is counted of the events on which the tree is True; they match if it holds.
    """

    switches: frozenset[Switch]
    logsource: LogSource
    rule_id: str
    title: str
    tree: Tree
    tied: tuple[str, ...] = ()
    aggregate: Aggregate | None = None


class Refused(NamedTuple):
    """Why there is no program; `panics` if the real one ends with it."""

    reason: str
    panics: bool = False

    @property
    def told(self) -> str:
        """The reason, with what it comes to."""
        return f"panics at load: {self.reason}" if self.panics else self.reason
