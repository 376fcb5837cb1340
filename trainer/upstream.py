"""Lines of verl and vLLM that work-arounds of ours are for: when one changes, we want to know.

A work-around for a line that is gone may do harm, so each is checked for before anything is replaced. When verl or
vLLM is upgraded and a check fails: look the line up, and change or delete the work-around.
"""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from trainer.errors import UpstreamChanged


class Reliance(NamedTuple):
    """A line of another project's code that one of our work-arounds is for.

    Attributes:
        package: the distribution that the line is of.
        path: the file, from the folder that packages are installed in.
        line: as it stands there, without the space around it.
        problem: what the line does that we do not want.
        workaround: what we do about it, and where.
    """

    package: str
    path: str
    line: str
    problem: str
    workaround: str


def check(reliances: Iterable[Reliance]) -> None:
    """Makes sure that every line is still there.

    Raises:
        UpstreamChanged: one is not; the message names it and its work-around.
    """
    for needed in reliances:
        if needed.line not in _lines(needed):
            raise UpstreamChanged(
                f"{needed.path} of {needed.package} {_version(needed.package)} has no line {needed.line!r}, which "
                f"this work-around is for: {needed.workaround}. Install the version that is locked (make train-env, "
                "make train-env-gpu), or change the work-around"
            )


def _lines(needed: Reliance) -> set[str]:
    try:
        text = Path(str(distribution(needed.package).locate_file(needed.path))).read_text(encoding="utf-8")
    except (PackageNotFoundError, FileNotFoundError):
        return set()
    return {line.strip() for line in text.splitlines()}


def _version(package: str) -> str:
    try:
        return distribution(package).version
    except PackageNotFoundError:
        return "(not installed)"
