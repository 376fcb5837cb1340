"""Many rules over a store, as a hunter wants the outcome: a line per match, and what was not run."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sigma_env.engines.base import Engine, Matches, Unsupported
from sigma_env.engines.evaluator import StoredEvent, hits
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule

_LONGEST_VALUE = 1_000


class NotRun(NamedTuple):
    """A rule that was not run."""

    rule_id: str
    path: str
    reason: str


class LoadedRule(NamedTuple):
    """A rule and the file it came from."""

    path: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Match:
    """One event that one rule matches; see `as_json` for the published keys."""

    loaded: LoadedRule
    store: EventStore
    row: int

    def sort_key(self) -> tuple[str, int, str, str]:
        """By file and position, then rule."""
        ref = self.store.ref(self.row)
        return ref.file, ref.position, self.loaded.rule.meta.id, self.loaded.path

    def matched_on(self) -> list[dict[str, str | None]]:
        """The lines of the rule that made it match: selection, field, value of the event, pattern of the rule."""
        rule = self.loaded.rule
        event = StoredEvent.at(self.store, self.row, rule.logsource.category)
        return [
            {
                "selection": hit.selection,
                "field": hit.field,
                "value": hit.value if hit.value is None else hit.value[:_LONGEST_VALUE],
                "pattern": None if hit.pattern is None else str(hit.pattern),
            }
            for hit in hits(rule.condition, event)
        ]

    def as_json(self) -> dict[str, object]:
        """The match under its published keys."""
        meta = self.loaded.rule.meta
        ref = self.store.ref(self.row)
        partition = self.store.partition_of(self.row)
        return {
            "rule_id": meta.id,
            "title": meta.title,
            "rule_path": self.loaded.path,
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


def rfc3339(time: datetime | None) -> str | None:
    """RFC 3339 in UTC with six digits of fraction; None for an event without a time."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
