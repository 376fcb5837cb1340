"""Many rules over a store, as a hunter wants the outcome: every match in order, and what was not run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from sigma_env.engines.base import Engine, Matches, ReadsLogs, Unsupported
from sigma_env.engines.hit_lines import HitLines
from sigma_env.engines.judge import Switches, meaning_of
from sigma_env.events.content import Unreadable
from sigma_env.events.flatten import NO_TIME
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import LoadedRule
from sigma_env.sigma.switches import SIGMA
from sigma_env.sigma.taxonomy import select

_LONGEST_VALUE = 1_000


class NotRun(NamedTuple):
    """A rule that was not run, and why."""

    rule_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules to run; an empty filter runs all.

    Attributes:
        levels: lower case; any of them.
        statuses: lower case; any of them.
        tags: lower case; any of them, or the beginning of one that ends before a dot.
        ids: any of them.
    """

    levels: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def accepts(self, loaded: LoadedRule) -> bool:
        """Whether the rule is one of those asked for."""
        meta = loaded.meta
        return (
            (not self.levels or (meta.level or "") in self.levels)
            and (not self.statuses or (meta.status or "") in self.statuses)
            and (not self.ids or meta.id in self.ids)
            and (not self.tags or any(self._has_tag(tag.lower()) for tag in meta.tags))
        )

    def _has_tag(self, tag: str) -> bool:
        return any(tag == wanted or tag.startswith(f"{wanted}.") for wanted in self.tags)


def runnable(loaded: Iterable[LoadedRule], any_logsource: bool = False) -> tuple[list[LoadedRule], list[NotRun]]:
    """Parts the rules that can match something from those that cannot, with the reason of each.

    A rule with a program of its own is judged by the engine that runs it: not every meaning has a taxonomy.

    Args:
        loaded: the rules.
        any_logsource: the engine has no taxonomy at all, so no rule is left out for its logsource.
    """
    run: list[LoadedRule] = []
    not_run: list[NotRun] = []
    for one in loaded:
        note = one.reason or "no rule"
        if one.rule is not None:
            selected = select(one.rule.logsource)
            if any_logsource or selected.targets or one.rule.program is not None:
                run.append(one)
                continue
            note = selected.note or "its logsource selects no Windows event"
        not_run.append(NotRun(one.meta.id, str(one.path), note))
    return run, not_run


@dataclass(frozen=True, slots=True)
class Match:
    """One event that one rule matches; `as_json` has the published keys."""

    loaded: LoadedRule
    store: EventStore
    row: int
    lines: HitLines = field(repr=False, compare=False)

    def matched_on(self) -> list[dict[str, str | None]]:
        """The lines of the rule that made it match: selection, field, the event's value, the rule's pattern."""
        return [
            {
                "selection": hit.selection,
                "field": hit.field,
                "value": None if hit.value is None else hit.value[:_LONGEST_VALUE],
                "pattern": None if hit.pattern is None else str(hit.pattern),
            }
            for hit in self.lines.at(self.row)
        ]

    def as_json(self) -> dict[str, object]:
        """The match under its published keys."""
        meta = self.loaded.meta
        ref = self.store.ref(self.row)
        partition = self.store.partition_of(self.row)
        return {
            "rule_id": meta.id,
            "title": meta.title,
            "rule_path": str(self.loaded.path),
            "level": meta.level,
            "file": ref.file,
            "event_record_id": ref.record_id,
            "position": ref.position,
            "time": rfc3339(self.store.time(self.row)),
            "computer": self.store.computer(self.row),
            "channel": partition.channel,
            "event_id": partition.event_id,
            "matched_on": self.matched_on(),
        }


class Hunt(NamedTuple):
    """What came of a set of rules on a store.

    Attributes:
        matches: (place in `rules`, global row) of each match, sorted by file, position, rule.
        rules: those that were run.
        not_run: those that the engine could not run.
        store: where they were run.
        unread: parts of the logs that the engine could not read, if it reads them itself.
        meaning: the switches that the rules were run with.
    """

    matches: list[tuple[int, int]]
    rules: Sequence[LoadedRule]
    not_run: list[NotRun]
    store: EventStore
    unread: Sequence[Unreadable] = ()
    meaning: Switches = SIGMA

    def __iter__(self) -> Iterator[Match]:  # type: ignore[override]
        lines: dict[int, HitLines] = {}
        for place, row in self.matches:
            loaded = self.rules[place]
            assert loaded.rule is not None
            if place not in lines:
                lines[place] = HitLines(loaded.rule, self.store, self.meaning)
            yield Match(loaded, self.store, row, lines[place])


def hunt(
    rules: Sequence[LoadedRule],
    store: EventStore,
    engine: Engine,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> Hunt:
    """Runs rules on a store.

    Args:
        rules: rules that parsed.
        store: the events.
        engine: who matches.
        begin: leave out events before it (aware); events without a time are left out if it or `end` is given.
        end: leave out events at it or after it.

    Raises:
        EngineError: the engine failed.
    """
    results = engine.match([one.rule for one in rules if one.rule is not None], store)
    not_run = [
        NotRun(one.meta.id, str(one.path), result.reason)
        for one, result in zip(rules, results, strict=True)
        if isinstance(result, Unsupported)
    ]
    places: list[int] = []
    rows: list[int] = []
    for place, result in enumerate(results):
        if isinstance(result, Matches) and result:
            found = result.rows(store)
            places += [place] * len(found)
            rows += found.tolist()
    unread = engine.unread if isinstance(engine, ReadsLogs) else ()
    return Hunt(_in_order(places, rows, rules, store, begin, end), rules, not_run, store, unread, meaning_of(engine))


def _in_order(
    places: Sequence[int],
    rows: Sequence[int],
    rules: Sequence[LoadedRule],
    store: EventStore,
    begin: datetime | None,
    end: datetime | None,
) -> list[tuple[int, int]]:
    if not rows:
        return []
    by_id = sorted(range(len(rules)), key=lambda i: (rules[i].meta.id, str(rules[i].path)))
    rank = np.empty(len(rules), np.int64)
    rank[by_id] = np.arange(len(rules))
    at, row = np.asarray(places), np.asarray(rows)
    refs = store.refs_table
    order = np.lexsort((rank[at], refs.position[row], refs.file[row]))
    if begin is not None or end is not None:
        time = refs.time[row[order]]
        kept = time != NO_TIME
        if begin is not None:
            kept &= time >= _microseconds(begin)
        if end is not None:
            kept &= time < _microseconds(end)
        order = order[kept]
    return list(zip(at[order].tolist(), row[order].tolist(), strict=True))


def _microseconds(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def rfc3339(time: datetime | None) -> str | None:
    """RFC 3339 in UTC with six digits of fraction; None for an event without a time."""
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
