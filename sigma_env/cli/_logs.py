"""What commands that read logs share: opening them with a progress bar, and telling what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigma_env.events.store import EventStore


def open_logs(paths: Sequence[Path]) -> EventStore:
    """Opens the store of some files and folders, and shows on a terminal's stderr how a build gets on."""
    from sigma_env.cli._progress import building
    from sigma_env.events.build import build
    from sigma_env.events.logs import LogRoot

    with building() as progress:
        return build([LogRoot(path) for path in paths], progress)


def printable(text: str) -> str:
    """Text from a log as a terminal may show it: control characters, which could steer it, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
