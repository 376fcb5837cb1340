"""Progress of long work on stderr: a bar on a terminal, nothing where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def building(title: str = "reading logs") -> Iterator[Callable[[str, int, int], None] | None]:
    """Gives a callback (what is read now, done, total) that draws a bar; None if stderr is no terminal.

    The bar appears with the first call, so that work which turns out to be done already costs nothing.
    """
    if not sys.stderr.isatty():
        yield None
        return
    bars: list[_Bar] = []

    def show(what: str, done: int, total: int) -> None:
        if not bars:
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
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._escape = escape
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, TextColumn("{task.fields[what]}"), console=Console(stderr=True), transient=True
        )
        self._progress.start()
        self._task = self._progress.add_task(title, total=total, what="")

    def update(self, what: str, done: int) -> None:
        self._progress.update(self._task, completed=done, what=self._escape(what[-40:]))

    def stop(self) -> None:
        self._progress.stop()
