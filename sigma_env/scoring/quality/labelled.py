"""The events that were made for each task of a simulated dataset: positives, and those that nearly are."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sigma_env.engines.base import Matches
from sigma_env.events.store import EventStore
from sigma_env.simulation.labels import LABELS, read_labels
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.manifest import LogsFrom

_OTHERS = frozenset({"near_miss", "filtered"})


class Made(NamedTuple):
    """The events that were made for one rule, second records of one thing that happened included.

    Attributes:
        positives: those that match and that its request does not show.
        others: near-misses and filtered events.
    """

    positives: Matches
    others: Matches


def made_for_rules(dataset: Dataset) -> Mapping[str, Made] | None:
    """By rule id, the events that were made for it; None if the dataset's events were not made for its rules.

    Raises:
        SimulationError: the labels are damaged.
    """
    positives: defaultdict[str, list[int]] = defaultdict(list)
    others: defaultdict[str, list[int]] = defaultdict(list)
    labelled = [logs for logs in dataset.manifest.logs if has_labels(logs)]
    if not labelled:
        return None
    store = dataset.store
    row_of = _rows_by_record(store)
    for logs in labelled:
        prefix = f"{logs.prefix}/" if logs.prefix else ""
        for label in read_labels(logs.root().path.parent):
            row = row_of.get((prefix + label.file, label.event_record_id))
            if row is None or label.rule_id is None:
                continue
            if label.role in _OTHERS:
                others[label.rule_id].append(row)
            elif label.role == "positive" and label.branch is not None and not label.visible:
                positives[label.rule_id].append(row)
    return {
        rule_id: Made(Matches.from_rows(store, positives[rule_id]), Matches.from_rows(store, others[rule_id]))
        for rule_id in sorted(positives.keys() | others.keys())
    }


def has_labels(logs: LogsFrom) -> bool:
    """Whether logs were simulated, with labels beside them."""
    return logs.kind == "simulated" and (logs.root().path.parent / LABELS).is_file()


def _rows_by_record(store: EventStore) -> dict[tuple[str, int], int]:
    refs = store.refs_table
    names = [file.name for file in store.files]
    columns = zip(np.asarray(refs.file).tolist(), np.asarray(refs.record_id).tolist(), strict=True)
    return {(names[file], record): row for row, (file, record) in enumerate(columns)}
