"""Names of fields as Chainsaw reads them: casts, and paths from the document's root."""

import re
from typing import Final, NamedTuple

_CAST: Final = re.compile(r"(int|str|flt|all)\((.*)\)\Z|(of)\((.*), *([0-9]{1,9})\)\Z")
_UNSERVED_ROOTS: Final = frozenset({"Event_attributes"})
_ROOTS: Final = frozenset({"Event", "Event_attributes"})
_POSITIONAL: Final = "Event.EventData.Data"
# The name that `sigma_env.events.partition` hides; refused whatever the logsource, for a path does not say whose it is.
_VERDICT: Final = re.compile(r"\.\s*RuleName\s*(?![^\s.\[,)])")
OF_VERDICT: Final = "Sysmon's RuleName is what a configuration made of an event, and can't be matched"


class Cast(NamedTuple):
    """A field's name with a function around it.

    Attributes:
        function: int, str, flt, all or of.
        field: the field's name.
        least: of `of`, how many texts have to hold.
    """

    function: str
    field: str
    least: int = 0


def cast_of(name: str) -> Cast | None:
    """The cast that a field's name is, if it is one."""
    found = _CAST.match(name)
    if found is None:
        return None
    if found[3]:
        return Cast("of", found[4].strip(), int(found[5]))
    return Cast(found[1], found[2].strip())


def plain_field(name: str) -> str:
    """A field's name without the cast around it."""
    cast = cast_of(name)
    return name if cast is None else cast.field


def is_verdict_path(text: str) -> bool:
    """Whether the name of a field, or a condition, holds a path to a RuleName."""
    return _VERDICT.search(text) is not None


def unserved_path(field: str) -> str | None:
    """Why a path is not served, None if it is one that is, or none at all.

    The store keeps the values of System and EventData by name and those of UserData by their last name, not documents.
    Where a part of a path is missing, Chainsaw looks its next part up from the root, which only finds something where
    that part is a root's name.
    """
    parts = field.split(".")
    if len(parts) == 1:
        return None
    if is_verdict_path(field):
        return OF_VERDICT
    if not _ROOTS.isdisjoint(parts[1:]):
        return "a path that may be looked up again from the root is not served"
    if "[" in field:
        return "an element of a list is not served"
    if parts[0] in _UNSERVED_ROOTS:
        return "attributes of the root are not kept"
    if parts[0] != "Event" or parts[1] == "System":
        return None
    if parts[1] == "UserData":
        return None if len(parts) > 2 else "a whole section is not served"
    if parts[1] != "EventData":
        return "only paths below Event.System, Event.EventData and Event.UserData are served"
    if field == _POSITIONAL or (len(parts) != 3 and field != f"{_POSITIONAL}.#text"):
        return "below Event.EventData only single values are served, and Data.#text for those without a name"
    return None
