"""What an event of one kind consists of: its fields in Windows' order, with types and with what each can hold."""

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Literal

FieldType = Literal[
    "string", "boolean", "int32", "uint8", "uint16", "uint32", "uint64", "hex32", "hex64", "guid", "sid", "filetime",
    "binary",
]  # fmt: skip
"""BinXML type of a value, as `sigma_env.events.binxml` writes it."""


UNNAMED: Final = "Data"
"""Key of the unnamed values of an event, a tuple of texts."""


class FieldKind(StrEnum):
    """What a field holds: decides what text it can be, how a realistic one looks, and which fields are its siblings."""

    IMAGE = "image"  # absolute path of an executable or library, '', '-' or a documented pseudo-process
    FILE = "file"  # absolute path of a file
    DIRECTORY = "directory"
    COMMAND_LINE = "command_line"
    REGISTRY_KEY = "registry_key"  # HKLM\…, HKU\…, with the value's name where the event has it there
    REGISTRY_DATA = "registry_data"  # what a registry value is set to
    PIPE = "pipe"
    HOST_NAME = "host_name"
    IP = "ip"
    PORT = "port"
    USER = "user"  # DOMAIN\name
    ACCOUNT = "account"  # a name without its domain
    DOMAIN = "domain"
    SID = "sid"
    GUID = "guid"
    LOGON_ID = "logon_id"
    PID = "pid"
    TIME = "time"
    HASHES = "hashes"
    VERSION_INFO = "version_info"  # Description, Company, Product, OriginalFileName, FileVersion
    SCRIPT = "script"  # program text
    URL = "url"
    WQL = "wql"  # a query to WMI
    SHARE = "share"  # \\\\server\\share, the server often as *
    SERVICE_NAME = "service_name"
    TASK_NAME = "task_name"
    ENUM = "enum"  # one of `choices`
    NUMBER = "number"
    TEXT = "text"  # anything


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of an event.

    Attributes:
        name: as the event has it; None for an unnamed `Data`.
        type: how its value is stored.
        kind: what it holds.
        choices: of an ENUM, every text it can be; of another kind, real examples to draw from.
        volatile: whether it differs between events that are otherwise the same (times, ids, GUIDs, PIDs, handles).
    """

    name: str | None
    type: FieldType
    kind: FieldKind
    choices: tuple[str, ...] = ()
    volatile: bool = False


@dataclass(frozen=True)
class EventSchema:
    """One version of one event.

    Attributes:
        name: unique, such as "sysmon-1-v5".
        logged_by: the part of a host's logging profile that writes it: "sysmon", "security" or "windows".
        origin: "logs" if the field list was seen in public logs, else "project".
        user_data: name and namespace of UserData's child, for events that have no EventData.
        data_name: EventData's own Name attribute.
    """

    name: str
    channel: str
    event_id: int
    version: int
    provider: str
    provider_guid: str | None
    level: int
    task: int
    opcode: int
    keywords: int
    fields: tuple[FieldSpec, ...]
    logged_by: Literal["sysmon", "security", "windows"]
    origin: Literal["logs", "project"]
    provider_source: str | None = None
    qualifiers: int | None = None
    data_name: str | None = None
    user_data: tuple[str, str] | None = field(default=None)

    @cached_property
    def by_name(self) -> dict[str, FieldSpec]:
        """The named fields by the name that rules use: without spaces (see MEANING: `New Value` is `NewValue`)."""
        return {spec.name.replace(" ", ""): spec for spec in self.fields if spec.name is not None}

    def __hash__(self) -> int:
        # Schemas are keys of caches; going through all fields each time would cost more than what is cached.
        return hash(self.name)

    @property
    def is_classic(self) -> bool:
        """Whether a classic event source writes it: unnamed texts, and neither Version nor Opcode nor Execution."""
        return self.provider_guid is None and bool(self.fields) and all(f.name in (None, "Binary") for f in self.fields)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Under what the event's values are kept: the names of its fields, and `Data` for the unnamed ones."""
        return frozenset(spec.name or UNNAMED for spec in self.fields)

    def __reduce__(self) -> tuple[object, ...]:
        # Drafts go between processes by the thousand: a schema of the package travels as its name.
        from sigma_env.simulation.schemas.catalogue import catalogue

        if any(known is self for known in catalogue().of_event(self.channel, self.event_id)):
            return _of_the_package, (self.name,)
        return _of_its_own, (vars(self),)


def _of_the_package(name: str) -> EventSchema:
    from sigma_env.simulation.schemas.catalogue import catalogue

    return catalogue().named(name)


def _of_its_own(attributes: dict[str, Any]) -> EventSchema:
    names = {own.name for own in dataclasses.fields(EventSchema)}
    return EventSchema(**{name: value for name, value in attributes.items() if name in names})
