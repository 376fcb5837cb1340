"""Log files → an event store, read once and kept in the cache."""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sigma_env.corpora.cache import locks_dir, stores_dir
from sigma_env.errors import StoreError
from sigma_env.events.arrow import FORMAT
from sigma_env.events.builder import StoreBuilder
from sigma_env.events.content import LogFile, MemoryContent, Unreadable
from sigma_env.events.logs import UNREADABLE, FoundFile, LogRoot, digests, find_logs
from sigma_env.events.store import EventStore

if TYPE_CHECKING:
    from sigma_env.events.reader import Problem, ReadEvent

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the file that is read next, bytes read so far and bytes in all."""

_PROBLEMS_LISTED = 1_000


def build(roots: Sequence[LogRoot], progress: Progress | None = None) -> EventStore:
    """Opens the store of the logs under the roots; reads them first if that has not been done yet.

    Of files with the same content the first in sort order is read, the others are its aliases. A store is kept in
    the cache under its fingerprint, the hash of all names and contents; processes that want one that is missing
    wait for the first to build it.

    Args:
        roots: files and folders.
        progress: is told how far a build is.

    Raises:
        StoreError: a root does not exist, or there is no log file under the roots. What cannot be read of the files
            is no error, but listed in the store's `unreadable`.
    """
    files = find_logs(roots)
    if not files:
        names = ", ".join(str(root.path) for root in roots)
        raise StoreError(f"no .evtx file under {names or 'no path at all'}")
    contents = digests(files)
    fingerprint = _fingerprint(files, contents)
    try:
        folder = stores_dir() / fingerprint
    except OSError as error:
        _log.warning("the store is not kept: %s", error)
        return EventStore(_read(files, contents, fingerprint, progress), roots)
    return _open(folder, roots) or _build(folder, roots, files, contents, progress)


def log_paths(store: EventStore) -> list[str]:
    """The paths of `store.files`, in that order, found again under the store's roots.

    Raises:
        StoreError: the store does not know where its files lie, or they have changed since it was built.
    """
    if not store.roots:
        raise StoreError("it is not known where the log files of these events lie on this machine")
    files = find_logs(store.roots)
    if _fingerprint(files, digests(files)) != store.fingerprint:
        names = ", ".join(str(root.path) for root in store.roots)
        raise StoreError(f"the log files under {names} have changed since they were read; read them again")
    paths = {file.name: file.path for file in files}
    return [paths[file.name] for file in store.files]


def _fingerprint(files: Sequence[FoundFile], contents: Sequence[str]) -> str:
    digest = hashlib.sha256(f"sigma_env event store {FORMAT}\0".encode())
    for file, content in zip(files, contents, strict=True):
        digest.update(f"{file.name}\0{content}\0".encode())
    return digest.hexdigest()[:32]


def _open(folder: Path, roots: Sequence[LogRoot]) -> EventStore | None:
    if not folder.exists():
        return None
    try:
        return EventStore.open(folder, roots)
    except StoreError as error:
        _log.warning("the kept store is built again: %s", error)
        return None


def _build(
    folder: Path,
    roots: Sequence[LogRoot],
    files: Sequence[FoundFile],
    contents: Sequence[str],
    progress: Progress | None,
) -> EventStore:
    from filelock import FileLock

    with FileLock(locks_dir() / f"store-{folder.name}.lock"):
        store = _open(folder, roots)  # another process may have been first
        if store is not None:
            return store
        content = _read(files, contents, folder.name, progress)
        try:
            _keep(content, folder)
            return EventStore.open(folder, roots)
        except OSError as error:
            _log.warning("the store is not kept: %s", error)
            return EventStore(content, roots)


def _keep(content: MemoryContent, folder: Path) -> None:
    from sigma_env.events.arrow import save

    temporary = folder.with_name(f"{folder.name}.tmp")  # one only: its lock is held
    for leftover in (temporary, folder):  # of a process that died, or a damaged store
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir()
    try:
        save(content, temporary)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _read(
    files: Sequence[FoundFile], contents: Sequence[str], fingerprint: str, progress: Progress | None
) -> MemoryContent:
    from sigma_env.events.reader import read_logs

    builder = StoreBuilder()
    names: dict[str, list[FoundFile]] = {}
    for file, content in zip(files, contents, strict=True):
        if content.startswith(UNREADABLE):
            builder.unreadable.append(Unreadable(file.name, None, content.removeprefix(UNREADABLE)))
        else:
            names.setdefault(content, []).append(file)
    done, total = 0, sum(same[0].size for same in names.values())
    with closing(read_logs([Path(same[0].path) for same in names.values()])) as logs:
        for index, ((file, *others), items) in enumerate(zip(names.values(), logs, strict=True)):
            if progress is not None:
                progress(file.name, done, total)
            before = builder.n_events
            _add(file, index, items, builder)
            n_events = builder.n_events - before
            builder.files.append(LogFile(file.name, tuple(f.name for f in others), file.size, n_events))
            _check_unchanged(file)
            done += file.size
    if progress is not None:
        progress("", total, total)
    return builder.finish(fingerprint)


def _add(file: FoundFile, index: int, items: "Iterable[ReadEvent | Problem]", builder: StoreBuilder) -> None:
    from sigma_env.events.reader import Problem

    problems = 0
    for item in items:
        problem = item if isinstance(item, Problem) else None
        if not isinstance(item, Problem):
            try:
                builder.add(item.event, index, item.record_id, item.position)
            except StoreError as error:
                problem = Problem(item.position, str(error))
        if problem is not None:
            problems += 1
            if problems <= _PROBLEMS_LISTED:
                builder.unreadable.append(Unreadable(file.name, *problem))
    if problems > _PROBLEMS_LISTED:
        builder.unreadable.append(Unreadable(file.name, None, f"{problems - _PROBLEMS_LISTED} more records like these"))


def _check_unchanged(file: FoundFile) -> None:
    with suppress(OSError):
        status = os.stat(file.path)  # noqa: PTH116 - the path is text
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            return
    raise StoreError(f"{file.path} changed while it was read; try again when nothing writes to it")
