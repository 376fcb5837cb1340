"""One event document → its fields under the names that Sigma rules use.

Sigma names an event's values as Windows' own XML does, flattened: children of `System` by their tag
(`EventID`, `Channel`), attributes as Tag_Attribute (`Provider_Name`, `Execution_ProcessID`), `Data` by its Name,
unnamed `Data` as the field `Data` with one value per element, `UserData` by its leaf elements. `RenderingInfo`,
which forwarded events carry, is the rendered message, no data of the event, and is left out.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sigma_env.errors import StoreError
from sigma_env.events.column import Cell, Scalar

NO_EVENT_ID = -1
"""Event id of events whose System has no decimal EventID."""
NO_TIME = -(2**63)
"""Time of events without a readable TimeCreated."""

_ATTRIBUTE_ONLY = frozenset({"Provider", "TimeCreated", "Correlation", "Execution", "Security"})
_ATTRIBUTES = "_attributes"
_NOT_DATA = frozenset({"System", "RenderingInfo", "#attributes"})
_REPEATED = re.compile(r"(.+)_([1-9][0-9]{0,5})", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class FlatEvent(NamedTuple):
    """An event as rules see it.

    Attributes:
        channel: System/Channel, "" if it has none.
        event_id: System/EventID, or NO_EVENT_ID.
        record_id: System/EventRecordID, or None.
        time: microseconds since 1970, UTC, or NO_TIME.
        system: values of System's elements and attributes by field name.
        data: all other values by the name that the event gives them, spaces included.
        elsewhere: names of data that do not stand in EventData by themselves: UserData's, attributes, nested elements.
    """

    channel: str
    event_id: int
    record_id: int | None
    time: int
    system: dict[str, Cell]
    data: dict[str, Cell]
    elsewhere: frozenset[str] = frozenset()


def flatten(document: Mapping[str, Any], xml: str = "") -> FlatEvent:
    """Flattens an event: the nested shape that EVTX readers give, or a flat one of Sigma fields.

    Args:
        document: `{"Event": {"System": …, "EventData": …}}` with attributes beside their element (`X_attributes`)
            or in it (`#attributes`, `#text`), or a flat mapping with `EventID` or `Channel`.
        xml: the same event as XML, if at hand: tells an element `X_1` from the second `X`, which JSON calls so too.

    Raises:
        StoreError: the document is neither, or holds something that no event can hold.
    """
    if not isinstance(document, Mapping):
        raise StoreError(f"a {type(document).__name__} is no event")
    event = document.get("Event")
    if event is None:
        return _flat_document(document)
    if not isinstance(event, Mapping) or not isinstance(event.get("System"), Mapping):
        raise StoreError("the event has no System element")
    system = _system(event["System"])
    data: dict[str, Cell] = {}
    own = frozenset[str]()
    for section, content in event.items():
        if section in _NOT_DATA:
            continue
        if section == "EventData" and isinstance(content, dict):
            _event_data(content, data, xml)
            own = frozenset(content)
        elif section.endswith(_ATTRIBUTES) and isinstance(content, Mapping):
            _attributes(section[: -len(_ATTRIBUTES)], content, data)
        elif content is not None:
            _leaves(section, content, data, xml)
    flat = _identified(system, data)
    return flat if data.keys() <= own else flat._replace(elsewhere=frozenset(data.keys() - own))


def microseconds(text: object) -> int:
    """Microseconds from 1970 to an ISO 8601 time (UTC if it names no zone), or NO_TIME."""
    try:
        time = datetime.fromisoformat(text)  # type: ignore[arg-type]
        return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError, OverflowError):
        return NO_TIME


def _identified(system: dict[str, Cell], data: dict[str, Cell]) -> FlatEvent:
    channel = system.get("Channel")
    return FlatEvent(
        channel if isinstance(channel, str) else "",
        _decimal(system.get("EventID"), NO_EVENT_ID),
        _decimal(system.get("EventRecordID"), None),
        microseconds(system.get("TimeCreated_SystemTime")),
        system,
        data,
    )


def _decimal(value: Cell, default: Any) -> Any:
    if type(value) is int:
        number = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        number = int(value)
    else:
        return default
    return number if 0 <= number < 2**63 else default


def _system(elements: Mapping[str, Any]) -> dict[str, Cell]:
    fields: dict[str, Cell] = {}
    for name, value in elements.items():
        if isinstance(value, dict) and name.endswith(_ATTRIBUTES):
            _attributes(name[: -len(_ATTRIBUTES)], value, fields)
        elif isinstance(value, dict | list):
            _leaves(name, value, fields, "")
        elif value is None and name in _ATTRIBUTE_ONLY:
            continue  # `<Security/>`: an element that says everything in its attributes, and has none
        else:
            _add(fields, name, value)
    return fields


def _event_data(elements: dict[str, Any], fields: dict[str, Cell], xml: str) -> None:
    for name, value in elements.items():
        kind = type(value)
        if kind is str or kind is int:
            if name in fields:
                _add(fields, name, value)
            else:
                fields[name] = value
        elif kind is dict and name.endswith(_ATTRIBUTES) and "#text" not in value:
            _attributes(name[: -len(_ATTRIBUTES)], value, fields)
        elif kind is dict and name == "#attributes":
            _attributes("EventData", value, fields)
        else:
            _leaves(_sibling(name, elements, xml), value, fields, xml)


def _leaves(name: str, value: Any, fields: dict[str, Cell], xml: str) -> None:
    if isinstance(value, list):
        for item in value:
            _leaves(name, item, fields, xml)
    elif not isinstance(value, Mapping):
        _add(fields, name, value)
    else:
        for key, child in value.items():
            if key == "#text":
                _leaves(name, child, fields, xml)
            elif key == "#attributes" and isinstance(child, Mapping):
                _attributes(name, child, fields)
            elif key.endswith(_ATTRIBUTES) and isinstance(child, Mapping):
                _attributes(_sibling(key[: -len(_ATTRIBUTES)], value, xml), child, fields)
            else:
                _leaves(_sibling(key, value, xml), child, fields, xml)


def _sibling(key: str, siblings: Mapping[str, Any], xml: str) -> str:
    """The tag of an element: EVTX readers call a second and third element X of one parent X_1 and X_2."""
    repeated = _REPEATED.fullmatch(key)
    if repeated is None:
        return key
    tag, number = repeated[1], int(repeated[2])
    before = tag if number == 1 else f"{tag}_{number - 1}"
    if before not in siblings and before + _ATTRIBUTES not in siblings:
        return key
    return key if re.search(rf"<{re.escape(key)}[\s/>]", xml) or f'Name="{key}"' in xml else tag


def _attributes(tag: str, attributes: Mapping[str, Any], fields: dict[str, Cell]) -> None:
    for name, value in attributes.items():
        if name != "xmlns" and not name.startswith("xmlns:"):
            _leaves(f"{tag}_{name}", value, fields, "")


def _add(fields: dict[str, Cell], name: str, value: Any) -> None:
    if value is not None and not isinstance(value, str | int | float):
        raise StoreError(f"field {name!r} holds a {type(value).__name__}; events hold text, numbers and booleans")
    if name not in fields:
        fields[name] = value
        return
    there = fields[name]
    fields[name] = [*there, value] if isinstance(there, list) else [there, value]


def _flat_document(document: Mapping[str, Any]) -> FlatEvent:
    if "EventID" not in document and "Channel" not in document:
        raise StoreError("the document is no event: it has neither Event nor EventID nor Channel")
    system: dict[str, Cell] = {}
    data: dict[str, Cell] = {}
    for name, value in document.items():
        _leaves(name, value, system if is_system_field(name) else data, "")
    return _identified(system, data)


_SYSTEM_TAGS = frozenset(
    ["EventID", "Version", "Level", "Task", "Opcode", "Keywords", "EventRecordID", "Channel", "Computer"]
    + ["EventID_Qualifiers", "TimeCreated_SystemTime", "Security_UserID"]
    + [f"Provider_{a}" for a in ("Name", "Guid", "EventSourceName")]
    + [f"Correlation_{a}" for a in ("ActivityID", "RelatedActivityID")]
    + [
        f"Execution_{a}"
        for a in ("ProcessID", "ThreadID", "ProcessorID", "SessionID", "KernelTime", "UserTime", "ProcessorTime")
    ]
)


def is_system_field(name: str) -> bool:
    """Whether a name of a flat document stands for an element or attribute of System."""
    return name in _SYSTEM_TAGS


def scalars(cell: Cell) -> list[Scalar]:
    """The values of a cell as a list."""
    return cell if isinstance(cell, list) else [cell]
