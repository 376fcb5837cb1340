"""Git blob ids: what a file of a pinned commit must be, recorded for every data file of every source."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from sigma_env.errors import SourceError

if TYPE_CHECKING:
    from hashlib import _Hash

_LINE = re.compile(r"([0-9a-f]{40}) (.+)")


def blob_hash(size: int) -> _Hash:
    """Starts the hash of a file of ``size`` bytes as git names it: SHA-1 of ``blob SIZE``, a zero byte and the content.

    It is as strong as the commit id that pins the source, which is a SHA-1 over these same ids.
    """
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def blob_file_name(source: str) -> str:
    """Returns the name of the file that records a source's blob ids, in the folder ``data`` of this package."""
    return f"{source}.blobs.gz"


def load_blobs(source: str) -> dict[str, str]:
    """Reads the blob ids that ship with the package.

    Args:
        source: Name of a source of the catalogue.

    Returns:
        Path, relative to the archive's top folder, to blob id (40 hexadecimal digits).

    Raises:
        SourceError: The package lacks the record, or it is damaged.
    """
    name = blob_file_name(source)
    try:
        packed = (files("sigma_env.corpora") / "data" / name).read_bytes()
        return parse_blobs(gzip.decompress(packed).decode("utf-8"))
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(
            f"{name}: the record of blob ids is missing or damaged ({error}); reinstall sigmaforge"
        ) from error


def parse_blobs(text: str) -> dict[str, str]:
    """Reads lines of ``BLOB-ID PATH``.

    Raises:
        ValueError: A line is not of that form, or a path occurs twice.
    """
    blobs: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in blobs:
            raise ValueError(f"line {number} is no new 'BLOB-ID PATH': {line!r}")
        blobs[match[2]] = match[1]
    return blobs


def pack_blobs(blobs: Mapping[str, str]) -> bytes:
    """Returns the compressed record: sorted by path and without a time, so equal ids give equal bytes."""
    text = "".join(f"{blobs[path]} {path}\n" for path in sorted(blobs))
    return gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
