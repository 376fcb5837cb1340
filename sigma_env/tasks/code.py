"""The code that decides which events a rule matches and which count, as a hash."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[1]
_ROOMS: Final = ("events", "sigma", "engines", "simulation", "tasks")


@lru_cache(maxsize=1)
def code_hash() -> str:
    """Changes with any file of the rooms below the scorer.

    Versions are for people to raise, and people forget; a truth that older code has left must never be a reward.
    """
    files = [file for room in _ROOMS for file in (PACKAGE / room).rglob("*") if file.suffix in (".py", ".yaml")]
    return hash_of(files)


def hash_of(files: list[Path]) -> str:
    """Hash of files of the package, with their names."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(files):
        content = hashlib.blake2b(file.read_bytes()).digest()
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + content)
    return digest.hexdigest()
