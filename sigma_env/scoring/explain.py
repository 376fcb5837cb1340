"""A score as a text for a detection engineer: what was right, and which line decided on what was not."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sigma_env.engines.base import Engine, Matches
from sigma_env.engines.judge import Causes, meaning_of, same_document, told
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.scoring.hints import yaml_hints
from sigma_env.scoring.lines import Lines, SigmaLines, written_logsource
from sigma_env.scoring.options import COMPONENTS, weighted
from sigma_env.scoring.score import Score
from sigma_env.scoring.switched_lines import SwitchedLines
from sigma_env.sigma.answer import ABSTENTION, Answer
from sigma_env.sigma.rule import Rule

if TYPE_CHECKING:
    from sigma_env.scoring.yardstick import Yardstick

_EVENTS_LOOKED_AT: Final = 200
_GROUPS_SHOWN: Final = 5
_PAIRS_LOOKED_AT: Final = 100
_IDS_SHOWN: Final = 5
_HINTS_SHOWN: Final = 5


def explain(
    score: Score,
    yardstick: "Yardstick",
    answer: Answer,
    matches: Matches,
    weights: Mapping[str, float],
    engine: Engine,
) -> str:
    """The text of `Score.explain`.

    Args:
        score: what the answer earned.
        yardstick: what it was measured by.
        answer: the answer as read.
        matches: the events that it matches.
        weights: of the components.
        engine: what ran the rules: its meaning explains them.
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
            by_meaning = _lines_of(engine, yardstick.store)
            differences = [*_missed(answer.rule, by_meaning, events["fn"])]
            differences += _extra(yardstick.reference, by_meaning, events["fp"])
            about = list(_about(engine)) if differences else []
            lines += ["", *about, *differences] if about else differences
        elif answer.status == "ok":
            lines += _refused(answer.rule, engine)
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
    yield f"The logsource is {written_logsource(rule)}; the reference has {written_logsource(yardstick.reference)}."
    judged = (rule.logsource, rule.condition)
    for text, pairs in (
        ("It does not reach what was asked for", yardstick.check.missing(*judged)),
        ("It also reaches", yardstick.check.extra(*judged)),
    ):
        ids: dict[str, list[str]] = {}
        for channel, event_id in islice(pairs, _PAIRS_LOOKED_AT):
            ids.setdefault(channel, []).append("any other EventID" if event_id is None else str(event_id))
        yield from (f"  {text}: {channel} ({_listed(names)})" for channel, names in ids.items())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_IDS_SHOWN]) + (", …" if len(names) > _IDS_SHOWN else "")


def _lines_of(engine: Engine, store: EventStore) -> Lines:
    on = meaning_of(engine)
    return SwitchedLines(store, on) if on else SigmaLines(store)


def _about(engine: Engine) -> Iterator[str]:
    """What is to be known of lines that are not the specification's."""
    if not meaning_of(engine):
        return
    yield f"Lines are those of the meaning {engine.semantics}: tests as it makes them; – is neither true nor false."
    if not isinstance(engine, NativeEngine):
        yield f"They are the native engine's view: {engine.name} itself does not say why it matches."


def _refused(rule: Rule, engine: Engine) -> Iterator[str]:
    """The switches for which an engine's meaning does not run a rule that is one by the specification."""
    on = meaning_of(engine)
    cause = Causes(same_document(rule), on).refusal() if on else None
    if cause:
        yield f"It is a rule by the specification; the difference: {told(cause)}"


def _missed(rule: Rule, by_meaning: Lines, events: Matches) -> Iterator[str]:
    if events:
        yield from ("", f"Missed: {_counted(events)} that the reference matches and the answer does not")
        yield from _grouped(rule, "answer", by_meaning, events)


def _extra(reference: Rule, by_meaning: Lines, events: Matches) -> Iterator[str]:
    if events:
        yield from ("", f"Extra: {_counted(events)} that the answer matches and the reference does not")
        yield from _grouped(reference, "reference", by_meaning, events)


def _counted(events: Matches) -> str:
    return "1 event" if len(events) == 1 else f"{len(events):,} events"


class _Group(NamedTuple):
    """Events on which the same lines of a rule decided."""

    first: int
    rows: list[int]


def _grouped(rule: Rule, whose: str, by_meaning: Lines, events: Matches) -> Iterator[str]:
    """The events by the lines of the rule that decided against them, with the values of one event of each group."""
    groups: dict[tuple[str, ...], _Group] = {}
    store = by_meaning.store
    for row in events.rows(store)[:_EVENTS_LOOKED_AT].tolist():
        groups.setdefault(by_meaning.key(rule, whose, row), _Group(row, [])).rows.append(row)
    looked_at = sum(len(group.rows) for group in groups.values())
    for group in islice(groups.values(), _GROUPS_SHOWN):
        more = len(group.rows) - 1
        alike = f"  and {more:,} more on which the same lines decide" if more else ""
        yield f"  {_event(store, group.first)}{alike}"
        yield from (f"    {line}" for line in by_meaning.lines(rule, whose, group.first))
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
