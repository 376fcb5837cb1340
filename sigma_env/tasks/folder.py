"""A dataset on disk.

    NAME/
      manifest.json   see `Manifest`
      tasks.jsonl     one Task per line, sorted by id
      left_out.jsonl  one {source, reason, detail} per rule that became no task
      cost.json       seconds that the build took; no part of the dataset
  own.json        of simulated datasets: the events that were made for each task, see `truth_table.save_own`
  truth-ENGINE-SEMANTICS-VERSION.json  see `TruthTable`; others are added when an engine is first used

The events are not in it: they lie in the cache of event stores, under the manifest's fingerprint.
"""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Final

import orjson
from pydantic import ValidationError

from sigma_env.corpora.cache import datasets_dir, locks_dir
from sigma_env.errors import DatasetError, DatasetNotBuilt
from sigma_env.tasks.assemble import Assembly
from sigma_env.tasks.manifest import FORMAT, Manifest
from sigma_env.tasks.names import how_to_build
from sigma_env.tasks.task import Task
from sigma_env.tasks.truth_table import save_own

MANIFEST: Final = "manifest.json"
TASKS: Final = "tasks.jsonl"
LEFT_OUT: Final = "left_out.jsonl"
OWN: Final = "own.json"
COST: Final = "cost.json"

_INDENTED: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def dataset_folder(name: str) -> Path:
    """Where a dataset of this name lies, whether it is there or not."""
    return datasets_dir() / name


def write_dataset(manifest: Manifest, assembly: Assembly) -> Path:
    """Writes a dataset in the place of one of the same name; others see the old one or the new one, whole.

    Raises:
        OSError: the cache cannot be written.
    """
    target = dataset_folder(manifest.name)
    with _lock(manifest.name):
        new, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
        for leftover in (new, old):  # of a process that died
            shutil.rmtree(leftover, ignore_errors=True)
        new.mkdir()
        try:
            (new / TASKS).write_bytes(_lines([task.model_dump(mode="json") for task in assembly.tasks]))
            (new / LEFT_OUT).write_bytes(_lines([left._asdict() for left in assembly.left_out]))
            if assembly.own:
                save_own(new / OWN, assembly.own, manifest.store.fingerprint)
            assembly.table.save(new / assembly.table.key.file_name, manifest.store.fingerprint)
            (new / MANIFEST).write_bytes(orjson.dumps(manifest.model_dump(mode="json"), option=_INDENTED))
            if target.exists():
                target.replace(old)
            new.replace(target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    return target


def write_cost(name: str, seconds: float) -> None:
    """Notes beside a dataset how long its build took."""
    (dataset_folder(name) / COST).write_bytes(orjson.dumps({"seconds": round(seconds, 1)}))


def read_cost(name: str) -> float | None:
    """Seconds that the build of a dataset took; None if nobody noted it."""
    try:
        return float(orjson.loads((dataset_folder(name) / COST).read_bytes())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lines(rows: Sequence[object]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for row in rows)


def read_dataset(name: str) -> tuple[Manifest, tuple[Task, ...]]:
    """Manifest and tasks of a dataset that has been built; both of the same build.

    Raises:
        DatasetNotBuilt: see `read_manifest`.
        DatasetError: see `read_manifest` and `read_tasks`.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # a cache that cannot be written is one that nobody builds in
            stack.enter_context(_lock(name))
        return read_manifest(name), read_tasks(name)


def _lock(name: str) -> AbstractContextManager[object]:
    """Held while a dataset's folder is replaced, and while one is read."""
    from filelock import FileLock

    return FileLock(locks_dir() / f"dataset-{name}.lock")


def read_manifest(name: str) -> Manifest:
    """The manifest of a dataset that has been built.

    Raises:
        DatasetNotBuilt: there is none of this name, or one of another version of this package; the message names
            the command that builds it.
        DatasetError: the file is damaged.
    """
    path = dataset_folder(name) / MANIFEST
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise DatasetNotBuilt(
            f"the dataset {name!r} is not on this machine yet; build it with: {how_to_build(name)}"
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}; build it again with: {how_to_build(name)}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DatasetNotBuilt(f"{path} is of another version of SigmaForge; build it again with: {how_to_build(name)}")
    try:
        return Manifest.model_validate(document, strict=False)
    except ValidationError as error:
        raise DatasetError(f"{path}: {_faults(error)}; build it again with: {how_to_build(name)}") from None


def read_tasks(name: str) -> tuple[Task, ...]:
    """The tasks of a dataset that has been built, sorted by id.

    Raises:
        DatasetError: the file is damaged, or a task's id does not fit its contents.
    """
    path = dataset_folder(name) / TASKS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}; build it again with: {how_to_build(name)}") from error
    tasks: list[Task] = []
    for line in lines:
        try:
            tasks.append(Task.model_validate_json(line))
        except ValidationError as error:
            where = f"{path}, line {len(tasks) + 1}"
            raise DatasetError(f"{where}: {_faults(error)}; build it again with: {how_to_build(name)}") from None
    return tuple(tasks)


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'task'}: {fault['msg']}" for fault in error.errors())
