"""Log files of one host: EVTX as Windows names them, or one JSON document per line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self

import orjson

from sigma_env.events.writer import Event, EvtxWriter
from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.schema import EventSchema

LogFormat = Literal["evtx", "jsonl"]


class LogFile(Protocol):
    """A log that is being written."""

    def write(self, event: Event, schema: EventSchema, values: Mapping[str, FieldValue]) -> None:
        """Adds an event: typed, and as the texts that it was made of."""
        ...

    def close(self) -> None:
        """Ends the file."""
        ...

    def discard(self) -> None:
        """Gives up; nobody must read half a log."""
        ...


class HostLogs:
    """The log files of a host, one per channel, opened when the first event comes.

    Args:
        folder: of all hosts' logs; the host gets a folder of its own.
        host: its short name.
        log_format: of the files.
    """

    def __init__(self, folder: Path, host: str, log_format: LogFormat) -> None:
        self._folder = folder / host
        self._host = host
        self._format = log_format
        self._logs: dict[str, tuple[str, LogFile]] = {}
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, log in self._logs.values():
            if kind is None:
                log.close()
            else:
                log.discard()

    def write(self, event: Event, schema: EventSchema, values: Mapping[str, FieldValue]) -> tuple[str, int]:
        """Adds an event to its channel's file.

        Returns:
            The file's path relative to the folder of all logs, and the event's position in it, from 0.
        """
        found = self._logs.get(event.channel)
        if found is None:
            # Windows names log files like this, because a channel's name may hold a slash.
            name = f"{event.channel.replace('/', '%4')}.{self._format}"
            path = self._folder / name
            log: LogFile = EvtxLog(path) if self._format == "evtx" else JsonLog(path)
            found = self._logs[event.channel] = (f"{self._host}/{name}", log)
        file, log = found
        log.write(event, schema, values)
        position = self._counts.get(event.channel, 0)
        self._counts[event.channel] = position + 1
        return file, position


class EvtxLog:
    """An EVTX file."""

    def __init__(self, path: Path) -> None:
        self._writer = EvtxWriter(path)

    def write(self, event: Event, schema: EventSchema, values: Mapping[str, FieldValue]) -> None:  # noqa: ARG002
        """See LogFile."""
        self._writer.write(event)

    def close(self) -> None:
        """See LogFile."""
        self._writer.close()

    def discard(self) -> None:
        """See LogFile."""
        self._writer.__exit__(RuntimeError, None, None)


class JsonLog:
    """Documents in the shape that `sigma_env.events` reads from `.jsonl` files, one per line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("wb")

    def write(self, event: Event, schema: EventSchema, values: Mapping[str, FieldValue]) -> None:
        """See LogFile."""
        self._file.write(orjson.dumps({"Event": document_of(event, schema, values)}) + b"\n")

    def close(self) -> None:
        """See LogFile."""
        self._file.close()

    def discard(self) -> None:
        """See LogFile."""
        self._file.close()
        self._path.unlink()


_INTEGERS = frozenset(("int32", "uint8", "uint16", "uint32", "uint64"))


def document_of(event: Event, schema: EventSchema, values: Mapping[str, FieldValue]) -> dict[str, object]:
    """An event as a document like those that readers of EVTX give."""
    provider = {"Name": event.provider, "Guid": event.provider_guid, "EventSourceName": event.provider_source}
    system: dict[str, object] = {
        "Provider_attributes": {name: value for name, value in provider.items() if value is not None},
        "EventID": event.event_id,
        "Version": event.version,
        "Level": event.level,
        "Task": event.task,
        "Opcode": event.opcode,
        "Keywords": f"0x{event.keywords:x}" if event.keywords is not None else None,
        "TimeCreated_attributes": {"SystemTime": event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
        "EventRecordID": event.record_id,
        "Execution_attributes": {"ProcessID": event.process_id, "ThreadID": event.thread_id},
        "Channel": event.channel,
        "Computer": event.computer,
    }
    if event.qualifiers is not None:
        system["EventID_attributes"] = {"Qualifiers": event.qualifiers}
    if event.user_sid is not None:
        system["Security_attributes"] = {"UserID": event.user_sid}
    data: dict[str, object] = {}
    for spec in schema.fields:
        if spec.name is None:
            data["Data"] = values["Data"]
        else:
            data[spec.name] = _typed(spec.type, values[spec.name])
    if schema.user_data is not None:
        return {"System": system, "UserData": {schema.user_data[0]: data}}
    document: dict[str, object] = {"System": system}
    if data:
        document["EventData"] = data
    if schema.data_name is not None:
        document["EventData_attributes"] = {"Name": schema.data_name}
    return document


def _typed(field_type: str, value: FieldValue) -> object:
    if field_type in _INTEGERS and isinstance(value, str) and value:
        return int(value)
    return value == "true" if field_type == "boolean" else value
