"""Dataset: tasks, the events that decide them, and their truth."""

import logging
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from sigma_env.corpora.cache import locks_dir, stores_dir
from sigma_env.engines.base import Engine
from sigma_env.errors import DatasetError, DatasetNotBuilt, SourceError, StoreError
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.tasks.folder import MANIFEST, OWN, dataset_folder, read_dataset
from sigma_env.tasks.manifest import Manifest
from sigma_env.tasks.names import EMBEDDED, STARTER, check_name, how_to_build
from sigma_env.tasks.task import Split, Task
from sigma_env.tasks.truth import Truth
from sigma_env.tasks.truth_table import EngineKey, TruthTable, load_own

_log = logging.getLogger(__name__)

_loaded: dict[Path, tuple[int, "Dataset"]] = {}
"""By manifest: when that was written, and what it was loaded as."""
_loading = threading.RLock()
"""Reentrant, because one dataset may be made of another."""


class Dataset:
    """Tasks and what they are measured by. Immutable; safe to share.

    Attributes:
        name: as it was asked for.
        manifest: how it came to be.
        tasks: all tasks, sorted by id.
    """

    def __init__(self, manifest: Manifest, tasks: tuple[Task, ...]) -> None:
        self.name = manifest.name
        self.manifest = manifest
        self.tasks = tasks
        self._by_id = {task.id: task for task in tasks}
        self._tables: dict[EngineKey, TruthTable] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self.tasks)} tasks)"

    def __reduce__(self) -> "tuple[type[Dataset], tuple[Manifest, tuple[Task, ...]]]":
        return Dataset, (self.manifest, self.tasks)

    def task(self, task_id: str) -> Task:
        """The task of an id, or of the beginning of one id only.

        Raises:
            DatasetError: no task's id begins so, or several do.
        """
        if task_id in self._by_id:
            return self._by_id[task_id]
        found = [known for known in self._by_id if task_id and known.startswith(task_id)]
        if len(found) == 1:
            return self._by_id[found[0]]
        what = f"{len(found)} tasks have ids that begin with" if found else "no task has the id"
        raise DatasetError(f"dataset {self.name!r}: {what} {task_id!r}; list them with: sigma-env tasks {self.name}")

    def of_split(self, split: Split | None) -> tuple[Task, ...]:
        """The tasks of a split, or all of them for None; sorted by id."""
        return tuple(task for task in self.tasks if split is None or task.split == split)

    def playable(self, engine: Engine, split: Split | None = None) -> tuple[Task, ...]:
        """The tasks of a split that have a truth under an engine. See `left_out` for the others."""
        table = self._table(engine)
        return tuple(task for task in self.of_split(split) if task.id in table)

    def left_out(self, engine: Engine) -> Mapping[str, str]:
        """Ids of tasks that cannot be scored under an engine, with the reason.

        Their reference is unsupported there, or matches nothing that counts.
        """
        return self._table(engine).left_out

    def truth(self, task: Task, engine: Engine) -> Truth:
        """The events that a task's reference matches under an engine, and those that count for no answer.

        The first call for an engine, its semantics and version loads the truths of all tasks, or computes and keeps
        them.

        Raises:
            DatasetError: the task has no truth under the engine, or is of another dataset.
            EngineError: the engine failed.
        """
        return self._table(engine).truth(task.id)

    @cached_property
    def store(self) -> EventStore:
        """The events. Opened when first used; mapped from a file that all processes share.

        Raises:
            DatasetNotBuilt: the events are gone, or are not those that the dataset was built on.
        """
        with self._lock:
            return open_store(self.manifest)

    def _table(self, engine: Engine) -> TruthTable:
        key = EngineKey.of(engine)
        table = self._tables.get(key)
        if table is None:
            with self._lock:
                table = self._tables.get(key)
                if table is None:
                    table = self._tables[key] = self._load_or_compute(key, engine)
        return table

    def _load_or_compute(self, key: EngineKey, engine: Engine) -> TruthTable:
        from filelock import FileLock

        fingerprint = self.manifest.store.fingerprint
        folder = dataset_folder(self.name)
        path = folder / key.file_name
        table = TruthTable.load(path, key, fingerprint, self.tasks)
        if table is not None:
            return table
        try:
            with FileLock(locks_dir() / f"truth-{self.name}-{key.file_name}.lock"):
                table = TruthTable.load(path, key, fingerprint, self.tasks)  # another process may have been first
                if table is None:
                    table = TruthTable.compute(self.tasks, self.store, engine, load_own(folder / OWN, fingerprint))
                    table.save(path, fingerprint)
        except OSError as error:
            _log.warning("the truth of %s is not kept: %s", self.name, error)
        return table or TruthTable.compute(self.tasks, self.store, engine, load_own(folder / OWN, fingerprint))


def open_store(manifest: Manifest) -> EventStore:
    """The events that a dataset was built on: from the cache, else read from the logs again.

    Raises:
        DatasetNotBuilt: the logs are gone or have changed; the message names the command.
    """
    from sigma_env.events.build import build

    fingerprint = manifest.store.fingerprint
    try:
        return EventStore.open(stores_dir() / fingerprint, _roots(manifest))
    except (StoreError, OSError):
        pass  # not kept, or damaged: `build` makes it anew
    try:
        store = build([logs.root() for logs in manifest.logs])
    except StoreError as error:
        raise DatasetNotBuilt(
            f"{error}; the dataset {manifest.name!r} needs its logs back, or to be built again"
        ) from error
    if store.fingerprint != fingerprint:
        raise DatasetNotBuilt(
            f"the logs of the dataset {manifest.name!r} have changed since it was built; build it again with: "
            f"{how_to_build(manifest.name)}"
        )
    return store


def _roots(manifest: Manifest) -> list[LogRoot]:
    """Where the logs lie; none if a source is gone, which does not keep a stored copy of the events from use."""
    try:
        return [logs.root() for logs in manifest.logs]
    except SourceError:
        return []


def load_dataset(name: str = STARTER) -> Dataset:
    """Loads a dataset. In one process the same one is returned again, with its store and truths.

    Args:
        name: "starter" or "starter-abstain", which come with the package, or a name under which one has been built.

    Raises:
        DatasetNotBuilt: it is not on this machine yet; the message names the command that builds it.
        DatasetError: the name is none, or the dataset is damaged.
    """
    check_name(name)
    with _loading:
        if name in EMBEDDED:
            from sigma_env.tasks.starter import ensure_embedded

            ensure_embedded(name)
        path = dataset_folder(name) / MANIFEST
        written = path.stat().st_mtime_ns if path.exists() else None
        if written is None or path not in _loaded or _loaded[path][0] != written:
            _loaded[path] = written or 0, Dataset(*read_dataset(name))
        return _loaded[path][1]
