"""Events → instances of templates: System outside, each part of the body nested in a slot of its own.

This is the layout that Windows writes. What it costs per event is one lookup by shape and one `struct.pack`: the
template and the descriptors of an event's shape are made once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from sigma_env.events.binxml import (
    Element,
    EventWriteError,
    TypedValue,
    ValueType,
    guid,
    number,
    sid,
    string,
)
from sigma_env.events.binxml_template import Instance, Node, Slot, Template, describe, to_node
from sigma_env.events.evtx_event import Event

_XMLNS = "http://schemas.microsoft.com/win/2004/08/events/event"
_MAX_SHAPES = 8_192

T = TypeVar("T")


class _SystemSlot(NamedTuple):
    field: str
    type: ValueType
    code: str


_NUMBER_CODES = {
    ValueType.UINT8: "B",
    ValueType.UINT16: "H",
    ValueType.UINT32: "I",
    ValueType.UINT64: "Q",
    ValueType.HEX64: "Q",
    ValueType.FILETIME: "Q",
}


def _slots(*slots: tuple[str, ValueType]) -> tuple[_SystemSlot, ...]:
    return tuple(_SystemSlot(field, kind, _NUMBER_CODES.get(kind, "")) for field, kind in slots)


# Windows numbers the slots of System 0 to 18, of which 13 to 17 are free.
_WINDOWS_SLOTS = _slots(
    ("Level", ValueType.UINT8),
    ("Opcode", ValueType.UINT8),
    ("Task", ValueType.UINT16),
    ("EventID", ValueType.UINT16),
    ("EventID_Qualifiers", ValueType.UINT16),
    ("Keywords", ValueType.HEX64),
    ("TimeCreated_SystemTime", ValueType.FILETIME),
    ("Correlation_ActivityID", ValueType.GUID),
    ("Execution_ProcessID", ValueType.UINT32),
    ("Execution_ThreadID", ValueType.UINT32),
    ("EventRecordID", ValueType.UINT64),
    ("Version", ValueType.UINT8),
    ("Security_UserID", ValueType.SID),
    ("Provider_Guid", ValueType.GUID),
    ("", ValueType.NULL),
    ("", ValueType.NULL),
    ("", ValueType.NULL),
    ("", ValueType.NULL),
    ("Correlation_RelatedActivityID", ValueType.GUID),
)
_TRACE_SLOTS = _slots(
    ("Execution_ProcessorID", ValueType.UINT8),
    ("Execution_SessionID", ValueType.UINT32),
    ("Execution_KernelTime", ValueType.UINT32),
    ("Execution_UserTime", ValueType.UINT32),
    ("Execution_ProcessorTime", ValueType.UINT64),
)
_ALL_SLOTS = _WINDOWS_SLOTS + _TRACE_SLOTS
_NUMBERS = {slot.field: index for index, slot in enumerate(_ALL_SLOTS) if slot.field}
_EXECUTION = (
    "Execution_ProcessID",
    "Execution_ThreadID",
    "Execution_ProcessorID",
    "Execution_SessionID",
    "Execution_KernelTime",
    "Execution_UserTime",
    "Execution_ProcessorTime",
)
_CORRELATION = ("Correlation_ActivityID", "Correlation_RelatedActivityID")

_Values = tuple[int | bytes | None, ...]


def is_text_guid(provider_guid: str) -> bool:
    """Whether a provider's GUID is stored as text: in braces, as Windows up to 10 1909 has it."""
    return provider_guid.startswith("{")


def _system_values(event: Event, ticks: int) -> _Values:
    """What fills the slots of System: numbers, encoded bytes, or None."""
    guid_of, activity, related = event.provider_guid, event.activity_id, event.related_activity_id
    values: _Values = (
        event.level,
        event.opcode,
        event.task,
        event.event_id,
        event.qualifiers,
        event.keywords,
        ticks,
        None if activity is None else guid(activity).data,
        event.process_id,
        event.thread_id,
        event.record_id if event.in_channel else None,
        event.version,
        None if event.user_sid is None else sid(event.user_sid).data,
        None if guid_of is None or is_text_guid(guid_of) else guid(guid_of).data,
        None,
        None,
        None,
        None,
        None if related is None else guid(related).data,
    )
    trace = (event.processor_id, event.session_id, event.kernel_time, event.user_time, event.processor_time)
    if trace != (None, None, None, None, None):
        values += trace
    return _with_rendered(values, event.rendered) if event.rendered else values


