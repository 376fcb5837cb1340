"""Checks of fields, EventIDs and filters against the events that a rule selects."""

from collections.abc import Iterator

from sigma_env.sigma.lint.checks import Finding, found
from sigma_env.sigma.lint.constraints import Demand, contradiction, demands, needs_value
from sigma_env.sigma.lint.places import Placed
from sigma_env.sigma.lint.selected import Part, demands_of_logsource, known_fields, nearest, parts_of
from sigma_env.sigma.rule import And, FieldTest, LogSource, Node, Not, Or, Rule, Selection, Text
from sigma_env.sigma.taxonomy import SECURITY, SYSMON, categories, fixed_fields, select
from sigma_env.sigma.tree import field_tests

_SHOWN = 3
# EventIDs of Security were 4096 less: https://learn.microsoft.com, "Security audit events" of Windows Vista.
_BEFORE_VISTA = range(512, 900)


def check_fields(rule: Rule, placed: Placed) -> Iterator[Finding]:
    """Finds fields that no selected event has, filters that never hold, and EventIDs that the logsource lacks."""
    if not select(rule.logsource).targets:
        return
    outer = demands_of_logsource(rule.logsource)
    reported: set[int] = set()
    for part in parts_of(rule.condition, outer):
        if isinstance(part.node, Not):
            for idle, reason in _idle(part.node.child, part.required, rule.logsource):
                tests = list(field_tests(idle))
                reported.update(map(id, tests))
                name = f"'{idle.name}'" if isinstance(idle, Selection) else "what is negated"
                yield found("idle-filter", f"{name} never holds: {reason}", placed.of(tests[0])[:2])
        elif id(part.node) not in reported:
            reported.add(id(part.node))
            yield from _unknown_field(part, rule.logsource, placed)
            yield from _event_ids(part.node, rule.logsource, placed)


def _idle(node: Node, required: tuple[Demand, ...], logsource: LogSource) -> Iterator[tuple[Node, str]]:
    """The parts of what is negated that never hold, each with the reason."""
    if isinstance(node, Or):
        for child in node.children:
            yield from _idle(child, required, logsource)
        return
    clash = contradiction(node, required)
    if clash is not None:
        test, other = clash
        yield node, f"{test.field} is {_shown(test)} there, and {_listed(other)} in what is selected"
        return
    lacking = _lacking(node, required, logsource)
    if lacking is not None:
        yield node, lacking


def _lacking(node: Node, required: tuple[Demand, ...], logsource: LogSource) -> str | None:
    """Why a node never holds, for want of a field; None if it may."""
    if isinstance(node, FieldTest):
        if node.field is None or node.negated or not all(needs_value(p) for v in node.values for p in v.alternatives):
            return None
        known = known_fields(logsource, required)
        return None if known is None or node.field in known else _no_field(node.field, known)
    if isinstance(node, Selection):
        return _lacking(node.child, required, logsource)
    if isinstance(node, And):
        inner = required + demands(node)
        return next((why for child in node.children if (why := _lacking(child, inner, logsource))), None)
    if isinstance(node, Or):
        every = [_lacking(child, required, logsource) for child in node.children]
        return every[0] if all(every) else None
    return None


def _no_field(field: str, known: frozenset[str]) -> str:
    near = nearest(field, known)
    return f"no selected event has a field '{field}'" + (f"; the nearest is '{near}'" if near else "")


def _shown(test: FieldTest) -> str:
    values = ["null" if value.written is None else f"'{value.written}'" for value in test.values[:_SHOWN]]
    more = ", …" if len(test.values) > _SHOWN else ""
    return f"{'/'.join(test.modifiers)} {', '.join(values)}{more}".strip()


def _listed(demand: Demand) -> str:
    texts = [f"{p.op} '{p.text}'" if isinstance(p, Text) else "something else" for p in demand.patterns[:_SHOWN]]
    return " or ".join(texts) + (" or …" if len(demand.patterns) > _SHOWN else "")


def _unknown_field(part: Part, logsource: LogSource, placed: Placed) -> Iterator[Finding]:
    test = part.node
    assert isinstance(test, FieldTest)
    if test.field is None:
        return
    known = known_fields(logsource, part.required)
    if known is not None and test.field not in known:
        near = nearest(test.field, known)
        yield found(
            "unknown-field",
            _no_field(test.field, known),
            placed.of(test),
            f"write '{near}'" if near else None,
        )


def _event_ids(test: FieldTest, logsource: LogSource, placed: Placed) -> Iterator[Finding]:
    if test.field != "EventID" or test.negated:
        return
    for i, value in enumerate(test.values):
        texts = [p.text for p in value.alternatives if isinstance(p, Text) and p.op == "equals"]
        if len(texts) == 1 and texts[0].isdecimal() and len(texts[0]) < 10:
            outside = _outside(int(texts[0]), logsource)
            if outside:
                yield found("event-id-outside", outside, placed.of(test, i))


def _outside(event_id: int, logsource: LogSource) -> str | None:
    channels = []
    for channel, event_ids, _ in select(logsource).targets:
        if event_ids is None and not _never_in(channel, event_id):
            return None
        if event_ids is not None and event_id in event_ids:
            return None
        channels.append(channel or "any channel")
    old = "; it is of Windows before Vista" if channels == [SECURITY] and event_id in _BEFORE_VISTA else ""
    return f"{logsource} has no event {event_id} ({', '.join(channels)}){old}"


def _never_in(channel: str | None, event_id: int) -> bool:
    """Whether a channel surely has no such event: known of Sysmon, and of Security by the ranges of its providers."""
    if channel == SECURITY:
        return "Provider_Name" not in fixed_fields(channel, event_id)
    return channel == SYSMON and event_id not in _sysmon_ids()


def _sysmon_ids() -> frozenset[int]:
    return frozenset(
        event_id
        for category in categories()
        for target in select(LogSource(category)).targets
        if target.channel == SYSMON
        for event_id in target.event_ids or ()
    )
