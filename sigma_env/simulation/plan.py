"""What a request says of its rule, decided before a word of it is written."""

from typing import Final, Literal, NamedTuple, get_args

from sigma_env.sigma.rule import Rule

MAX_REQUEST: Final = 4_000
"""Characters of a request, as every task has it."""

PartKind = Literal["logsource", "selection", "condition", "filter", "value", "boundary"]
Scenario = Literal["default", "ambiguous", "partial_data", "wrong_detail", "broken_log_source"]
SCENARIOS: Final[tuple[Scenario, ...]] = get_args(Scenario)
"""What can be special about a request:

default: it tells all that fits.
ambiguous: about half of what must hold together, half of the exceptions and a third of each list are told; the request
    says that there was more. Only what is told is scored.
partial_data: half of each list is told; the request says that the rest is lost.
wrong_detail: beside a right value a misspelt one is given, and marked as wrong or unconfirmed in the same request.
    The plan tells all that the default one does, and that is what is scored.
broken_log_source: events of a channel are missing from the logs, or a field is empty in them, and the request says so.
    The plan's `outage` says what the simulator has to leave out.
"""


class Part(NamedTuple):
    """One thing that an answer has to know.

    Attributes:
        kind: condition = one line of a selection that must hold; filter = what a `not` excludes; value = one written
            value of a line; boundary = how that value is compared (starts, ends, contains, whole, with case).
        place: in the rule's words: "selection.Image|endswith", "filter_main_system"; the second map of a list of
            maps is "selection[2].Image".
        text: what an answer has to know: the value, or what the line says.
        disclosed: whether the request says it.
    """

    kind: PartKind
    place: str
    text: str
    disclosed: bool


class Outage(NamedTuple):
    """What a broken log source withholds; the simulator leaves it out of the logs, and the request says so.

    Attributes:
        channels: channels of which no event arrives.
        blank_fields: fields that are empty in every event of the rule's logsource.
    """

    channels: tuple[str, ...] = ()
    blank_fields: tuple[str, ...] = ()


class Plan(NamedTuple):
    """Which parts of a rule its request discloses.

    Attributes:
        rule: the reference.
        parts: all of its parts, in the rule's order.
        cut: the reference without what is not disclosed; the reference itself if all is disclosed. Shares its lines
            (FieldTest objects) with the reference wherever they are complete.
        coverage: share of the parts that are disclosed, 0…1.
        scenario: what is special about the request; "default" if nothing is.
        outage: in the scenario broken_log_source, what is missing from the logs.
    """

    rule: Rule
    parts: tuple[Part, ...]
    cut: Rule
    coverage: float
    scenario: Scenario = "default"
    outage: Outage | None = None
