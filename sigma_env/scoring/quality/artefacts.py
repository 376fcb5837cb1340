"""Whether trees can tell a task's true events from its near-misses by fields that the rule does not name.

If they can, the simulator leaves traces: values, lengths or spellings that go with an event's role and not with what
the rule is about. A task's events are asked about by trees that have seen other tasks only.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from sigma_env.errors import OptionError
from sigma_env.events.column import Column
from sigma_env.events.store import EventStore, Partition
from sigma_env.events.volatile import volatile_fields
from sigma_env.scoring.quality.labelled import Made
from sigma_env.scoring.quality.subject import Subject
from sigma_env.scoring.quality.unnamed import has_keywords, unnamed_columns

Array = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PER_SIDE: Final = 12
"""Events of a task that are looked at, at most, of those that match and as many of those that do not."""
_NAMED_SLOTS: Final = 64
"""Fields with features of their own: those that most events have. The rest share slots."""
_SHARED_SLOTS: Final = 8
_PER_SLOT: Final = 7
_GRAMS: Final = 192
_GRAM: Final = 3
_IDENTITIES: Final = 4_096
_FOLDS: Final = 5
MOST_TASKS: Final = 800
"""Tasks whose events are looked at; of more, a seeded choice."""
_TELLING: Final = 8
_TREES: Final[dict[str, Any]] = {
    "max_iter": 60, "max_leaf_nodes": 15, "learning_rate": 0.15, "max_bins": 63, "early_stopping": False
}  # fmt: skip
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]{1,16}|-?\d{1,18})\Z", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ](\d\d):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)


class Described(NamedTuple):
    """The events of one task as numbers.

    Attributes:
        features: shape (events, names); NaN where an event lacks a field.
        positive: whether the event is one of the true ones; shape (events,).
    """

    features: Array
    positive: Flags


class Artefact(NamedTuple):
    """What the trees can tell.

    Attributes:
        auc: over the events of all tasks; 0.5 is chance.
        within: mean over tasks of the AUC among one task's events.
        tasks: how many tasks were asked about.
        events: and how many events.
        telling: the features that tell most by themselves, with their own AUC.
    """

    auc: float
    within: float
    tasks: int
    events: int
    telling: tuple[tuple[str, float], ...]


class Describer:
    """Turns events into numbers.

    Args:
        store: the events.
        seed: of the choice of events where a task has many.
    """

    def __init__(self, store: EventStore, seed: int) -> None:
        self._store, self._seed = store, seed
        counts: Counter[str] = Counter()
        for partition in store.partitions:
            for name in dict.fromkeys(info.name for info in partition.infos):
                counts[name] += partition.n_rows
        frequent = sorted(counts, key=lambda name: (-counts[name], name))[:_NAMED_SLOTS]
        self._slots = {name: slot for slot, name in enumerate(frequent)}
        self.names = [*(f"{name}: {what}" for name in frequent for what in _WHAT)]
        self.names += [f"other field {slot}: {what}" for slot in range(_SHARED_SLOTS) for what in _WHAT]
        self.names += [f"letters {gram}" for gram in range(_GRAMS)]

    def describe(self, subject: Subject, made: Made) -> Described | None:
        """The events of one task; None if it has none to compare, or its rule looks into every field.

        Args:
            subject: the task.
            made: the events that were made for its rule. Both sides count in full: of a process start that is
                logged twice only one record may be scored, and then only if it matches.
        """
        if has_keywords(subject.rule):
            return None
        rng = random.Random(f"{self._seed}|artefacts|{subject.task.id}")
        sides = [
            side.rows(self._store).tolist() for side in (made.positives & subject.true, made.others - subject.true)
        ]
        # As many of each: else a task's kind of events would tell how likely they are true ones.
        size = min(_PER_SIDE, *map(len, sides))
        if not size:
            return None
        rows = [row for side in sides for row in sorted(rng.sample(side, size))]
        features = np.full((len(rows), len(self.names)), np.nan, np.float32)
        features[:, -_GRAMS:] = 0
        columns: dict[int, list[tuple[Column, bool]]] = {}
        for at, row in enumerate(rows):
            partition = self._store.partition_of(row)
            if partition.index not in columns:
                columns[partition.index] = _columns(subject, partition)
            self._fill(features[at], columns[partition.index], row - partition.base)
        _add_ranks(features)
        positive = np.zeros(len(rows), np.bool_)
        positive[:size] = True
        return Described(features, positive)

    def _fill(self, features: Array, columns: Sequence[tuple[Column, bool]], row: int) -> None:
        for column, volatile in columns:
            texts = [text for text in column.cells(row) if text is not None]
            if not texts:
                continue
            text = "\n".join(texts)
            slot = self._slots.get(column.name)
            if slot is None:
                slot = len(self._slots) + crc32(column.name.encode()) % _SHARED_SLOTS
            begin = slot * _PER_SLOT
            if volatile:
                if (number := _number(text)) is not None:
                    features[begin + _AS_NUMBER] = number
                continue
            features[begin : begin + _PER_SLOT - 1] = _facts(text)
            for gram in _grams(text):
                features[len(features) - _GRAMS + gram] += 1


_WHAT: Final = ("length", "capitals", "digits", "separators", "value", "number", "place among the task's events")
_AS_NUMBER: Final = _WHAT.index("number")
_AS_RANK: Final = len(_WHAT) - 1
assert len(_WHAT) == _PER_SLOT


def _columns(subject: Subject, partition: Partition) -> list[tuple[Column, bool]]:
    """The unnamed columns, and whether only their numbers can be looked at."""
    volatile = volatile_fields(partition.channel)
    return [(column, column.name in volatile) for column in unnamed_columns(subject.rule, partition)]


def _facts(text: str) -> tuple[float, float, float, float, float, float]:
    size = len(text)
    capitals = sum(map(str.isupper, text)) / size if size else 0.0
    digits = sum(map(str.isdigit, text)) / size if size else 0.0
    separators = size - sum(map(str.isalnum, text))
    identity = crc32(text.lower().encode()) % _IDENTITIES
    number = _number(text)
    return size, capitals, digits, separators, identity, np.nan if number is None else number


def _number(text: str) -> float | None:
    """A number, or the seconds since midnight of a time; None of what is neither, such as a GUID."""
    if _NUMBER.match(text):
        return float(int(text, 0 if text[:2].lower() == "0x" else 10))
    found = _TIME.match(text)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _grams(text: str) -> Iterator[int]:
    data = text.encode()
    for at in range(len(data) - _GRAM + 1):
        yield crc32(data[at : at + _GRAM]) % _GRAMS


def _add_ranks(features: Array) -> None:
    """Where each event's numbers stand among those of the task's other events, 0…1."""
    for begin in range(0, features.shape[1] - _GRAMS, _PER_SLOT):
        numbers = features[:, begin + _AS_NUMBER]
        known = ~np.isnan(numbers)
        if known.sum() > 1:
            below = (numbers[known, None] > numbers[None, known]).mean(axis=1)
            above = (numbers[known, None] < numbers[None, known]).mean(axis=1)
            features[known, begin + _AS_RANK] = (1 + below - above) / 2


def artefact(described: Sequence[Described], names: Sequence[str], seed: int) -> Artefact | None:
    """Trains trees on some tasks and asks them about the others; None if there are too few tasks.

    Args:
        described: the tasks' events.
        names: of the features.
        seed: of trees and folds.

    Raises:
        OptionError: scikit-learn is not installed.
    """
    if len(described) < 2:
        return None
    features = np.concatenate([one.features for one in described])
    positive = np.concatenate([one.positive for one in described])
    task = np.repeat(np.arange(len(described)), [len(one.positive) for one in described])
    scores = _asked(features, positive, task, seed)
    within = [auc(scores[task == number], one.positive) for number, one in enumerate(described)]
    telling = _telling(features, positive, names)
    return Artefact(auc(scores, positive), float(np.mean(within)), len(described), len(positive), telling)


def _asked(features: Array, positive: Flags, task: npt.NDArray[np.int64], seed: int) -> Numbers:
    """For each event, what trees say that have not seen its task."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise OptionError(
            "artefact_auc needs scikit-learn, which is missing; install the extra: pip install sigmaforge[quality]"
        ) from None

    n_tasks = int(task.max()) + 1
    folds = np.random.default_rng(seed).permutation(n_tasks) % min(_FOLDS, n_tasks)
    scores = np.zeros(len(positive))
    # One thread: others wait for each other by spinning, and on a busy machine that is all they do.
    with threadpool_limits(1):
        for fold in range(int(folds.max()) + 1):
            asked = folds[task] == fold
            seen = features[~asked]
            varied = np.fmin.reduce(seen) < np.fmax.reduce(seen)  # False, too, for what no event has
            trees = HistGradientBoostingClassifier(**_TREES, random_state=seed)
            trees.fit(seen[:, varied], positive[~asked])
            scores[asked] = trees.decision_function(features[asked][:, varied])
    return scores


def _telling(features: Array, positive: Flags, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The features whose own AUC is farthest from chance: what to look at first."""
    found = []
    for number, name in enumerate(names):
        column = features[:, number]
        known = ~np.isnan(column)
        if positive[known].any() and not positive[known].all():
            alone = auc(column[known], positive[known])
            found.append((abs(alone - 0.5) * float(known.mean()), name, alone))
    found.sort(key=lambda one: (-one[0], one[1]))
    return tuple((name, alone) for _, name, alone in found[:_TELLING])


def auc(scores: Numbers | Array, positive: Flags) -> float:
    """Area under the ROC curve: how likely a positive has the higher score than another, ties counting half.

    Args:
        scores: shape (n,).
        positive: shape (n,); some are, some are not.
    """
    _, place = np.unique(scores, return_inverse=True)
    good, bad = (np.bincount(place, side.astype(np.float64)) for side in (positive, ~positive))
    below = np.cumsum(bad) - bad
    return float((good * (below + bad / 2)).sum() / (good.sum() * bad.sum()))
