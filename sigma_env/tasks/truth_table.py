"""The truth of every task of a dataset under one engine: computed once, kept beside the tasks.

The file is JSON, so that a person can look into it: bit sets are hexadecimal numbers, by number of the store's
partition. What a task ignores is mostly what every task ignores, repeated events; only the difference (XOR) is written
per task.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from sigma_env.engines.base import Engine, Matches, Unsupported
from sigma_env.errors import DatasetError
from sigma_env.events.store import EventStore
from sigma_env.tasks.code import code_hash
from sigma_env.tasks.reference import disclosed_rule, reference_rule
from sigma_env.tasks.task import Task
from sigma_env.tasks.truth import IgnoredEvents, Truth

_log = logging.getLogger(__name__)

NO_MATCH: Final = "matches no event"
NOTHING_SCORED: Final = "every event that it matches is one that no score may count"

NOTHING_TO_FIND: Final = Truth(Matches({}), Matches({}))
"""The truth of a task that is not detectable."""

_Bits = dict[str, str]


class EngineKey(NamedTuple):
    """What decides, with the store, which events a rule matches."""

    engine: str
    semantics: str
    version: str

    @classmethod
    def of(cls, engine: Engine) -> "EngineKey":
        """The key of an engine."""
        return cls(engine.name, engine.semantics, engine.version)

    @property
    def file_name(self) -> str:
        """Name of the file that holds the truth."""
        return f"truth-{self.engine}-{self.semantics}-{self.version}.json"


class TruthTable:
    """Truths by task id.

    Attributes:
        key: the engine that they were made with.
        left_out: tasks that have no truth under this engine, with the reason.
    """

    def __init__(self, key: EngineKey, common: Mapping[int, int], rows: Mapping[str, Any], left_out: Mapping[str, str]):
        self.key = key
        self.left_out = dict(left_out)
        self._common = dict(common)
        self._rows = dict(rows)
        self._truths: dict[str, Truth] = {}

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._rows

    def truth(self, task_id: str) -> Truth:
        """The truth of a task.

        Raises:
            DatasetError: it has none under this engine, or is of another dataset.
        """
        found = self._truths.get(task_id)
        if found is None:
            if task_id not in self._rows:
                reason = self.left_out.get(task_id, "it is no task of this dataset")
                raise DatasetError(f"task {task_id} has no truth under {'/'.join(self.key)}: {reason}")
            row = self._rows[task_id]
            ignored = dict(self._common)
            for index, difference in _from_hex(row["ignored"]).items():
                if bits := ignored.pop(index, 0) ^ difference:
                    ignored[index] = bits
            found = self._truths[task_id] = Truth(Matches(_from_hex(row["true"])), Matches(ignored))
        return found

    @classmethod
    def of(
        cls, key: EngineKey, ignored: IgnoredEvents, truths: Mapping[str, Truth], left_out: Mapping[str, str]
    ) -> "TruthTable":
        """Makes the table of known truths."""
        common = ignored.common.bits
        rows = {
            task_id: {"true": _to_hex(truth.true.bits), "ignored": _to_hex(_difference(truth.ignored.bits, common))}
            for task_id, truth in truths.items()
        }
        return cls(key, common, rows, left_out)

    @classmethod
    def compute(
        cls, tasks: Sequence[Task], store: EventStore, engine: Engine, own: Mapping[str, Matches] | None = None
    ) -> "TruthTable":
        """Runs the reference of every task.

        Args:
            tasks: of one dataset.
            store: its events.
            engine: the engine.
            own: by task id, the events that were made for it, of which the true ones count; tasks that are not in it
                have no such events, and all true ones count.

        Raises:
            EngineError: the engine failed.
            DatasetError: a reference is no rule.
        """
        ignored = IgnoredEvents(store)
        truths = {task.id: NOTHING_TO_FIND for task in tasks if not task.detectable}
        left_out: dict[str, str] = {}
        tasks = [task for task in tasks if task.detectable]
        rules = [reference_rule(task) for task in tasks]
        cut = {task.id: rule for task in tasks if (rule := disclosed_rule(task)) is not None}
        results = engine.match([*rules, *cut.values()], store)
        disclosed = dict(zip(cut, results[len(rules) :], strict=True))
        for task, rule, found in zip(tasks, rules, results[: len(rules)], strict=True):
            part = disclosed.get(task.id)
            truth = None
            if isinstance(part, Unsupported):
                found = part
            elif isinstance(found, Matches):
                of_task = (own or {}).get(task.id)
                truth = Truth(found, ignored.of(rule, found, task.visible, disclosed=part, own=of_task))
            reason = why_left_out(found, truth)
            if truth is None or reason is not None:
                left_out[task.id] = str(reason)
            else:
                truths[task.id] = truth
        return cls.of(EngineKey.of(engine), ignored, truths, left_out)

    def save(self, path: Path, fingerprint: str) -> None:
        """Writes the table; a reader sees the whole file or none.

        Args:
            path: where to.
            fingerprint: of the store that the rows belong to.
        """
        document = {
            "code": code_hash(),
            **self.key._asdict(),
            "store": fingerprint,
            "left_out": self.left_out,
            "common": _to_hex(self._common),
            "tasks": self._rows,
        }
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_bytes(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, key: EngineKey, fingerprint: str, tasks: Sequence[Task]) -> "TruthTable | None":
        """Reads a table; None if there is none, or one of another store, engine, set of tasks or state of the code."""
        try:
            document = orjson.loads(path.read_bytes())
            stale = (
                document.get("code") != code_hash()
                or tuple(document[name] for name in EngineKey._fields) != key
                or document["store"] != fingerprint
                or document["tasks"].keys() | document["left_out"].keys() != {task.id for task in tasks}
            )
            return None if stale else cls(key, _from_hex(document["common"]), document["tasks"], document["left_out"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s is damaged (%s); the truth is computed again", path, error)
            return None


def why_left_out(found: Matches | Unsupported, truth: Truth | None) -> str | None:
    """Why a task cannot be scored, from what its reference matches; None if it can."""
    if isinstance(found, Unsupported):
        return found.reason
    if not found:
        return NO_MATCH
    return None if truth is not None and truth.scored else NOTHING_SCORED


def _difference(left: Mapping[int, int], right: Mapping[int, int]) -> dict[int, int]:
    return {i: bits for i in left.keys() | right.keys() if (bits := left.get(i, 0) ^ right.get(i, 0))}


def save_own(path: Path, own: Mapping[str, Matches], fingerprint: str) -> None:
    """Writes the events that were made for each task, by task id.

    Args:
        path: where to.
        own: see `TruthTable.compute`.
        fingerprint: of the store that the rows belong to.
    """
    document = {"store": fingerprint, "tasks": {task_id: _to_hex(events.bits) for task_id, events in own.items()}}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))


def load_own(path: Path, fingerprint: str) -> dict[str, Matches]:
    """Reads what `save_own` wrote; nothing for a dataset that has no such events.

    Raises:
        DatasetError: the file is damaged, or about another store.
    """
    try:
        document = orjson.loads(path.read_bytes())
        if document["store"] != fingerprint:
            raise DatasetError(f"{path} is about other events than the dataset; build the dataset again")
        return {task_id: Matches(_from_hex(bits)) for task_id, bits in document["tasks"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged ({error}); build the dataset again") from error


def _to_hex(bits: Mapping[int, int]) -> _Bits:
    return {str(index): f"{number:x}" for index, number in sorted(bits.items())}


def _from_hex(bits: _Bits) -> dict[int, int]:
    return {int(index): int(number, 16) for index, number in bits.items()}
