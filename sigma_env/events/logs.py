"""Which log files stand under the given roots, what they are called, and what is in them (by hash)."""

import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sigma_env.corpora.cache import cache_dir
from sigma_env.errors import StoreError

_log = logging.getLogger(__name__)

UNREADABLE = "unreadable: "
"""Begins the digest of a file that cannot be read; the reason follows."""

_EVTX = ".evtx"
_HASHING_THREADS = 4
_SETTLED_NS = 2_000_000_000


class LogRoot(NamedTuple):
    """A file, or a folder that is searched for `.evtx` files.

    Attributes:
        path: the file or folder. A `.json` or `.jsonl` file of events counts only if it is itself a root.
        prefix: stands before the names of its files, with `/`.
    """

    path: Path
    prefix: str = ""


class FoundFile(NamedTuple):
    """A log file: its name in event references, its path, and what the file system says of it."""

    name: str
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


def find_logs(roots: Sequence[LogRoot]) -> list[FoundFile]:
    """The log files under the roots, sorted by name.

    Names are relative to their root. Where files of two roots would have one name, the roots' own names are put
    before it. Links are followed, each folder is visited once.

    Raises:
        StoreError: a root does not exist.
    """
    seen: set[tuple[int, int]] = set()
    per_root = [(root, list(_under(root.path, seen))) for root in roots]
    counts = Counter(f"{root.prefix}/{name}" for root, files in per_root for name, _, _ in files)
    prefixes = _prefixes(
        [(root, any(counts[f"{root.prefix}/{name}"] > 1 for name, _, _ in files)) for root, files in per_root]
    )
    return sorted(
        FoundFile(_readable(f"{prefix}/{name}" if prefix else name), path, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
        for prefix, (_, files) in zip(prefixes, per_root, strict=True)
        for name, path, st in files
    )


def _prefixes(roots: Sequence[tuple[LogRoot, bool]]) -> list[str]:
    prefixes: list[str] = []
    for root, collides in roots:
        folder = root.path if root.path.is_dir() else root.path.parent
        parts = [root.prefix, folder.absolute().name if collides else ""]
        wanted = "/".join(part for part in parts if part)
        prefix, number = wanted, 2
        while collides and prefix in prefixes:
            prefix, number = f"{wanted}-{number}", number + 1
        prefixes.append(prefix)
    return prefixes


def _readable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _under(path: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[str, str, os.stat_result]]:
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
    if not path.is_dir():
        if _is_new(status, seen):
            yield path.name, str(path), status
        return
    yield from _walk(str(path), "", seen)


def _walk(folder: str, name: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, str, os.stat_result]]:
    try:
        if not _is_new(Path(folder).stat(), seen):
            return
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        _log.warning("%s cannot be searched for logs: %s", folder, error)
        return
    for entry in entries:
        with suppress(OSError):  # a link to nothing
            if entry.is_dir():
                yield from _walk(entry.path, f"{name}{entry.name}/", seen)
            elif entry.name.lower().endswith(_EVTX) and entry.is_file() and _is_new(entry.stat(), seen):
                yield name + entry.name, entry.path, entry.stat()


def _is_new(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def digests(files: Sequence[FoundFile]) -> list[str]:
    """SHA-256 of each file's content, in hex, or UNREADABLE and the reason.

    Files that have kept their size and times since they were last hashed are not read again.
    """
    known = _Known(files)
    unknown = [f for f in files if f.path not in known.digests]
    if unknown:
        with ThreadPoolExecutor(min(_HASHING_THREADS, os.cpu_count() or 1)) as pool:
            for file, digest in zip(unknown, pool.map(_digest, unknown), strict=True):
                known.digests[file.path] = digest
        known.save()
    return [known.digests[f.path] for f in files]


def _digest(file: FoundFile) -> str:
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - the path is text, 1,000 Path objects are not free
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return UNREADABLE + (error.strerror or str(error))


class _Known:
    """The digests of earlier calls for the same set of files, kept in the cache folder."""

    def __init__(self, files: Sequence[FoundFile]) -> None:
        import orjson

        self._files = files
        self._path: Path | None = None
        here = str(Path.cwd())
        name = hashlib.sha256("\0".join([here, *(f.path for f in files)]).encode("utf-8", "surrogateescape"))
        kept: dict[str, object] = {}
        with suppress(OSError, ValueError):
            self._path = cache_dir("digests") / f"{name.hexdigest()[:32]}.json"
            notes = orjson.loads(self._path.read_bytes())
            kept = notes if isinstance(notes, dict) else {}
        self.digests: dict[str, str] = {}
        for f in files:
            entry = kept.get(f.name)
            if isinstance(entry, list) and entry[:3] == [f.size, f.mtime_ns, f.ctime_ns] and len(entry) == 4:
                self.digests[f.path] = str(entry[3])

    def save(self) -> None:
        import orjson

        if self._path is None:
            return
        # A file written to within the clock's grain after it was hashed would keep its times: wait until it settles.
        settled = time.time_ns() - _SETTLED_NS
        kept = {
            f.name: [f.size, f.mtime_ns, f.ctime_ns, self.digests[f.path]]
            for f in self._files
            if max(f.mtime_ns, f.ctime_ns) < settled and not self.digests[f.path].startswith(UNREADABLE)
        }
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(orjson.dumps(kept))
            temporary.replace(self._path)
        except OSError as error:
            _log.info("hashes of the log files are not kept: %s", error)
            with suppress(OSError):
                temporary.unlink()
