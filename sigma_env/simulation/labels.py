"""What every simulated event is there for: decided by the engine after the logs are written, not by who wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.evaluator import Memo, StoredEvent, trace
from sigma_env.engines.native import NativeEngine, selects
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.draft import Draft, Role
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.world.write import Written

LABELS = "labels.jsonl"
"""Name of the labels' file, beside the hosts' folders."""

ALL = 1 << 62
"""As `judged`: every event."""

_FAULTS_SHOWN = 5

Progress = Callable[[str, int, int], None]
"""Called with (rule id, rules done, rules)."""


class Label(NamedTuple):
    """A line of labels.jsonl: what an event is for one rule.

    Attributes:
        file: path of the log, relative to the labels' folder.
        event_record_id: System/EventRecordID, unique in its file.
        rule_id: the rule; None for background, which no rule was made for.
        role: positive = the rule matches; near_miss and filtered = made for the rule, which does not match.
        branch: way in which it was made to match, or nearly so; None if it was not made for this rule.
        broken: part of the rule that excludes a near-miss or filtered event, in the rule's words.
        visible: whether the rule's request shows it.
    """

    file: str
    event_record_id: int
    rule_id: str | None
    role: Role
    branch: int | None = None
    broken: str | None = None
    visible: bool = False


class Labeller:
    """Labels the events of one folder of logs.

    Args:
        store: the events, with the file names of `written`.
        drafts: what was written.
        written: where, as `write_logs` gives it.

    Raises:
        SimulationError: the store does not hold every record that was written.
    """

    def __init__(self, store: EventStore, drafts: Sequence[Draft], written: Sequence[Written]) -> None:
        self._store = store
        self._drafts = drafts
        self._written = written
        self._rows = rows_of(store, written)
        self._at_row = np.full(store.n_events, -1, np.int64)
        self._at_row[self._rows] = np.arange(len(written))
        self._own: dict[str, list[int]] = {}
        for at, entry in enumerate(written):
            rule_id = drafts[entry.draft].rule_id
            if rule_id is not None:
                self._own.setdefault(rule_id, []).append(at)
        self._engine = NativeEngine()

    def label(self, rules: Sequence[Rule], *, judged: int = 8, progress: Progress | None = None) -> list[Label]:
        """The labels of all events: background, and what each rule makes of its own and of the others' events.

        The second record of a process start shows less than the first, so a rule that matches one may miss the other;
        then only the one that it matches is a positive, and the other is no case of the rule.

        Args:
            rules: the rules that the drafts were made for; their ids must differ.
            judged: up to how many of its own events the slow evaluator judges for each rule.
            progress: called after each rule.

        Raises:
            SimulationError: an event that was made to match does not, or one that was made not to does; or the two
                evaluators disagree; or two rules have one id. The message names rule and event.
        """
        _check_ids(rules, self._own)
        labels = [self._label(at, None) for at, w in enumerate(self._written) if self._drafts[w.draft].rule_id is None]
        faults: list[str] = []
        results = self._engine.match(rules, self._store)
        for done, (rule, matches) in enumerate(zip(rules, results, strict=True), 1):
            if isinstance(matches, Unsupported):
                if rule.meta.id in self._own:
                    faults.append(f"rule {rule.meta.id}: {matches.reason}")
                continue
            labels += self._of_rule(rule, matches, judged, faults)
            if progress is not None:
                progress(rule.meta.id, done, len(rules))
        if faults:
            shown = "; ".join(faults[:_FAULTS_SHOWN])
            raise SimulationError(f"{len(faults)} simulated events are not what they were made for: {shown}")
        return sorted(labels, key=lambda label: (label.file, label.event_record_id, label.rule_id or ""))

    def _label(self, at: int, rule_id: str | None, role: Role = "background", *, own: bool = False) -> Label:
        written = self._written[at]
        if not own:
            return Label(written.file, written.event_record_id, rule_id, role)
        draft = self._drafts[written.draft]
        broken = draft.broken if role != "positive" else None
        return Label(written.file, written.event_record_id, rule_id, role, draft.branch, broken, draft.visible)

    def _of_rule(self, rule: Rule, matches: Matches, judged: int, faults: list[str]) -> Iterable[Label]:
        matched = {int(self._at_row[row]) for row in matches.rows(self._store)}
        own = self._own.get(rule.meta.id, [])
        labels = []
        for at in own:
            draft, twin = self._drafts[self._written[at].draft], self._written[at].twin
            as_meant = (at in matched) == (draft.role == "positive")
            if as_meant:
                labels.append(self._label(at, rule.meta.id, draft.role, own=True))
            elif not twin:
                faults.append(self._fault(rule, at, draft))
            elif at in matched:
                labels.append(self._label(at, rule.meta.id, "positive"))
        labels += [self._label(at, rule.meta.id, "positive") for at in sorted(matched.difference(own)) if at >= 0]
        self._judge(rule, matched, own, judged, faults)
        return labels

    def _judge(self, rule: Rule, matched: set[int], own: list[int], judged: int, faults: list[str]) -> None:
        """Asks the slow evaluator, which shares nothing with the engine but the rule's tree."""
        step = max(1, -(-len(own) // judged)) if judged else len(own) + 1
        memo: Memo = {}
        for at in own[::step] if judged else ():
            row = int(self._rows[at])
            event = StoredEvent.at(self._store, row, rule.logsource.category)
            holds = selects(rule.logsource, self._store, row) and trace(rule.condition, event, memo).holds
            if holds != (at in matched):
                faults.append(f"rule {rule.meta.id}: the engine and the evaluator disagree on {self._place(at)}")

    def _fault(self, rule: Rule, at: int, draft: Draft) -> str:
        what = "was made to match and does not" if draft.role == "positive" else "was made not to match and does"
        broken = f" (breaks {draft.broken})" if draft.broken else ""
        return f"rule {rule.meta.id}: {self._place(at)}, a {draft.role}{broken}, {what}"

    def _place(self, at: int) -> str:
        written = self._written[at]
        return f"{written.file}:{written.event_record_id}"


def _check_ids(rules: Sequence[Rule], own: dict[str, list[int]]) -> None:
    ids = [rule.meta.id for rule in rules]
    if len(set(ids)) < len(ids):
        twice = sorted({one for one in ids if ids.count(one) > 1})
        raise SimulationError(
            f"rules: {', '.join(twice[:_FAULTS_SHOWN])}: several rules have this id; give each its own"
        )
    if unknown := own.keys() - set(ids):
        raise SimulationError(f"rules: there are events of {sorted(unknown)[0]}, but not the rule itself")


def rows_of(store: EventStore, written: Sequence[Written]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The global row of each record that was written.

    Raises:
        SimulationError: the store does not hold all of them.
    """
    index = {file.name: at for at, file in enumerate(store.files)}
    rows = {name: store.rows_of_file(at) for name, at in index.items()}
    try:
        found = [int(rows[entry.file][entry.position]) for entry in written]
    except (KeyError, IndexError) as error:
        raise SimulationError(f"the logs do not hold every event that was written: {error}") from error
    return np.asarray(found, np.int64)


def write_labels(labels: Iterable[Label], folder: Path) -> None:
    """Writes labels.jsonl into the folder of the logs."""
    lines = b"".join(orjson.dumps(label._asdict(), option=orjson.OPT_APPEND_NEWLINE) for label in labels)
    (folder / LABELS).write_bytes(lines)


def read_labels(folder: Path) -> list[Label]:
    """Reads the labels of a folder of simulated logs.

    Raises:
        SimulationError: there are none, or a line is none; the message names the line.
    """
    path = folder / LABELS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SimulationError(f"{path}: cannot be read: {error.strerror}") from error
    labels = []
    for number, line in enumerate(lines, 1):
        try:
            labels.append(Label(**orjson.loads(line)))
        except (ValueError, TypeError) as error:
            raise SimulationError(f"{path}, line {number}: {error}") from error
    return labels
