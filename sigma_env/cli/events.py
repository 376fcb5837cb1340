"""``sigma-env events``: events under the field names that Sigma rules use."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sigma_env.events.column import Cell
    from sigma_env.events.partition import Partition
    from sigma_env.events.store import EventStore

_PROCESS_CREATION = "process_creation"


def events(
    file: Annotated[Path, typer.Argument(help="An EVTX file, or a folder with EVTX files.")],
    channel: Annotated[str | None, typer.Option(help="Only events of this channel, in any case.")] = None,
    event_id: Annotated[list[int] | None, typer.Option(help="Only events with this EventID. Repeatable.")] = None,
    record: Annotated[list[int] | None, typer.Option(help="Only events with this EventRecordID. Repeatable.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=TEXT", help="Only events whose field holds the text, in any case. Repeatable: all must."
        ),
    ] = None,
    field: Annotated[list[str] | None, typer.Option(help="Show only this field. Repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most so many events; 0 means all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event and line.")] = False,
) -> None:
    """Show the events of a log under the field names that rules use.

    An event's first line is its name (FILE:RECORD:POSITION, as sigma-env
    explain --event takes it), its time in UTC, its computer, and the
    categories and services of the logsources that select it. Below stand its
    fields. A field with several values has one line for each.

    A Security 4688 is shown with its own fields and, below them, those under
    which rules of the category process_creation know it.

    Exit status: 0; 1 if nothing could be read, or no event is as asked for;
    2 for a usage error.

    For instance:

      sigma-env events Security.evtx --event-id 4688 --limit 1

      sigma-env events logs/ --channel System --where ServiceName=psexe

      sigma-env events Sysmon.evtx --field Image --field CommandLine --json
    """
    from sigma_env.cli._logs import open_logs, printable

    conditions = [_condition(text) for text in where or ()]
    store = open_logs([file])
    for name, position, reason in store.unreadable:
        at = "" if position is None else f", record {position}"
        print(f"warning: not read: {printable(name)}{at}: {printable(reason)}", file=sys.stderr)
    chosen = _chosen(store, channel, set(event_id or ()), set(record or ()))
    shown = left = 0
    for partition, row in chosen:
        if not all(_holds(partition, row, name, text) for name, text in conditions):
            continue
        if limit and shown == limit:
            left += 1
            continue
        shown += 1
        _show(store, partition, row, field or (), as_json)
    if left:
        print(f"{left:,} more events; --limit 0 shows all", file=sys.stderr)
    if not shown:
        print("error: no event is as asked for", file=sys.stderr)
        raise typer.Exit(1)


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"write FIELD=TEXT, not {text!r}", param_hint="--where")
    return name, value.lower()


def _chosen(
    store: EventStore, channel: str | None, event_ids: set[int], records: set[int]
) -> Iterator[tuple[Partition, int]]:
    """The events asked for as (partition, row in it), in the order of their files and in reading order."""
    for index in range(len(store.files)):
        for row in store.rows_of_file(index).tolist():
            partition = store.partition_of(row)
            if channel is not None and partition.channel.lower() != channel.lower():
                continue
            if event_ids and partition.event_id not in event_ids:
                continue
            if not records or store.ref(row).record_id in records:
                yield partition, row - partition.base


def _holds(partition: Partition, row: int, field: str, text: str) -> bool:
    for view in (None, _PROCESS_CREATION):
        column = partition.column(field, view)
        if column is not None and any(v is not None and text in str(v).lower() for v in column.cells(row)):
            return True
    return False


def _show(store: EventStore, partition: Partition, row: int, fields: Sequence[str], as_json: bool) -> None:
    cells = partition.cells(row)
    views = partition.cells(row, _PROCESS_CREATION)
    # What 4688 calls ProcessId is the creator's: the category's ProcessId is another one.
    as_process = {name: cell for name, cell in views.items() if name not in cells or cells[name] != cell}
    if fields:
        cells = _asked_for(cells, partition, row, fields)
        as_process = {name: cell for name, cell in as_process.items() if name in fields}
    if as_json:
        print(json.dumps(_as_json(store, partition, row, cells, as_process), ensure_ascii=False))
    else:
        _tell(store, partition, row, cells, as_process)


def _asked_for(cells: dict[str, Cell], partition: Partition, row: int, fields: Sequence[str]) -> dict[str, Cell]:
    """The fields asked for, by any name under which a rule finds them."""
    found: dict[str, Cell] = {}
    for name in fields:
        column = partition.column(name)
        if name in cells:
            found[name] = cells[name]
        elif column is not None and (values := column.typed_cells(row)):
            found[name] = values[0] if len(values) == 1 else values
    return found


def _as_json(
    store: EventStore, partition: Partition, row: int, cells: dict[str, Cell], as_process: dict[str, Cell]
) -> dict[str, Any]:
    ref, time = store.ref(partition.base + row), store.time(partition.base + row)
    shown: dict[str, Any] = {
        "file": ref.file,
        "event_record_id": ref.record_id,
        "position": ref.position,
        "time": None if time is None else time.isoformat(),
        "computer": store.computer(partition.base + row),
        "channel": partition.channel,
        "event_id": None if partition.event_id < 0 else partition.event_id,
        "fields": cells,
    }
    return shown | ({_PROCESS_CREATION: as_process} if as_process else {})


def _tell(
    store: EventStore, partition: Partition, row: int, cells: dict[str, Cell], as_process: dict[str, Cell]
) -> None:
    from sigma_env.cli._logs import printable

    time = store.time(partition.base + row)
    when = "no time" if time is None else f"{time:%Y-%m-%d %H:%M:%S.%f}"
    head = [str(store.ref(partition.base + row)), when, store.computer(partition.base + row)]
    print(printable("  ".join([*head, _logsources(partition)]).rstrip()))
    _tell_fields(cells, "  ")
    if as_process:
        print(f"  as {_PROCESS_CREATION}:")
        _tell_fields(as_process, "    ")
    print()


def _tell_fields(cells: dict[str, Cell], indent: str) -> None:
    from sigma_env.cli._logs import printable

    for name, cell in cells.items():
        for value in cell if isinstance(cell, list) else [cell]:
            text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            print(f"{indent}{printable(name)}: {printable(text)}".rstrip())


def _logsources(partition: Partition) -> str:
    """The categories and services whose logsource selects the partition's events."""
    from sigma_env.sigma.rule import LogSource
    from sigma_env.sigma.taxonomy import categories, select, services

    sources = [f"category {c}" for c in categories() if _selects(select(LogSource(c, "windows", None)), partition)]
    sources += [f"service {s}" for s in services() if _selects(select(LogSource(None, "windows", s)), partition)]
    return f"({', '.join(sources)})" if sources else ""


def _selects(targets: Any, partition: Partition) -> bool:
    return any(
        target.channel is not None
        and target.channel.lower() == partition.channel.lower()
        and (target.event_ids is None or partition.event_id in target.event_ids)
        for target in targets.targets
    )
