"""The events that were made for each task of a simulated dataset: positives, and those that nearly are."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from sigma_env.engines.base import Matches
from sigma_env.events.store import EventStore
from sigma_env.simulation.labels import LABELS, read_labels
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.manifest import LogsFrom

_OTHERS = frozenset({"near_miss", "filtered"})


def made_for_rules(dataset: Dataset) -> Mapping[str, Matches] | None:
    """Near-misses and filtered events by rule id; None if the dataset's events were not made for its rules.

    Raises:
        SimulationError: the labels are damaged.
    """
    rows: defaultdict[str, list[int]] = defaultdict(list)
    labelled = [logs for logs in dataset.manifest.logs if has_labels(logs)]
    if not labelled:
        return None
    store = dataset.store
    row_of = _rows_by_record(store)
    for logs in labelled:
        prefix = f"{logs.prefix}/" if logs.prefix else ""
        for label in read_labels(logs.root().path.parent):
            if label.role in _OTHERS and label.rule_id is not None:
                row = row_of.get((prefix + label.file, label.event_record_id))
                if row is not None:
                    rows[label.rule_id].append(row)
    return {rule_id: Matches.from_rows(store, of_rule) for rule_id, of_rule in rows.items()}


def has_labels(logs: LogsFrom) -> bool:
    """Whether logs were simulated, with labels beside them."""
    return logs.kind == "simulated" and (logs.root().path.parent / LABELS).is_file()


def _rows_by_record(store: EventStore) -> dict[tuple[str, int], int]:
    refs = store.refs_table
    names = [file.name for file in store.files]
    columns = zip(np.asarray(refs.file).tolist(), np.asarray(refs.record_id).tolist(), strict=True)
    return {(names[file], record): row for row, (file, record) in enumerate(columns)}
