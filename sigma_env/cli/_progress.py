"""Progress of long work on stderr: a bar on a terminal, nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 0.5


@contextmanager
def building(title: str = "reading logs") -> Iterator[Callable[[str, int, int], None] | None]:
    """Gives a callback (what is read now, done, total) that draws a bar; None if stderr is no terminal.

    The bar appears when the work has taken a while, so that what is done quickly or already costs nothing.
    """
    if not sys.stderr.isatty():
        yield None
        return
    begin = time.monotonic()
    bars: list[_Bar] = []

    def show(what: str, done: int, total: int) -> None:
        if not bars:
            if time.monotonic() - begin < _PATIENCE_SECONDS:
                return
            bars.append(_Bar(title, total))
        bars[0].update(what, done)

    try:
        yield show
    finally:
        for bar in bars:
            bar.stop()


class _Bar:
    def __init__(self, title: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        what = TextColumn("{task.fields[what]}", markup=False)
        self._progress = Progress(*columns, what, console=Console(stderr=True), transient=True)
        self._progress.start()
        self._task = self._progress.add_task(title, total=total, what="")

    def update(self, what: str, done: int) -> None:
        from sigma_env.cli._logs import printable

        self._progress.update(self._task, completed=done, what=printable(what)[-60:])

    def stop(self) -> None:
        self._progress.stop()