def _with_rendered(values: _Values, rendered: Mapping[str, str]) -> _Values:
    filled = list(values)
    for field, text in rendered.items():
        if field not in _NUMBERS:
            raise EventWriteError(
                f"rendered: {field!r} is no value of System that can be rendered; known are {', '.join(_NUMBERS)}"
            )
        filled += [None] * (_NUMBERS[field] + 1 - len(filled))
        filled[_NUMBERS[field]] = string(text).data
    return tuple(filled)


class _Layout:
    """The template of all events that have the same shape of System, and what packs their values."""

    def __init__(self, event: Event, values: _Values, wrapped: tuple[bool, ...]) -> None:
        self._slots = [
            slot._replace(type=ValueType.STRING) if slot.field in event.rendered else slot
            for slot in _ALL_SLOTS[: len(values)]
        ]
        self.template = Template(self._root(event, values, wrapped))
        codes = [
            "" if value is None else f"{len(value)}s" if isinstance(value, bytes) else slot.code
            for slot, value in zip(self._slots, values, strict=True)
        ]
        types = (
            ValueType.NULL if value is None else slot.type for slot, value in zip(self._slots, values, strict=True)
        )
        self._present = [index for index, value in enumerate(values) if value is not None]
        self.descriptors = struct.pack(
            f"<{len(values)}I", *(struct.calcsize(f"<{c}") | t << 16 for c, t in zip(codes, types, strict=True))
        )
        self._struct = struct.Struct("<" + "".join(codes))

    def pack(self, values: _Values) -> bytes:
        """The values of System, one behind the other.

        Raises:
            EventWriteError: a number does not fit its field.
        """
        try:
            return self._struct.pack(*[value for value in values if value is not None])
        except struct.error:
            for index in self._present:
                slot, value = self._slots[index], values[index]
                if slot.code and not isinstance(value, bytes | None):
                    _check(slot, value)
            raise

    def _root(self, event: Event, values: _Values, wrapped: tuple[bool, ...]) -> Node:
        children: list[Node | Slot | str] = [self._system(event, values)]
        for index, in_user_data in enumerate(wrapped, len(values)):
            slot = Slot(index, ValueType.BINXML, True)
            children.append(Node("UserData", (), (slot,)) if in_user_data else slot)
        return Node("Event", (("xmlns", _XMLNS),), tuple(children))

    def _system(self, event: Event, values: _Values) -> Node:
        def slot(field: str) -> Slot:
            index = _NUMBERS[field]
            return Slot(index, self._slots[index].type, True)

        def has(field: str) -> bool:
            return _NUMBERS[field] < len(values) and values[_NUMBERS[field]] is not None

        def attributes(fields: tuple[str, ...]) -> tuple[tuple[str, Slot | str], ...]:
            known = (field for field in fields if _NUMBERS[field] < len(values))
            return tuple((field.partition("_")[2], slot(field)) for field in known)

        def numbers(*fields: str) -> list[Node]:
            return [Node(field, (), (slot(field),)) for field in fields if has(field)]

        modern = has("Execution_ProcessID") or has("Execution_ThreadID")
        children = [_provider(event, slot), Node("EventID", attributes(("EventID_Qualifiers",)), (slot("EventID"),))]
        children += numbers("Version", "Level", "Task", "Opcode", "Keywords")
        children.append(Node("TimeCreated", attributes(("TimeCreated_SystemTime",))))
        children += numbers("EventRecordID")
        if modern:
            children += [Node("Correlation", attributes(_CORRELATION)), Node("Execution", attributes(_EXECUTION))]
        if event.in_channel:
            children.append(Node("Channel", (), (event.channel,) if event.channel else ()))
        children.append(Node("Computer", (), (event.computer,) if event.computer else ()))
        if event.in_channel:
            children.append(Node("Security", attributes(("Security_UserID",))))
        return Node("System", (), tuple(children))


def _check(slot: _SystemSlot, value: int) -> None:
    try:
        number(ValueType.UINT64 if slot.type is ValueType.FILETIME else slot.type, value)
    except EventWriteError as error:
        raise EventWriteError(f"{slot.field}: {error}") from error


