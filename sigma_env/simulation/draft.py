"""A simulated event before its host's clock and counters have seen it, and why it was made."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sigma_env.simulation.schema import EventSchema

Role = Literal["positive", "near_miss", "filtered", "background"]
FieldValue = str | tuple[str, ...]
"""A field's text as readers render it; several for the unnamed `Data` of an event."""


class Scene(NamedTuple):
    """Where something happens: drafts of one scene share every value that neither the rule nor the clock decides.

    Attributes:
        host: short name of a host of the company.
        user: name of an account of the company.
        number: seed of what else is free: parent, directory, program identity …; a near-miss made from a positive
            keeps the positive's number, so that only what it breaks tells them apart.
    """

    host: str
    user: str
    number: int


class Draft(NamedTuple):
    """One event to be logged.

    Attributes:
        schema: the event's kind.
        values: by the event's own field names, every field that is not volatile; a volatile one only if the rule asks
            for its value. Host, clock and counters give the others. Key `Data` for unnamed fields.
        scene: where it happens.
        role: what it is for; the engine has the last word on whether it matches.
        rule_id: the rule it was made for; None for background.
        branch: number of the way in which the rule is matched, or nearly matched; None for background.
        broken: of near-misses and filtered events, the part of the rule that excludes it, in the rule's words, such as
            "selection.CommandLine|contains" or "filter_main_system".
        visible: whether the request shows it.
    """

    schema: EventSchema
    values: Mapping[str, FieldValue]
    scene: Scene
    role: Role
    rule_id: str | None = None
    branch: int | None = None
    broken: str | None = None
    visible: bool = False
