"""Whether an answer looks in the right place: its (channel, EventID) pairs against the reference's logsource.

S(rule) holds the pairs that the rule's logsource selects and on which its condition is not constantly
false once what the event's type fixes is known (Channel, EventID, Provider_Name, Sysmon's EventType).
L holds the pairs that the reference's logsource alone selects. An answer is correct if S(answer) ⊆ L
and S(answer) holds every pair with a scored true event. So `service: sysmon` with `EventID: 1` is as good
as `category: process_creation` where the true events are Sysmon's, and `service: sysmon` alone is not.

Where a logsource takes a channel whole, the EventIDs that it could hold are not listed anywhere. Those
that matter are the ones that the taxonomy names in the channel, those that EventID tests of answer or
reference name (of an answer the 200 smallest: lists are hostile), those of the true pairs, and the smallest
that is none of these, which stands for all others. Likewise a logsource without category and service
takes the channels of the taxonomy, those of the true pairs, those that the answer's Channel tests
name (200 again), and one that stands for all others. No other event of the store has a say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from sigma_env.engines.native import required_event_ids
from sigma_env.scoring.folding import FixedValues, Folding, fixed_values, has_fixed_field, patterns_of
from sigma_env.sigma.rule import Compare, LogSource, Node, Text
from sigma_env.sigma.taxonomy import Target, categories, select, services

_ANY_OTHER_CHANNEL: Final = "any other channel"
_NAMES_CONSIDERED: Final = 200
_VERDICTS_KEPT: Final = 64
_LARGEST_EVENT_ID: Final = 0xFFFF
_NUMBER: Final = re.compile(r"[0-9]{1,5}")


class Pair(NamedTuple):
    """A kind of event. `event_id` None stands for every EventID that neither the rules nor the taxonomy name."""

    channel: str
    event_id: int | None

    def __str__(self) -> str:
        """`CHANNEL EVENTID`."""
        return f"{self.channel} {'(any other EventID)' if self.event_id is None else self.event_id}"


class LogsourceCheck:
    """Judges the logsources of answers to one task."""

    def __init__(self, logsource: LogSource, condition: Node, true_pairs: Iterable[tuple[str, int]]) -> None:
        """Prepares for the answers.

        Args:
            logsource: the reference's.
            condition: the reference's.
            true_pairs: (channel, EventID) of the scored true events.
        """
        self.true_pairs = tuple(sorted(set(true_pairs)))
        self._allowed = _reach(logsource)
        self._named_ids = _named_event_ids(condition)
        self.key = (logsource, self.true_pairs, self._named_ids)
        """Equal for checks that judge every answer alike."""
        self._verdicts: dict[LogSource, bool] = {}

    def correct(self, logsource: LogSource, condition: Node | None) -> bool:
        """Whether an answer with this logsource and condition looks in the right place; see the module.

        Args:
            logsource: the answer's.
            condition: the answer's; None if it has none that could be read, which excludes nothing.
        """
        if condition is not None and has_fixed_field(condition):
            return self._judge(logsource, condition)
        if not select(logsource).targets:
            return False  # names that nobody knows are not worth remembering: there is no end to them
        # Most answers leave it to the logsource, and most of those have one of a few.
        verdict = self._verdicts.get(logsource)
        if verdict is None:
            if len(self._verdicts) >= _VERDICTS_KEPT:
                self._verdicts.clear()
            verdict = self._verdicts[logsource] = self._judge(logsource, None)
        return verdict

    def _judge(self, logsource: LogSource, condition: Node | None) -> bool:
        if next(self.missing(logsource, condition), None) is not None:
            return False
        return next(self.extra(logsource, condition), None) is None

    def missing(self, logsource: LogSource, condition: Node | None) -> Iterator[Pair]:
        """Pairs with scored true events that are not in S(answer)."""
        targets = select(logsource).targets
        folding = None if condition is None else Folding(condition)
        for channel, event_id in self.true_pairs:
            if not any(_holds(target, channel, event_id, folding) for target in targets):
                yield Pair(channel, event_id)

    def extra(self, logsource: LogSource, condition: Node | None) -> Iterator[Pair]:
        """Pairs of S(answer) that the reference's logsource does not select, the likeliest first."""
        if self._allowed is None:
            return
        folding = None if condition is None else Folding(condition)
        for target in select(logsource).targets:
            for channel in [target.channel] if target.channel else self._channels(condition):
                allowed = self._allowed.get(channel.lower(), frozenset())
                if allowed is None:
                    continue
                for event_id, stands_for in self._event_ids(target, channel, condition):
                    if event_id not in allowed and _holds(target, channel, event_id, folding):
                        yield Pair(channel, stands_for)

    def _event_ids(self, target: Target, channel: str, condition: Node | None) -> Iterator[tuple[int, int | None]]:
        """The EventIDs to consider; beside each itself, or None for the one that stands for all others."""
        required = None if condition is None else required_event_ids(condition)
        if target.event_ids is not None:
            ids = target.event_ids if required is None else target.event_ids & required
        elif required is not None:
            ids = required
        else:
            ids = _known_event_ids(channel) | self._named_ids
            ids |= {event_id for c, event_id in self.true_pairs if c.lower() == channel.lower()}
            if condition is not None:
                ids |= _named_event_ids(condition)
            yield next(i for i in range(1, len(ids) + 2) if i not in ids), None
        for event_id in sorted(ids):
            yield event_id, event_id

    def _channels(self, condition: Node | None) -> Iterator[str]:
        yield _ANY_OTHER_CHANNEL
        named = [] if condition is None else _whole_texts(condition, "Channel")
        seen: set[str] = set()
        for channel in (*_known_channels(), *(c for c, _ in self.true_pairs), *sorted(named)[:_NAMES_CONSIDERED]):
            if channel.lower() not in seen:
                seen.add(channel.lower())
                yield channel


