"""What commands that read logs share: opening them with a progress bar, and telling what could not be read."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from sigma_env.events.store import EventStore

_PATIENCE_SECONDS = 0.5


def open_logs(paths: Sequence[Path]) -> EventStore:
    """Opens the store of some files and folders, and shows on a terminal's stderr how a build gets on."""
    from sigma_env.events.build import build
    from sigma_env.events.logs import LogRoot

    with _Bar() as bar:
        return build([LogRoot(path) for path in paths], bar.advance if sys.stderr.isatty() else None)


class _Bar:
    """A progress bar that appears once reading has taken a while."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, file: str, done: int, total: int) -> None:
        """Moves the bar; see `sigma_env.events.build.Progress`."""
        if self._bar is None:
            if time.monotonic() - self._begin < _PATIENCE_SECONDS:
                return
            self._bar = _new_bar()
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total, description=printable(file)[-60:])


def _new_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    file = TextColumn("{task.description}", markup=False)
    columns = (TextColumn("reading logs"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), file)
    return Progress(*columns, console=Console(stderr=True), transient=True)


def printable(text: str) -> str:
    """Text from a log as a terminal may show it: control characters, which could steer it, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
