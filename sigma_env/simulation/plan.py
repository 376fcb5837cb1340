"""What a request says of its rule, decided before a word of it is written."""

from typing import Literal, NamedTuple

from sigma_env.sigma.rule import Rule

PartKind = Literal["logsource", "selection", "condition", "filter", "value", "boundary"]


class Part(NamedTuple):
    """One thing that an answer has to know.

    Attributes:
        kind: condition = one line of a selection that must hold; filter = what a `not` excludes; value = one written
            value of a line; boundary = how that value is compared (starts, ends, contains, whole, with case).
        place: in the rule's words: "selection.Image|endswith", "filter_main_system".
        text: what an answer has to know: the value, or what the line says.
        disclosed: whether the request says it.
    """

    kind: PartKind
    place: str
    text: str
    disclosed: bool


class Plan(NamedTuple):
    """Which parts of a rule its request discloses.

    Attributes:
        rule: the reference.
        parts: all of its parts, in the rule's order.
        cut: the reference without what is not disclosed; the reference itself if all is disclosed. Shares its lines
            (FieldTest objects) with the reference wherever they are complete.
        coverage: share of the parts that are disclosed, 0…1.
    """

    rule: Rule
    parts: tuple[Part, ...]
    cut: Rule
    coverage: float
