"""Logs for tests: events written as EVTX files, and stores of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sigma_env.events.binxml import Element, TypedValue, string
from sigma_env.events.store import EventStore
from sigma_env.events.writer import Event, EvtxWriter

START = datetime(2026, 3, 2, 8, 15, 30, 123456, tzinfo=UTC)
SYSMON = "Microsoft-Windows-Sysmon/Operational"


def event(
    data: Iterable[tuple[str | None, str | TypedValue]] | None = (),
    *,
    record_id: int = 1,
    event_id: int = 1,
    channel: str = SYSMON,
    user_data: Element | None = None,
    **more: Any,
) -> Event:
    """A Sysmon event with the given data, unless told otherwise."""
    values = None if data is None else tuple((n, string(v) if isinstance(v, str) else v) for n, v in data)
    return Event(
        **{
            "provider": "Microsoft-Windows-Sysmon",
            "event_id": event_id,
            "time": START + timedelta(seconds=record_id),
            "record_id": record_id,
            "channel": channel,
            "computer": "PC-1.example.net",
            "data": None if user_data else values,
            "user_data": user_data,
        }
        | more
    )


def write_log(path: Path, events: Sequence[Event]) -> Path:
    """Writes an EVTX file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with EvtxWriter(path) as log:
        for one in events:
            log.write(one)
    return path


def numbered(count: int, text: str = "x") -> list[Event]:
    """Events with EventRecordID 1 to `count`, whose field Image holds `text` and the number."""
    return [event([("Image", f"{text}{i}.exe")], record_id=i) for i in range(1, count + 1)]


def security(fields: dict[str, Any], event_id: int = 4688) -> dict[str, Any]:
    """An event of the Security log as a JSON-like document."""
    return {"Event": {"System": {"Channel": "Security", "EventID": event_id}, "EventData": fields}}


def values(store: EventStore, field: str, view: str | None = None) -> list[list[Any]]:
    """The values that a rule finds under a name, event by event."""
    found: list[list[Any]] = []
    for partition in store.partitions:
        column = partition.column(field, view)
        found += [[] if column is None else column.typed_cells(row) for row in range(partition.n_rows)]
    return found


def same(one: EventStore, other: EventStore) -> bool:
    """Whether two stores hold the same events in the same rows, under the same references, in the same columns."""
    return (
        one.n_events == other.n_events
        and [(p.channel, p.event_id, p.n_rows) for p in one.partitions]
        == [(p.channel, p.event_id, p.n_rows) for p in other.partitions]
        and one.refs(range(one.n_events)) == other.refs(range(other.n_events))
        and all(one.event(row) == other.event(row) for row in range(one.n_events))
        and all(one.time(row) == other.time(row) for row in range(one.n_events))
        and all(
            a.name == b.name and bytes(a.parts.lower) == bytes(b.parts.lower) and (a.codes == b.codes).all()
            for p, q in zip(one.partitions, other.partitions, strict=True)
            for a, b in zip(p.keyword_columns(), q.keyword_columns(), strict=True)
        )
    )
