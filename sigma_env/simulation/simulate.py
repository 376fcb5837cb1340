"""From rules to labelled logs: events for every rule, background around them, files, labels."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.labels import ALL, LABELS, Label, Labeller, write_labels
from sigma_env.simulation.processes import PROCESSES
from sigma_env.simulation.produce import Produced, Wish, produce_all
from sigma_env.simulation.world import Company, background, write_logs
from sigma_env.simulation.world.log_files import LogFormat

# In larger logs the slow evaluator judges some events of each rule, not all.
_JUDGE_ALL_BELOW = 30_000
_JUDGED_PER_RULE = 8

Progress = Callable[[str, int, int], None]
"""Called with (what is done, how much of it is done, of how much)."""


class NotSimulated(NamedTuple):
    """A rule, or a way in which it matches, of which there are no events.

    Attributes:
        branch: the way, in the rule's words; "" if the whole rule has no event.
        reason: "schema", "implausible value", "too many ways", or "unsupported".
    """

    rule_id: str
    title: str
    branch: str
    reason: str
    detail: str


class Simulated(NamedTuple):
    """What `simulate` wrote.

    Attributes:
        roles: number of labels by role.
        rules_with_events: how many rules have at least one matching event that was made for them.
    """

    events: int
    hosts: int
    files: int
    rules: int
    rules_with_events: int
    roles: dict[str, int]
    not_simulated: list[NotSimulated]


def simulate(
    rules: Sequence[Rule],
    out: Path,
    seed: int,
    *,
    background_events: int = 0,
    log_format: LogFormat = "evtx",
    force: bool = False,
    processes: int = PROCESSES,
    progress: Progress | None = None,
) -> Simulated:
    """Writes logs on which rules can be judged: `out/HOST/CHANNEL.evtx` and `out/labels.jsonl`.

    Same rules and seed, same bytes. A rule's own events depend on the rule, the seed and the company only; where and
    when they stand in the logs depends on all that happens on their hosts.

    Args:
        rules: what to make events for; their ids must differ.
        out: the folder; it is made, and must be empty if it is there.
        seed: of everything.
        background_events: how many events of a quiet enterprise to put around them.
        log_format: "evtx" or "jsonl".
        force: replace what an earlier run left in the folder; other files in it stay.
        processes: how many may work at once.
        progress: is told how far the work is.

    Raises:
        SimulationError: the folder holds something; or no rule has an event; or a fault of the simulator.
    """
    check_empty(out, force=force)
    _check_different(rules)
    company = Company.default(seed)
    made: list[Produced] = []
    for one in produce_all([Wish(rule) for rule in rules], company, seed, processes=processes):
        made.append(one)
        _tell(progress, "making events", len(made), len(rules))
    drafts = [draft for one in made for draft in one.drafts]
    if rules and not drafts:
        first = next(_without_events(rules, made))
        raise SimulationError(
            f"no event can be made for any of the {len(rules)} rules; {first.title or first.rule_id}: "
            f"{first.reason}: {first.detail}"
        )
    drafts += background(company, seed, background_events)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        store, labels = _write(rules, drafts, company, part, seed, log_format, processes, progress)
        _move(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return _summary(rules, made, store, labels)


def _write(
    rules: Sequence[Rule],
    drafts: Sequence[Draft],
    company: Company,
    folder: Path,
    seed: int,
    log_format: LogFormat,
    processes: int,
    progress: Progress | None,
) -> tuple[EventStore, list[Label]]:
    def told(doing: str) -> Callable[[str, int, int], None]:
        return lambda _, done, total: _tell(progress, doing, done, total)

    written = write_logs(drafts, company, folder, seed, log_format, processes=processes, progress=told("writing logs"))
    store = open_simulated(folder, progress=told("reading logs"))
    labeller = Labeller(store, drafts, written)
    judged = ALL if len(drafts) <= _JUDGE_ALL_BELOW else _JUDGED_PER_RULE
    labels = labeller.label(rules, judged=judged, progress=told("labelling"))
    write_labels(labels, folder)
    return store, labels


def _tell(progress: Progress | None, doing: str, done: int, total: int) -> None:
    if progress is not None:
        progress(doing, done, total)


def open_simulated(folder: Path, progress: Callable[[str, int, int], None] | None = None) -> EventStore:
    """The store of a folder of simulated logs, with the file names that the labels use.

    Raises:
        StoreError: there are no logs in it.
    """
    # Folders are searched for EVTX only; JSON lines are logs where they are named.
    lines = [LogRoot(path, path.parent.name) for path in sorted(folder.glob("*/*.jsonl"))]
    return build(lines or [LogRoot(folder)], progress)


def check_empty(out: Path, *, force: bool) -> None:
    """Refuses a folder in which something lies.

    Raises:
        SimulationError: it holds something and may not be replaced, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise SimulationError(f"{out}: is no folder; name another with --out")
    if out.exists() and any(out.iterdir()) and not force:
        raise SimulationError(
            f"{out}: the folder is not empty; name another with --out, or replace its logs with --force"
        )


def _check_different(rules: Sequence[Rule]) -> None:
    counts = Counter(rule.meta.id for rule in rules)
    if twice := [rule_id for rule_id, count in counts.items() if count > 1]:
        raise SimulationError(f"rules: id {twice[0]} is given to {counts[twice[0]]} rules; give each its own")


def _move(part: Path, out: Path) -> None:
    """Puts the new logs where the old ones stood: hosts that the old labels name go, whatever else lies there stays."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / LABELS).exists():
        for host in Company.default().hosts:
            shutil.rmtree(out / host, ignore_errors=True)
    for new in sorted(part.iterdir()):
        old = out / new.name
        if old.is_dir():
            shutil.rmtree(old)
        new.replace(old)


def _without_events(rules: Sequence[Rule], made: Sequence[Produced]) -> Iterator[NotSimulated]:
    for rule, one in zip(rules, made, strict=True):
        if one.fault:
            yield NotSimulated(rule.meta.id, rule.meta.title, "", "unsupported", one.fault)
        for each in one.unsatisfiable:
            yield NotSimulated(rule.meta.id, rule.meta.title, each.branch, each.reason, each.detail)


def _summary(rules: Sequence[Rule], made: Sequence[Produced], store: EventStore, labels: Sequence[Label]) -> Simulated:
    roles = Counter(label.role for label in labels)
    return Simulated(
        events=store.n_events,
        hosts=len({file.name.partition("/")[0] for file in store.files}),
        files=len(store.files),
        rules=len(rules),
        rules_with_events=sum(any(draft.role == "positive" for draft in one.drafts) for one in made),
        roles={role: roles[role] for role in ("positive", "near_miss", "filtered", "background")},
        not_simulated=list(_without_events(rules, made)),
    )
