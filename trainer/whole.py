"""Files and folders that are there whole or not at all, whenever a process is killed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, contents: bytes) -> None:
    """Writes a file, in the place of one that may be there."""
    unfinished = _beside(path)
    unfinished.write_bytes(contents)
    unfinished.replace(path)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to that is there under its name only when all of it is."""
    unfinished = _beside(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    yield unfinished
    unfinished.replace(folder)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")