def _provider(event: Event, slot: Callable[[str], Slot]) -> Node:
    attributes: list[tuple[str, Slot | str]] = [("Name", event.provider)]
    if event.provider_guid is not None:
        text = is_text_guid(event.provider_guid)
        attributes.append(("Guid", event.provider_guid if text else slot("Provider_Guid")))
    if event.provider_source is not None:
        attributes.append(("EventSourceName", event.provider_source))
    return Node("Provider", tuple(attributes))


class Layouts:
    """Makes instances of events; keeps what it made for a shape, up to a limit."""

    def __init__(self) -> None:
        self._layouts: dict[object, _Layout] = {}
        self._bodies: dict[object, Template] = {}

    def instance(self, event: Event, ticks: int) -> Instance:
        """The event as an instance of its templates.

        Args:
            event: the event.
            ticks: its time as a FILETIME.

        Raises:
            EventTooLargeError: its values take more than fits.
            EventWriteError: it holds what EVTX cannot.
        """
        values = _system_values(event, ticks)
        nested, wrapped = self._nested(event)
        sid_bytes = values[_NUMBERS["Security_UserID"]]
        sizes: object = len(sid_bytes) if isinstance(sid_bytes, bytes) else 0
        if event.rendered:
            sizes = tuple([(name, len(text.encode("utf-16-le"))) for name, text in event.rendered.items()])
        key = (
            event.provider,
            event.provider_guid,
            event.provider_source,
            event.channel,
            event.computer,
            event.in_channel,
            tuple(map(type, values)),
            sizes,
            wrapped,
        )
        layout = self._layouts.get(key)
        if layout is None:
            layout = _keep(self._layouts, key, _Layout(event, values, wrapped))
        return Instance(layout.template, layout.descriptors, layout.pack(values), nested)

    def _nested(self, event: Event) -> tuple[tuple[Instance, ...], tuple[bool, ...]]:
        """The parts of the body, and which of them UserData wraps."""
        if event.data is None and (event.binary is not None or event.data_name is not None):
            raise EventWriteError("binary and data_name are parts of EventData; give `data` too, if only ()")
        parts: list[tuple[Instance, bool]] = []
        if event.data is not None:
            if event.user_data is not None:
                raise EventWriteError("an event has both data and user_data; Windows writes only one of them")
            parts.append((self._data(event), False))
        elif event.user_data is not None:
            parts.append((self._element(event.user_data), True))
        parts += [(self._element(element), False) for element in event.other]
        return tuple([part for part, _ in parts]), tuple([wrapped for _, wrapped in parts])

    def _data(self, event: Event) -> Instance:
        names: tuple[str | None, ...] = ()
        typed: tuple[TypedValue, ...] = ()
        if event.data:
            names, typed = zip(*event.data, strict=True)
        if event.binary is not None:
            typed += (event.binary,)
        types, values = zip(*typed, strict=True) if typed else ((), ())
        key = (event.data_name, names, types)
        template = self._bodies.get(key)
        if template is None:
            template = _keep(self._bodies, key, Template(_data_node(*key)))
        return Instance(template, *describe(types, values))

    def _element(self, element: Element) -> Instance:
        typed: list[TypedValue] = []
        node = to_node(element, typed)
        template = self._bodies.get(node)
        if template is None:
            template = _keep(self._bodies, node, Template(node))
        return Instance(template, *describe([value.type for value in typed], [value.data for value in typed]))


def _keep(kept: dict[object, T], key: object, made: T) -> T:
    if len(kept) >= _MAX_SHAPES:
        kept.clear()
    kept[key] = made
    return made


def _data_node(own_name: str | None, names: tuple[str | None, ...], types: tuple[ValueType, ...]) -> Node:
    """EventData; a type more than there are names is that of Binary."""
    slots = [Slot(index, kind, kind is ValueType.NULL) for index, kind in enumerate(types)]
    children = [
        Node("Data", (("Name", name),) if name is not None else (), (slot,))
        for name, slot in zip(names, slots, strict=False)
    ]
    children += [Node("Binary", (), (slot,)) for slot in slots[len(names) :]]
    return Node("EventData", () if own_name is None else (("Name", own_name),), tuple(children))
