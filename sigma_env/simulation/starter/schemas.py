"""Schemas of the simulated events: their fields in Windows' order, with types and defaults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from sigma_env.events import binxml
from sigma_env.events.binxml import EventWriteError, TypedValue, ValueType
from sigma_env.simulation.starter.company import Host
from sigma_env.simulation.starter.files import DATA, Strict, read_mapping, validate

FieldType = Literal[
    "string", "boolean", "int32", "uint16", "uint32", "uint64", "hex32", "hex64", "guid", "sid", "filetime"
]
_PYTHON_TYPES: dict[str, type] = {"string": str, "boolean": bool, "guid": str, "sid": str, "filetime": datetime}
_ENCODERS: dict[str, Callable[[Any], TypedValue]] = {
    "string": binxml.string,
    "boolean": binxml.boolean,
    "guid": binxml.guid,
    "sid": binxml.sid,
    "filetime": binxml.filetime,
    "int32": partial(binxml.number, ValueType.INT32),
    "uint16": partial(binxml.number, ValueType.UINT16),
    "uint32": partial(binxml.number, ValueType.UINT32),
    "uint64": partial(binxml.number, ValueType.UINT64),
    "hex32": partial(binxml.number, ValueType.HEX32),
    "hex64": partial(binxml.number, ValueType.HEX64),
}


class FieldSpec(NamedTuple):
    """One field: its name (None: an unnamed `Data`), its type and, if it has one, its default."""

    name: str | None
    type: FieldType
    default: Any = ...


class Schema(Strict):
    """One kind of event; schemas.yml says what the keys mean."""

    channel: str
    provider: str
    guid: str | None = None
    source: str | None = None
    qualifiers: int | None = None
    keywords: int
    level: int = 4
    event_id: int
    version: int = 0
    task: int | None = None
    opcode: int = 0
    logger: Literal[
        "sysmon", "lsass", "system", "eventlog", "services", "actor", "defender", "schedule", "bits", "firewall", "none"
    ]
    actor: str | None = None
    target: str | None = None
    current_only: frozenset[str] = frozenset()
    since_version_2: frozenset[str] = frozenset()
    data_name: str | None = None
    user_data: tuple[str, str] | None = None
    fields: tuple[tuple[str | None, FieldType] | tuple[str | None, FieldType, Any], ...] = Field(min_length=1)

    def version_on(self, host: Host) -> int:
        """The event's version there: Server 2012 R2 logs an older one of some Security events."""
        return 1 if self._is_old_security(host) else self.version

    def fields_on(self, host: Host) -> list[FieldSpec]:
        """The fields that the event has there, in order."""
        missing: frozenset[str] = self.current_only if host.spec.sysmon == "old" else frozenset()
        if self._is_old_security(host):
            missing |= self.since_version_2
        return [FieldSpec(*field) for field in self.fields if field[0] not in missing]

    def field_names(self) -> set[str]:
        """Every name that a scenario may set; `Data` stands for all unnamed values."""
        return {field[0] or "Data" for field in self.fields}

    def _is_old_security(self, host: Host) -> bool:
        return bool(self.since_version_2) and host.spec.security == 1


def load_schemas(folder: Path = DATA) -> dict[str, Schema]:
    """The schemas by name.

    Raises:
        StarterError: schemas.yml is wrong.
    """
    path = folder / "schemas.yml"
    content = read_mapping(path)
    # Mappings without an event are anchors that the schemas share.
    return {name: validate(Schema, entry, f"{path}: {name}") for name, entry in content.items() if "event_id" in entry}


def encode(field_type: FieldType, value: object) -> TypedValue:
    """A value as its field's type.

    Raises:
        EventWriteError: it is of another type, or out of range.
    """
    expected = _PYTHON_TYPES.get(field_type, int)
    if type(value) is not expected:
        raise EventWriteError(f"{value!r} must be {expected.__name__} for the type {field_type}; mind YAML's quotes")
    return _ENCODERS[field_type](value)
