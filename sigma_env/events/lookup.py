"""From what a person calls an event to its row."""

import difflib
from typing import TYPE_CHECKING

import numpy as np

from sigma_env.errors import StoreError
from sigma_env.events.ref import EventRef

if TYPE_CHECKING:
    from sigma_env.events.store import EventStore

_SHOWN = 5


def row_of(store: "EventStore", ref: EventRef) -> int:
    """See `EventStore.row`."""
    rows = store.rows_of_file(find_file(store, ref.file))
    positions = store.refs_table.position[rows]
    at = int(np.searchsorted(positions, ref.position))
    if at == len(rows) or positions[at] != ref.position:
        raise StoreError(f"{ref.file} has no event at position {ref.position}")
    row = int(rows[at])
    record_id = int(store.refs_table.record_id[row])
    if record_id != ref.record_id:
        raise StoreError(f"{ref.file}: the event at position {ref.position} is record {record_id}, not {ref.record_id}")
    return row


def resolve(store: "EventStore", text: str) -> int:
    """See `EventStore.resolve`."""
    file, record, position = _split(store, text)
    rows = store.rows_of_file(find_file(store, file))
    found = rows[store.refs_table.record_id[rows] == record]
    if position is not None:
        found = found[store.refs_table.position[found] == position]
    if len(found) == 1:
        return int(found[0])
    if len(found):
        names = ", ".join(str(store.ref(int(row))) for row in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise StoreError(f"{text!r} is {len(found)} events; add the position: {names}{more}")
    where = "" if position is None else f" at position {position}"
    raise StoreError(f"{file} has no event with EventRecordID {record}{where}; {_range(store, rows)}")


def _range(store: "EventStore", rows: "np.typing.NDArray[np.int64]") -> str:
    if not len(rows):
        return "no event of it could be read"
    ids = store.refs_table.record_id[rows]
    return f"its {len(rows)} events have {ids.min()} to {ids.max()}"


def _split(store: "EventStore", text: str) -> tuple[str, int, int | None]:
    parts = text.rsplit(":", 2)
    if len(parts) == 3 and _is_number(parts[1]) and _is_number(parts[2]):
        if not _files_called(store, f"{parts[0]}:{parts[1]}"):
            return parts[0], int(parts[1]), int(parts[2])
        parts = text.rsplit(":", 1)
    file, _, record = text.rpartition(":")
    if not file or not _is_number(record):
        raise StoreError(f"{text!r} does not name an event; write FILE:RECORD or FILE:RECORD:POSITION")
    return file, int(record), None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def find_file(store: "EventStore", name: str) -> int:
    """The index of the file that has this name or alias, or alone has a path that ends so.

    Raises:
        StoreError: there is none, or there are several.
    """
    found = _files_called(store, name)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(store.files[i].name for i in found[:_SHOWN])
        raise StoreError(f"{name!r} may be any of {len(found)} files: {names}")
    close = difflib.get_close_matches(name, [f.name for f in store.files], n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise StoreError(f"no log file is called {name!r}{hint}")


def _files_called(store: "EventStore", name: str) -> list[int]:
    for index, file in enumerate(store.files):
        if name == file.name or name in file.aliases:
            return [index]
    end = "/" + name.replace("\\", "/")
    return [i for i, f in enumerate(store.files) if any(n.endswith(end) for n in (f.name, *f.aliases))]
