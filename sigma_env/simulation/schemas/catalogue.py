"""All event schemas, by event, by logsource and by name."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast

import yaml

from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.taxonomy import SECURITY, SYSMON, select
from sigma_env.simulation.schema import EventSchema, FieldSpec, FieldType
from sigma_env.simulation.schemas.errors import SchemaError
from sigma_env.simulation.schemas.kinds import DATA, FIELD_TYPES, field_spec

_SHORT_CHANNELS: Final = {SYSMON: "sysmon", "Windows PowerShell": "powershell-classic"}
# Their providers are part of a schema's name.
_SHARED_CHANNELS: Final = frozenset({"System", "Application", "DNS Server"})
_LOGGED_BY: Final[Mapping[str, Literal["sysmon", "security"]]] = {SYSMON: "sysmon", SECURITY: "security"}
_HEADER: Final = ("level", "task", "opcode", "keywords", "guid", "source", "qualifiers", "data_name", "user_data")


class Catalogue:
    """Event schemas; make one of the packaged data with `catalogue()`."""

    def __init__(self, schemas: Iterable[EventSchema]) -> None:
        """Sorts schemas by event, newest first.

        Raises:
            SchemaError: two schemas have one name.
        """
        self._named: dict[str, EventSchema] = {}
        events: defaultdict[tuple[str, int], list[EventSchema]] = defaultdict(list)
        for schema in schemas:
            if schema.name in self._named:
                raise SchemaError(f"two schemas are called {schema.name!r}; give one of them its own name")
            self._named[schema.name] = schema
            events[schema.channel.lower(), schema.event_id].append(schema)
        self._events = {event: tuple(found) for event, found in events.items()}
        self._by_channel: defaultdict[str, list[EventSchema]] = defaultdict(list)
        for (channel, _), found in sorted(self._events.items()):
            self._by_channel[channel] += found
        self._selected: dict[LogSource, tuple[EventSchema, ...]] = {}

    def __iter__(self) -> Iterator[EventSchema]:
        """Every schema, in the order of the files."""
        return iter(self._named.values())

    def __len__(self) -> int:
        """How many schemas there are."""
        return len(self._named)

    def named(self, name: str) -> EventSchema:
        """The schema of a name.

        Raises:
            SchemaError: there is none.
        """
        schema = self._named.get(name)
        if schema is None:
            raise SchemaError(f"no event schema is called {name!r}")
        return schema

    def of_event(self, channel: str, event_id: int) -> tuple[EventSchema, ...]:
        """The schemas of an event, newest first; the channel is compared without case. Empty if there is none.

        Several providers may log one EventID to a channel; each has schemas of its own.
        """
        return self._events.get((channel.lower(), event_id), ())

    def selectable(self, logsource: LogSource) -> tuple[EventSchema, ...]:
        """All schemas of events that a logsource selects, by channel and EventID, newest first."""
        if logsource not in self._selected:
            found: dict[str, EventSchema] = {}
            for channel, event_ids, provider in select(logsource).targets:
                of_channel = list(self) if channel is None else self._by_channel.get(channel.lower(), [])
                for schema in of_channel:
                    if (event_ids is None or schema.event_id in event_ids) and provider in (None, schema.provider):
                        found.setdefault(schema.name, schema)
            self._selected[logsource] = tuple(found.values())
        return self._selected[logsource]


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The schemas of the package: those seen in public logs and the project's own.

    Raises:
        SchemaError: a file of the schemas is wrong.
    """
    return load_catalogue(DATA)


