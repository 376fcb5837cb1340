"""What `match` and `agree` share: checking a choice of engine, opening logs, seconds of phases, naming losses."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sigma_env.engines.hunt import NotRun
    from sigma_env.events.store import EventStore

_REASONS_SHOWN = 10


def check_choice(engine: str, semantics: str) -> None:
    """Ends with a usage error if there is no such engine or semantics."""
    from sigma_env.engines.choose import check_engine, check_semantics
    from sigma_env.errors import OptionError

    try:
        check_engine(engine)
    except OptionError as error:
        raise typer.BadParameter(f"--engine: {error}") from None
    try:
        check_semantics(semantics)
    except OptionError as error:
        raise typer.BadParameter(f"--semantics: {error}") from None


class Phases:
    """Seconds of each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Times what is done within."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 4)


def open_store(phases: Phases, logs: list[Path]) -> EventStore:
    """Opens the logs that `--logs` names; a path that is not there is a usage error."""
    with phases.phase("events"):
        from sigma_env.cli._logs import open_logs

        for path in logs:
            if not path.exists():
                raise typer.BadParameter(f"--logs: there is no file or folder {path}")
        return open_logs(logs)


def name_losses(not_run: list[NotRun], store: EventStore, all_with: str = "--report FILE") -> None:
    """Names on stderr the rules that were not run and what could not be read, each with its reason.

    Args:
        not_run: the rules.
        store: the events.
        all_with: the option that names all of them, where a terminal shows the first only.
    """
    _name((f"{one.path}: not run: {one.reason}" for one in not_run), len(not_run), "rules were not run", all_with)
    lost = store.unreadable
    _name(
        (f"{one.file}{'' if one.position is None else f' at {one.position}'}: not read: {one.reason}" for one in lost),
        len(lost),
        "parts of the logs could not be read",
        all_with,
    )


def _name(lines: Iterable[str], count: int, what: str, all_with: str) -> None:
    for shown, line in enumerate(lines):
        if shown == _REASONS_SHOWN and sys.stderr.isatty():
            print(f"… {count - shown:,} more: {count:,} {what}; {all_with} names all", file=sys.stderr)
            return
        print(line, file=sys.stderr)
