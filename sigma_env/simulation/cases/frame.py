"""One kind of event as the rules of a category see it: which field a name means, and what it holds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sigma_env.events.derived import PROCESS_CREATION
from sigma_env.sigma.taxonomy import event_types
from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.schema import EventSchema, FieldKind, FieldSpec
from sigma_env.simulation.schemas import resolve

DATA: Final = "Data"
USER: Final = "User"
EVENT_TYPE: Final = "EventType"
UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for what clock and counters will give: a text that no literal meets."""

_USER_OF_4688: Final = FieldSpec(USER, "string", FieldKind.USER)
_NOBODY: Final = "S-1-0-0"
_LATER: Final = (
    "EventRecordID", "TimeCreated_SystemTime", "Execution_ProcessID", "Execution_ThreadID", "Security_UserID",
    "Correlation_ActivityID",
)  # fmt: skip


class Frame:
    """The fields of a schema by the names that rules of one category use.

    Attributes:
        schema: the kind of event.
        category: of the rules' logsource.
        volatile: names of the fields that clock and counters fill.
        fixed: System's fields that the kind decides.
    """

    def __init__(self, schema: EventSchema, category: str | None) -> None:
        self.schema = schema
        self.category = category
        self.volatile = frozenset(slot_name(spec) for spec in schema.fields if spec.volatile)
        self._slots: dict[str, FieldSpec | None] = {}
        self._systems: dict[str, bool] = {}
        self.fixed: Mapping[str, str] = {
            "Channel": schema.channel,
            "EventID": str(schema.event_id),
            "Provider_Name": schema.provider,
            "Version": str(schema.version),
            "Level": str(schema.level),
            "Task": str(schema.task),
            "Opcode": str(schema.opcode),
            "Keywords": f"0x{schema.keywords:x}",
            **({} if schema.provider_guid is None else {"Provider_Guid": schema.provider_guid}),
            **({} if schema.provider_source is None else {"Provider_EventSourceName": schema.provider_source}),
            **({} if schema.qualifiers is None else {"EventID_Qualifiers": str(schema.qualifiers)}),
        }

    def slot(self, field: str) -> FieldSpec | None:
        """The field that can be given a value; None if the event has none of the name, or System answers for it."""
        try:
            return self._slots[field]
        except KeyError:
            found = resolve(self.schema, field, self.category)
            if isinstance(found, str):
                self._systems[field] = True
                spec = _USER_OF_4688 if found == USER and self.category == PROCESS_CREATION else None
            else:
                spec = None if found is None else self._as_meant(found)
            self._slots[field] = spec
            return spec

    def _as_meant(self, spec: FieldSpec) -> FieldSpec:
        """The field with the types that the category means; other events of the same EventID are not scored."""
        types = event_types(self.category) if spec.name == EVENT_TYPE and self.category is not None else None
        if types is None or not types.intersection(spec.choices):
            return spec
        return replace(spec, choices=tuple([choice for choice in spec.choices if choice in types]))

    def is_lacking(self, field: str) -> bool:
        """Whether no event of this kind has the field."""
        return self.slot(field) is None and field not in self._systems

    def texts(self, field: str, values: Mapping[str, FieldValue], computer: str) -> tuple[str | None, ...]:
        """The values that a rule finds under a name in an event of this kind."""
        spec = self.slot(field)
        if spec is None:
            return self._of_system(field, computer)
        if spec is _USER_OF_4688:
            return (_user(values),)
        return _as_tuple(values.get(slot_name(spec), UNKNOWN))

    def _of_system(self, field: str, computer: str) -> tuple[str, ...]:
        if field not in self._systems:
            return ()
        if field == "Computer":
            return (computer,)
        text = self.fixed.get(field)
        if text is not None:
            return (text,)
        return (UNKNOWN,) if field in _LATER else ()

    def every(self, values: Mapping[str, FieldValue], computer: str) -> Iterator[str]:
        """Each value of an event of this kind that is known before it is logged."""
        yield from self.fixed.values()
        yield computer
        for value in values.values():
            if isinstance(value, str):
                yield value
            else:
                yield from value


def slot_name(spec: FieldSpec) -> str:
    """The key of a field in a draft's values."""
    return DATA if spec.name is None else spec.name


def put(values: dict[str, FieldValue], spec: FieldSpec, value: FieldValue) -> Iterable[str]:
    """Gives a field a value.

    Args:
        values: of an event; changed.
        spec: the field.
        value: what it is to hold; for unnamed `Data` all of them.

    Returns:
        The event's own names of what was changed.
    """
    if spec is _USER_OF_4688 and isinstance(value, str):
        domain, _, account = value.rpartition("\\")
        changed = {"SubjectUserName": account, "SubjectDomainName": domain or "-"}
        if "TargetUserSid" in values:  # older versions say nothing of whom the new process runs as
            changed |= {"TargetUserSid": _NOBODY, "TargetUserName": "-", "TargetDomainName": "-"}
        changed = {field: text for field, text in changed.items() if field in values}  # old versions have no target
        values.update(changed)
        return changed
    values[slot_name(spec)] = value
    return (slot_name(spec),)


def _as_tuple(value: FieldValue) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _user(values: Mapping[str, FieldValue]) -> str:
    """See `sigma_env.events.derived.process_user`."""
    sid = values.get("TargetUserSid", _NOBODY)
    side = "Subject" if str(sid).upper() == _NOBODY else "Target"
    return f"{values.get(f'{side}DomainName', '-')}\\{values.get(f'{side}UserName', '-')}"


class DraftEvent:
    """A draft as a rule sees it, before clock and counters."""

    __slots__ = ("_computer", "_frame", "_values")

    def __init__(self, frame: Frame, values: Mapping[str, FieldValue], computer: str) -> None:
        self._frame, self._values, self._computer = frame, values, computer

    def values(self, field: str) -> Sequence[str | None]:
        """See `sigma_env.engines.evaluator.Event`."""
        return self._frame.texts(field, self._values, self._computer)

    def every_value(self) -> Iterator[str]:
        """See `sigma_env.engines.evaluator.Event`."""
        return self._frame.every(self._values, self._computer)
