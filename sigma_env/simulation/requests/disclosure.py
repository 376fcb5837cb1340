"""What a request tells of its rule: the plan."""

import random
from collections.abc import Iterator

from sigma_env.sigma.rule import Rule, Scalar
from sigma_env.sigma.text import number_text
from sigma_env.simulation.plan import Outage, Part, Plan, Scenario
from sigma_env.simulation.requests.choosing import (
    LIMITS,
    choose,
    everything,
    told_in_part,
    told_vaguely,
)
from sigma_env.simulation.requests.cutting import Choice, cut_rule
from sigma_env.simulation.requests.errors import RequestError
from sigma_env.simulation.requests.length import fits
from sigma_env.simulation.requests.outages import break_source
from sigma_env.simulation.requests.outline import Outline, lines_in, outline_of
from sigma_env.simulation.requests.remarks import correctable


def full_plan(rule: Rule) -> Plan:
    """The plan that tells everything, however long."""
    outline = outline_of(rule)
    return _plan(rule, outline, everything(outline), rule, "default")


def make_plan(rule: Rule, seed: int, scenario: Scenario = "default") -> Plan:
    """Decide what a request tells of a rule.

    In the default scenario everything is told that fits: of a list at most 24 values, of the rule at most 27 ways to
    match it, and no more words than a request holds. Which values of a long list are told is a matter of the seed;
    they are spread evenly over it. Lines that must hold, and lists of which every value must, are always told whole.

    Args:
        rule: the reference.
        seed: of what is left out.
        scenario: what is special about the request, see `sigma_env.simulation.requests`. A rule that it does not
            suit gets the default one: the plan's `scenario` says which it is.

    Raises:
        RequestError: even the least that could be told is too long for a request.
    """
    outline = outline_of(rule)
    rng = random.Random(f"{seed}|plan|{rule.meta.id}|{scenario}")
    choice, cut = _fitting(rule, outline, rng)
    outage = None
    if scenario in ("ambiguous", "partial_data"):
        fewer = (told_vaguely if scenario == "ambiguous" else told_in_part)(outline, choice, rng)
        if fewer == choice:
            scenario = "default"
        choice, cut = fewer, _cut(rule, fewer)
    elif scenario == "broken_log_source":
        outage = break_source(cut, rng)
        if outage is None:
            scenario = "default"
    elif scenario == "wrong_detail" and not correctable(cut):
        scenario = "default"
    return _plan(rule, outline, choice, cut, scenario, outage)


def _fitting(rule: Rule, outline: Outline, rng: random.Random) -> tuple[Choice, Rule]:
    for limit in LIMITS:
        choice = choose(outline, limit, rng)
        cut = cut_rule(rule, choice)
        if cut is not None and fits(cut):
            return choice, cut
    raise RequestError(f"rule '{rule.meta.title or rule.meta.id}' is too long for a request, whatever is left out")


def _cut(rule: Rule, choice: Choice) -> Rule:
    cut = cut_rule(rule, choice)
    if cut is None:
        raise RequestError(f"rule '{rule.meta.title or rule.meta.id}': nothing of it is told")
    return cut


def _plan(
    rule: Rule, outline: Outline, choice: Choice, cut: Rule, scenario: Scenario, outage: Outage | None = None
) -> Plan:
    parts = (Part("logsource", "logsource", str(rule.logsource), True), *_parts(outline, choice))
    disclosed = sum(part.disclosed for part in parts)
    return Plan(rule, parts, cut, round(disclosed / len(parts), 4), scenario, outage)


def _parts(outline: Outline, choice: Choice) -> Iterator[Part]:
    """Every selection with its lines and their values, once each."""
    told = {name for name, _ in choice}
    seen_lines, seen_names = set(), set()
    for line, excluded in lines_in(outline):
        if line.id in seen_lines:
            continue
        seen_lines.add(line.id)
        name = line.id[0]
        if name not in seen_names:
            seen_names.add(name)
            yield Part("filter" if excluded else "selection", name, name, name in told)
        kept = choice.get(line.id)
        test, place = line.test, line.place
        yield Part("condition", place, test.field or "", kept is not None)
        yield Part("boundary", place, "|".join(test.modifiers), kept is not None)
        positions = frozenset(kept or ())
        for position, value in enumerate(test.values):
            yield Part("value", place, written_text(value.written), position in positions)


def written_text(written: Scalar) -> str:
    """A written value as text, as YAML would show it."""
    if written is None:
        return "null"
    if isinstance(written, bool):
        return str(written).lower()
    return written if isinstance(written, str) else number_text(written)
