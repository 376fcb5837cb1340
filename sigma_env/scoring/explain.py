"""A score as a text for a detection engineer: what was right, and which line decided on what was not."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sigma_env.engines.base import Matches
from sigma_env.engines.evaluator import StoredEvent, Trace, trace
from sigma_env.engines.show import deciders, describe, saw
from sigma_env.events.store import EventStore
from sigma_env.scoring.hints import line_hint, yaml_hints
from sigma_env.scoring.logsource import selects
from sigma_env.scoring.options import COMPONENTS, weighted
from sigma_env.scoring.score import Score
from sigma_env.sigma.answer import ABSTENTION, Answer
from sigma_env.sigma.rule import FieldTest, Rule

if TYPE_CHECKING:
    from sigma_env.scoring.yardstick import Yardstick

_EVENTS_LOOKED_AT: Final = 200
_GROUPS_SHOWN: Final = 5
_LINES_SHOWN: Final = 6
_PAIRS_LOOKED_AT: Final = 100
_IDS_SHOWN: Final = 5
_HINTS_SHOWN: Final = 5


def explain(
    score: Score, yardstick: "Yardstick", answer: Answer, matches: Matches, weights: Mapping[str, float]
) -> str:
    """The text of `Score.explain`.

    Args:
        score: what the answer earned.
        yardstick: what it was measured by.
        answer: the answer as read.
        matches: the events that it matches.
        weights: of the components.
    """
    lines = list(_table(score, weights))
    if score.reason:
        lines += ["", f"{score.status}: {score.reason}" if score.status != "ok" else f"Logsource: {score.reason}"]
    if not yardstick.detectable:
        lines += ["", f"The logs cannot show what this task asks for: only `{ABSTENTION}` is right."]
    elif answer.rule is not None:
        hints = list(islice(yaml_hints(answer.yaml_text or ""), _HINTS_SHOWN))
        lines += ["", *(f"Note: {hint}" for hint in hints)] if hints else []
        if not score.components["logsource_correct"]:
            lines += ["", *_logsource(yardstick, answer.rule)]
        if score.status == "ok":
            events = yardstick.events(matches)
            lines += _missed(answer.rule, yardstick, events["fn"])
            lines += _extra(yardstick, events["fp"])
    return "\n".join(printable(line) for line in lines)


def printable(line: str) -> str:
    """A line as a terminal may show it: control characters of logs and answers, which could steer it, as escapes."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def _table(score: Score, weights: Mapping[str, float]) -> Iterator[str]:
    best = weighted(dict.fromkeys(COMPONENTS, 1.0), weights)
    yield f"Reward {score.reward:.4g} of {best:.4g}"
    for name in COMPONENTS:
        row = f"  {name:<17}  {score.components[name]:>6.4g} × {weights[name]:g}"
        if name == "iou":
            row += f"   {score.tp:,} right, {score.fn:,} missed, {score.fp:,} extra events"
        yield row


def _logsource(yardstick: "Yardstick", rule: Rule) -> Iterator[str]:
    yield f"The logsource is {_written(rule)}; the reference has {_written(yardstick.reference)}."
    judged = (rule.logsource, rule.condition)
    for text, pairs in (
        ("It does not reach what was asked for", yardstick.check.missing(*judged)),
        ("It also reaches", yardstick.check.extra(*judged)),
    ):
        ids: dict[str, list[str]] = {}
        for channel, event_id in islice(pairs, _PAIRS_LOOKED_AT):
            ids.setdefault(channel, []).append("any other EventID" if event_id is None else str(event_id))
        yield from (f"  {text}: {channel} ({_listed(names)})" for channel, names in ids.items())


def _written(rule: Rule) -> str:
    parts = ((name, getattr(rule.logsource, name)) for name in ("product", "category", "service"))
    return ", ".join(f"{name}: {value}" for name, value in parts if value is not None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_IDS_SHOWN]) + (", …" if len(names) > _IDS_SHOWN else "")


def _missed(rule: Rule, yardstick: "Yardstick", events: Matches) -> Iterator[str]:
    if events:
        yield from ("", f"Missed: {_counted(events)} that the reference matches and the answer does not")
        yield from _grouped(rule, "answer", yardstick.store, events)


def _extra(yardstick: "Yardstick", events: Matches) -> Iterator[str]:
    if events:
        yield from ("", f"Extra: {_counted(events)} that the answer matches and the reference does not")
        yield from _grouped(yardstick.reference, "reference", yardstick.store, events)


def _counted(events: Matches) -> str:
    return "1 event" if len(events) == 1 else f"{len(events):,} events"


class _Group(NamedTuple):
    """Events on which the same lines of a rule decided."""

    first: int
    lines: Sequence[str]
    rows: list[int]


def _grouped(rule: Rule, whose: str, store: EventStore, events: Matches) -> Iterator[str]:
    """The events by the lines of the rule that decided against them, with the values of one event of each group."""
    groups: dict[tuple[str, ...], _Group] = {}
    for row in events.rows(store)[:_EVENTS_LOOKED_AT].tolist():
        key, lines = _against(rule, whose, store, row)
        groups.setdefault(key, _Group(row, lines, [])).rows.append(row)
    looked_at = sum(len(group.rows) for group in groups.values())
    for group in islice(groups.values(), _GROUPS_SHOWN):
        more = len(group.rows) - 1
        alike = f"  and {more:,} more on which the same lines decide" if more else ""
        yield f"  {_event(store, group.first)}{alike}"
        yield from (f"    {line}" for line in group.lines)
    left = len(groups) - _GROUPS_SHOWN
    if left > 0:
        yield f"  … {left:,} other reasons"
    if len(events) > looked_at:
        yield f"  ({len(events) - looked_at:,} further events were not looked at)"


def _event(store: EventStore, row: int) -> str:
    partition, time = store.partition_of(row), store.time(row)
    parts = [str(store.ref(row)), f"{partition.channel} {partition.event_id}"]
    if time is not None:
        parts.append(time.isoformat().replace("+00:00", "Z"))
    return "  ".join(part for part in (*parts, store.computer(row)) if part)


def _against(rule: Rule, whose: str, store: EventStore, row: int) -> tuple[tuple[str, ...], Sequence[str]]:
    """What kept the rule from matching an event: once without the event's values, once with them."""
    partition = store.partition_of(row)
    if not selects(rule.logsource, partition.channel, partition.event_id):
        line = f"the {whose}'s logsource ({_written(rule)}) does not select {partition.channel} {partition.event_id}"
        return (line,), [line]
    event = StoredEvent.at(store, row, rule.logsource.category)
    found = list(deciders(trace(rule.condition, event)))
    key = tuple(f"{name} {describe(_test(leaf))} {leaf.holds}" for name, leaf in found)
    lines = [_line(whose, name, leaf, list(partition.columns)) for name, leaf in found[:_LINES_SHOWN]]
    if len(found) > _LINES_SHOWN:
        lines.append(f"… {len(found) - _LINES_SHOWN:,} more lines")
    return key, lines


def _line(whose: str, selection: str, leaf: Trace, fields: Sequence[str]) -> str:
    test = _test(leaf)
    shown = describe(test, [value for value, _ in leaf.held] or None)
    text = f"{'✓' if leaf.holds else '✗'} {whose}'s {selection}: {shown} — {saw(leaf)}"
    if leaf.holds:
        return f"{text}; it holds, and the condition negates it"
    hint = line_hint(test, leaf.seen, fields)
    return f"{text} ({hint})" if hint else text


def _test(leaf: Trace) -> FieldTest:
    assert isinstance(leaf.node, FieldTest)
    return leaf.node