def load_catalogue(folder: Path) -> Catalogue:
    """The schemas of `logs.json` and `project.yml` in a folder.

    Raises:
        SchemaError: a file is wrong; the message names it and the event.
    """
    rows = [(row, "logs") for row in json.loads((folder / "logs.json").read_text(encoding="utf-8"))]
    groups = yaml.load((folder / "project.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    rows += [(row, "project") for group in groups for row in _rows(group)]
    schemas = [_schema(row, cast(Literal["logs", "project"], origin)) for row, origin in rows]
    order = sorted(range(len(schemas)), key=lambda at: _age(schemas[at], at))
    return Catalogue(_with_names([schemas[at] for at in order]))


def _rows(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a group of `project.yml`, each for each of the group's channels."""
    shared = {key: value for key, value in group.items() if key not in ("events", "channels")}
    for channel in group["channels"]:
        for event in group["events"]:
            for event_id in event["id"] if isinstance(event["id"], list) else [event["id"]]:
                yield {**shared, **event, "id": event_id, "channel": channel}


def _schema(row: Mapping[str, Any], origin: Literal["logs", "project"]) -> EventSchema:
    try:
        channel, event_id, provider = row["channel"], row["id"], row["provider"]
        unknown = row.keys() - {"channel", "id", "provider", "version", "fields", "choices", *_HEADER}
        if unknown:
            raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
        user_data = row.get("user_data")
        return EventSchema(
            name="",
            channel=channel,
            event_id=event_id,
            version=row.get("version", 0),
            provider=provider,
            provider_guid=row.get("guid"),
            level=row.get("level", 4),
            task=row.get("task", 0),
            opcode=row.get("opcode", 0),
            keywords=int(str(row.get("keywords", "0x8000000000000000")), 0),
            fields=tuple(_fields(channel, event_id, row.get("fields", ""), row.get("choices", {}))),
            logged_by=_LOGGED_BY.get(channel, "windows"),
            origin=origin,
            provider_source=row.get("source"),
            qualifiers=row.get("qualifiers"),
            data_name=row.get("data_name"),
            user_data=None if user_data is None else (user_data[0], user_data[1]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        where = f"{row.get('channel')} {row.get('id')}"
        raise SchemaError(f"event schema of {where} ({origin}): {type(error).__name__} {error}") from error


def _fields(channel: str, event_id: int, text: str, choices: Mapping[str, list[str]]) -> Iterator[FieldSpec]:
    """Fields as the files write them: `Name`, `Name:type`, and `*3` for three unnamed ones; a bar between two."""
    for part in (part.strip() for part in text.split("|")) if text else ():
        if part.startswith("*"):
            for number in range(int(part[1:])):
                seen = choices.get(f"*{number}", ())
                yield field_spec(channel, event_id, None, "string", tuple(seen))
            continue
        name, _, field_type = part.rpartition(":") if ":" in part else (part, "", "string")
        if field_type not in FIELD_TYPES:
            raise ValueError(f"field {name}: {field_type!r} is no type; use one of {', '.join(sorted(FIELD_TYPES))}")
        yield field_spec(channel, event_id, name, cast(FieldType, field_type), tuple(choices.get(name, ())))


def _age(schema: EventSchema, at: int) -> tuple[Any, ...]:
    """Sorts the newest version of an event first; of one version, that with the most fields, or not yet in the logs."""
    event = (schema.channel.lower(), schema.event_id, schema.provider)
    return (*event, -schema.version, -len(schema.fields), schema.origin == "logs", at)


def _with_names(schemas: Iterable[EventSchema]) -> Iterator[EventSchema]:
    """Names like `sysmon-1-v5` for the newest of a version, `sysmon-1-v5-b` for the next one."""
    taken: defaultdict[str, int] = defaultdict(int)
    for schema in schemas:
        name = f"{_slug(schema.channel)}-{schema.event_id}"
        if schema.channel in _SHARED_CHANNELS:
            name = f"{_slug(schema.channel)}-{_slug(schema.provider)}-{schema.event_id}"
        name += f"-v{schema.version}"
        taken[name] += 1
        suffix = "" if taken[name] == 1 else f"-{chr(ord('a') + taken[name] - 1)}"
        yield replace(schema, name=name + suffix)


@lru_cache(maxsize=512)
def _slug(name: str) -> str:
    if name in _SHORT_CHANNELS:
        return _SHORT_CHANNELS[name]
    plain = name.removeprefix("Microsoft-Windows-").removesuffix("/Operational").lower()
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return "-".join(words)
