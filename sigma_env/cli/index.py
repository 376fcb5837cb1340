"""``sigma-env index``: logs into a store, and what could not be read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sigma_env.events.store import EventStore

_FILES_LISTED = 20


def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="EVTX files, and folders with EVTX files. A .json or .jsonl file of events too."
        ),
    ],
    files: Annotated[
        bool, typer.Option("--files", help="List every file, with the names of files that equal it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Read EVTX files into a store, and name what could not be read.

    Folders are searched for .evtx files at any depth. Of files with the same
    content one is read, and the others are aliases of it. The store is kept
    in your cache (SIGMA_ENV_CACHE names another place), so that all commands
    open the same logs at once the next time; they build it themselves too.

    Shown are the number of events of each channel and EventID, and every
    file, chunk and record that could not be read, with the reason.

    Exit status: 0, also if some things could not be read; 1 if nothing could
    be read; 2 for a usage error.

    For instance:

      sigma-env index logs/

      sigma-env index --files Security.evtx System.evtx

      sigma-env index --json logs/
    """
    from sigma_env.cli._logs import open_logs

    store = open_logs(paths)
    if as_json:
        print(json.dumps(_as_json(store), indent=1))
    else:
        _tell(store, list_files=files or len(store.files) <= _FILES_LISTED)
    if store.unreadable and not store.n_events:
        raise typer.Exit(1)


def _tell(store: EventStore, list_files: bool) -> None:
    from sigma_env.cli._logs import printable

    aliases = sum(len(f.aliases) for f in store.files)
    also = f" ({aliases:,} more have the same content)" if aliases else ""
    first, last = store.time_range()
    when = f", {_second(first)} to {_second(last)} UTC" if first and last else ""
    print(f"{len(store.files):,} files{also}, {store.n_events:,} events{when}")
    if list_files:
        for file in store.files:
            print(f"  {file.n_events:>9,} events  {printable(file.name)}")
            for alias in file.aliases:
                print(f"{'':>18}= {printable(alias)}")
    if store.partitions:
        print(f"\n{'events':>11}  EventID  channel")
    for partition in store.partitions:
        event_id = "-" if partition.event_id < 0 else partition.event_id
        print(f"{partition.n_rows:>11,}  {event_id:>7}  {printable(partition.channel) or '-'}")
    if store.unreadable:
        print(f"\nnot read ({len(store.unreadable):,}):")
    for file_name, position, reason in store.unreadable:
        where = "" if position is None else f", record {position}"
        print(f"  {printable(file_name)}{where}: {printable(reason)}")


def _second(time: object) -> str:
    return str(time)[:19]


def _as_json(store: EventStore) -> dict[str, Any]:
    first, last = store.time_range()
    return {
        "fingerprint": store.fingerprint,
        "events": store.n_events,
        "first": first and first.isoformat(),
        "last": last and last.isoformat(),
        "files": [
            {"name": f.name, "aliases": list(f.aliases), "size": f.size, "events": f.n_events} for f in store.files
        ],
        "partitions": [
            {
                "channel": p.channel,
                "event_id": None if p.event_id < 0 else p.event_id,
                "events": p.n_rows,
                "fields": list(p.columns),
            }
            for p in store.partitions
        ],
        "unreadable": [u._asdict() for u in store.unreadable],
    }
