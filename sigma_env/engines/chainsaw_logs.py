"""The log files of a store as Chainsaw can read them, and its events as rows of the store."""

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sigma_env.errors import EngineError, StoreError
from sigma_env.events.build import log_paths
from sigma_env.events.flatten import FlatEvent, flatten
from sigma_env.events.store import EventStore

_SUFFIX: Final = ".evtx"


class LinkedLogs:
    """Links to a store's log files, numbered, in a folder of their own.

    Chainsaw looks only at names that end in `.evtx` in lower case, and prints the name with each match: a number
    leaves no doubt about the file. Files of the same content stand in the store once, and so they do here.

    Attributes:
        store: the events.
        folder: holds the links.
    """

    def __init__(self, store: EventStore, folder: Path) -> None:
        """Makes the folder and the links.

        Raises:
            EngineError: the log files are not where they were, or are not all EVTX.
            OSError: the folder or a link cannot be made.
        """
        self.store = store
        self.folder = folder
        try:
            self._paths = log_paths(store)
        except StoreError as error:
            raise EngineError(f"the chainsaw engine reads log files itself: {error}") from error
        other = [path for path in self._paths if not path.lower().endswith(_SUFFIX)]
        if other:
            raise EngineError(f"the chainsaw engine reads EVTX files only, and {other[0]} is none; leave it out")
        self._records: dict[int, dict[int, list[int]]] = {}
        folder.mkdir()
        for index, path in enumerate(self._paths):
            _link(Path(path).absolute(), folder / f"{index}{_SUFFIX}")

    def __len__(self) -> int:
        return len(self._paths)

    def file_of(self, path: str) -> int:
        """The index, in `store.files`, of the file that Chainsaw names.

        Raises:
            EngineError: it is none of them.
        """
        name = PurePosixPath(path.replace("\\", "/")).name
        number = name.removesuffix(_SUFFIX)
        if name == number or not (number.isascii() and number.isdigit()) or int(number) >= len(self):
            raise EngineError(f"Chainsaw names a log file that it was not given: {path!r}")
        return int(number)

    def renamed(self, text: str) -> str:
        """What Chainsaw says, with the files' own names in the place of the links'."""
        link = re.compile(rf"{re.escape(self.folder.name)}[/\\](\d{{1,9}}){re.escape(_SUFFIX)}")
        files = self.store.files
        return link.sub(lambda one: files[int(one[1])].name if int(one[1]) < len(self) else one[0], text)

    def rows_of(self, path: str, document: Mapping[str, Any]) -> list[int]:
        """The rows of the event that Chainsaw matched; several if the file holds it several times, none if it is none.

        EventRecordID repeats within some files: the time decides, then the data.

        Raises:
            EngineError: the file is none of the store's, or the document is no event.
        """
        file = self.file_of(path)
        try:
            event = flatten(document)
        except StoreError as error:
            raise EngineError(
                f"Chainsaw printed an event of {self.store.files[file].name} that is none: {error}"
            ) from error
        found = self._candidates(file, event)
        return found if len(found) < 2 else self._alike(found, event)

    def _candidates(self, file: int, event: FlatEvent) -> list[int]:
        if event.record_id is None:  # its System names none: the store has the one of the record's header
            rows = self.store.rows_of_file(file)
        else:
            if file not in self._records:
                self._records[file] = self._by_record(file)
            rows = np.asarray(self._records[file].get(event.record_id, ()), np.int64)
        return [int(row) for row in rows[self._times[rows] == event.time]]

    @cached_property
    def _times(self) -> npt.NDArray[np.int64]:
        return self.store.refs_table.time

    def _by_record(self, file: int) -> dict[int, list[int]]:
        rows = self.store.rows_of_file(file)
        found: defaultdict[int, list[int]] = defaultdict(list)
        for row, record in zip(rows.tolist(), self.store.refs_table.record_id[rows].tolist(), strict=True):
            found[record].append(row)
        return found

    def _alike(self, rows: Sequence[int], event: FlatEvent) -> list[int]:
        """Of several events, those that share the most values with the one that Chainsaw printed."""
        wanted = {name: _texts(cell) for name, cell in (event.system | event.data).items()}
        shared: list[int] = []
        for row in rows:
            held = self.store.event(row)
            shared.append(sum(_texts(held.get(name)) == texts for name, texts in wanted.items()))
        return [row for row, count in zip(rows, shared, strict=True) if count == max(shared)]


def _texts(cell: Any) -> list[str]:
    return [str(value) for value in (cell if isinstance(cell, list) else [cell])]


def _link(path: Path, link: Path) -> None:
    """A link of any kind; a copy where the system has none to give (Windows gives links to administrators only)."""
    try:
        link.symlink_to(path)
    except OSError:
        try:
            os.link(path, link)
        except OSError:
            shutil.copyfile(path, link)
