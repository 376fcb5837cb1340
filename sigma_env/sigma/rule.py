"""The meaning of a rule as a tree: what the parser makes, engines compile and explanations print.

The tree is free of surface syntax: modifiers are resolved into patterns, `1 of` and `all of`
into Or and And. What was written stays beside it (`FieldTest.modifiers`, `Value.written`), for
explanations and for engines that give modifiers another meaning.

NamedTuples, because a scorer builds some thousand rules a second: they are immutable, hashable
where their parts are, and cost a third of a frozen dataclass.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeAlias

TextOp: TypeAlias = Literal["equals", "startswith", "endswith", "contains"]
CompareOp: TypeAlias = Literal["gt", "gte", "lt", "lte"]
Scalar: TypeAlias = str | int | float | bool | None


class Wildcard(Enum):
    """A wildcard in a `Glob`: MANY is `*` (any text, also none), ONE is `?` (one character)."""

    MANY = "*"
    ONE = "?"


class Text(NamedTuple):
    """A literal at a place of the value. `text` is already lower-cased (`str.lower`) unless `cased`."""

    op: TextOp
    text: str
    cased: bool = False


class Glob(NamedTuple):
    """A pattern over the whole value with wildcards that `Text` cannot say.

    `parts` has no two neighbouring literals and no two neighbouring MANY; literals are lower-cased
    unless `cased`.
    """

    parts: tuple[str | Wildcard, ...]
    cased: bool = False


class AnyText(NamedTuple):
    """Any value, also the empty one: `*`, or `contains: ''`. Not null, not absent."""


class Regex(NamedTuple):
    """An RE2 expression, searched anywhere in the value in its own case. `flags` is a sorted subset of "ims"."""

    pattern: str
    flags: str = ""


class Cidr(NamedTuple):
    """An IPv4 or IPv6 network in canonical text form, such as `10.0.0.0/8`."""

    network: str


class Compare(NamedTuple):
    """A numeric comparison; the event's text is read as decimal or 0x."""

    op: CompareOp
    number: int | float


class FieldRef(NamedTuple):
    """A comparison, without case, with the value of another field of the same event."""

    field: str
    op: TextOp = "equals"


class Null(NamedTuple):
    """The field is absent or null."""


class Exists(NamedTuple):
    """The field is present (True) or absent (False)."""

    present: bool


Pattern: TypeAlias = Text | Glob | AnyText | Regex | Cidr | Compare | FieldRef | Null | Exists


class Value(NamedTuple):
    """One written value and the patterns it stands for; it holds if any of `alternatives` does."""

    written: Scalar
    alternatives: tuple[Pattern, ...]


class FieldTest(NamedTuple):
    """One line of a selection: a field (None: keywords, over every value of the event) and its values.

    Holds if any value holds, or with `all` if every one does; `negated` (modifier neq) turns the result.
    """

    field: str | None
    modifiers: tuple[str, ...]
    values: tuple[Value, ...]
    all: bool = False
    negated: bool = False


class And(NamedTuple):
    """All of `children`."""

    children: "tuple[Node, ...]"


class Or(NamedTuple):
    """Any of `children`."""

    children: "tuple[Node, ...]"


class Not(NamedTuple):
    """Not `child`; a test on a missing field is false, so its negation holds."""

    child: "Node"


class Selection(NamedTuple):
    """A named search identifier of the detection, as the condition refers to it."""

    name: str
    child: "Node"


Node: TypeAlias = And | Or | Not | Selection | FieldTest


class LogSource(NamedTuple):
    """What the rule's `logsource` says, stripped and lower-cased; None where it says nothing."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        """The parts as `category/product/service`, `-` for one that is not given."""
        return "/".join(part or "-" for part in self)


class Meta(NamedTuple):
    """What a rule says about itself; answers have only defaults."""

    id: str = ""
    title: str = ""
    level: str | None = None
    status: str | None = None
    description: str | None = None
    author: str | None = None
    date: str | None = None
    tags: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A valid rule.

    `condition` is the OR of the written `conditions`; `document` holds logsource and detection as loaded. A rule that
    was loaded for a meaning with switches has its `program` for it (see `chainsaw_tree`).
    """

    logsource: LogSource
    condition: Node
    conditions: tuple[str, ...]
    document: Mapping[str, Any]
    meta: Meta = Meta()
    program: object = None