def selects(logsource: LogSource, channel: str, event_id: int) -> bool:
    """Whether a logsource by itself selects events of a channel and EventID."""
    return any(_holds(target, channel, event_id, None) for target in select(logsource).targets)


def _holds(target: Target, channel: str, event_id: int, folding: Folding | None) -> bool:
    """Whether the pair is in S of a rule with this target and condition."""
    if target.channel is not None and target.channel.lower() != channel.lower():
        return False
    if target.event_ids is not None and event_id not in target.event_ids:
        return False
    values: FixedValues = fixed_values(channel, event_id)
    if target.provider is not None:
        providers = values["Provider_Name"]
        if providers is not None and target.provider.lower() not in {str(p).lower() for p in providers}:
            return False
        values = {**values, "Provider_Name": frozenset((target.provider,))}
    return folding is None or folding.truth(values) is not False


def _named_event_ids(condition: Node) -> frozenset[int]:
    """Numbers that a condition's EventID tests name, and the neighbours of those that it compares with."""
    ids = {int(text) for text in _whole_texts(condition, "EventID") if _NUMBER.fullmatch(text)}
    for pattern in patterns_of(condition, "EventID"):
        if isinstance(pattern, Compare) and 0 <= pattern.number <= _LARGEST_EVENT_ID:
            number = int(pattern.number)
            ids.update((max(number - 1, 0), number, number + 1))
    return frozenset(islice(sorted(ids), _NAMES_CONSIDERED))


def _whole_texts(condition: Node, field: str) -> list[str]:
    return [p.text for p in patterns_of(condition, field) if isinstance(p, Text) and p.op == "equals"]


@lru_cache(maxsize=256)
def _reach(logsource: LogSource) -> Mapping[str, frozenset[int] | None] | None:
    """Channel, lower-cased → the EventIDs that a logsource selects there, None if all; None: every event."""
    reach: dict[str, frozenset[int] | None] = {}
    for channel, event_ids, _ in select(logsource).targets:
        if channel is None:
            return None
        before = reach.get(channel.lower(), frozenset())
        reach[channel.lower()] = None if before is None or event_ids is None else before | event_ids
    return reach


@lru_cache(maxsize=1)
def _taxonomy() -> tuple[tuple[str, ...], Mapping[str, frozenset[int]]]:
    """Every channel that the taxonomy knows, and by channel, lower-cased, every EventID that it names there."""
    sources = [LogSource(category=name) for name in categories()] + [LogSource(service=name) for name in services()]
    channels: dict[str, str] = {}
    ids: dict[str, frozenset[int]] = {}
    for source in sources:
        for channel, event_ids, _ in select(source).targets:
            if channel is not None:
                key = channel.lower()
                channels.setdefault(key, channel)
                ids[key] = ids.get(key, frozenset()) | (event_ids or frozenset())
    return tuple(channels.values()), ids


def _known_channels() -> tuple[str, ...]:
    return _taxonomy()[0]


def _known_event_ids(channel: str) -> frozenset[int]:
    return _taxonomy()[1].get(channel.lower(), frozenset())
