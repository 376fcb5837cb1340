"""Requests whose behaviour the logs cannot show, each with a twin that differs in one swap and can be answered.

Both say what the hosts log and what they do not. What decides is on which side the needed thing stands: they have the
same words in the same numbers, so nothing but reading tells them apart.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.taxonomy import Target, categories, select, services
from sigma_env.sigma.tree import fields_of
from sigma_env.simulation.plan import Plan
from sigma_env.simulation.requests import words
from sigma_env.simulation.requests.clauses import Fact, Joint, clause_of
from sigma_env.simulation.requests.outages import known_fields
from sigma_env.simulation.requests.prose import quoted
from sigma_env.simulation.requests.voices import commons, voice
from sigma_env.simulation.requests.writing import Request, compose

_NEVER_DROPPED: Final = frozenset({"EventID", "Provider_Name", "Channel", "Level", "Keywords"})
_MOST_OTHERS: Final = 3


class Swap(NamedTuple):
    """What is logged and what is not.

    Attributes:
        kind: "log", "field" or "platform"; which templates fit.
        needed: what the rule cannot do without.
        irrelevant: what it can do without; stands on the other side.
        also: other things that are logged.
        neither: other things that are not.
    """

    kind: str
    needed: str
    irrelevant: str
    also: tuple[str, ...] = ()
    neither: tuple[str, ...] = ()


def undetectable(plan: Plan, persona: str, seed: int) -> Request:
    """A request that describes the rule's behaviour and logs that cannot show it.

    The right answer is to say so: the needed log is not collected, the decisive field is not recorded, or the
    behaviour is on machines that have no Windows event logs.

    Raises:
        OptionError: there is no such persona.
        RequestError: the plan's facts do not fit into a request.
    """
    return _written(plan, persona, seed, can_show=False)


def detectable_twin(plan: Plan, persona: str, seed: int) -> Request:
    """The request of the same words about logs that can show the behaviour; see `undetectable`."""
    return _written(plan, persona, seed, can_show=True)


def _written(plan: Plan, persona: str, seed: int, *, can_show: bool) -> Request:
    rng = random.Random(f"{seed}|abstain|{plan.rule.meta.id}|{persona}")
    own = voice(persona)
    swap = _swap(plan.cut, own.style.names, rng)
    there, missing = (swap.needed, swap.irrelevant) if can_show else (swap.irrelevant, swap.needed)
    # The same places for both twins.
    has = _inserted(swap.also, there, rng)
    lacks = _inserted(swap.neither, missing, rng)
    sentence = rng.choice(commons().collection[swap.kind])
    said = sentence.format(has=_listed(has, "and"), lacks=_listed(lacks, "or" if swap.kind == "log" else "and"))
    speaker = own._replace(style=own.style._replace(log=commons().collection["source"]))
    request = compose(plan, persona, speaker, seed, said[0].upper() + said[1:])
    return request._replace(detectable=can_show)


def _inserted(others: Sequence[str], text: str, rng: random.Random) -> list[str]:
    at = rng.randint(0, len(others))
    return [*others[:at], text, *others[at:]]


def _listed(texts: Sequence[str], last: str) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def _swap(rule: Rule, by_name: bool, rng: random.Random) -> Swap:
    possible = [_platform(rng)]
    if (log := _log(rule, rng)) is not None:
        possible.append(log)
    if (field := _field(rule, by_name, rng)) is not None:
        possible.append(field)
    return rng.choice(possible)


def _platform(rng: random.Random) -> Swap:
    collection = commons().collection
    windows, other = (rng.choice(collection[name]) for name in ("windows_platforms", "other_platforms"))
    return Swap("platform", windows, other)


def _log(rule: Rule, rng: random.Random) -> Swap | None:
    needed = words.collected(rule.logsource)
    others = [name for name, targets in _collectables() if name != needed and not _overlap(targets, rule.logsource)]
    if not needed:
        return None
    irrelevant, *rest = rng.sample(others, rng.randint(2, 1 + 2 * _MOST_OTHERS))
    cut = rng.randint(0, len(rest))
    return Swap("log", needed, irrelevant, tuple(rest[:cut]), tuple(rest[cut:]))


def _field(rule: Rule, by_name: bool, rng: random.Random) -> Swap | None:
    """A field without which no event can match, and one that the rule does not name."""
    clause = clause_of(rule.condition)
    facts = clause.children if isinstance(clause, Joint) and clause.operator == "and" else (clause,)
    needed = [fact.field for fact in facts if isinstance(fact, Fact) and _decides(fact)]
    named = fields_of(rule.condition)
    free = [name for name in known_fields(rule) if name not in named and _call(rule, name, by_name) is not None]
    if not needed or not free:
        return None
    wanted, other = rng.choice(needed), rng.choice(free)
    called = [_call(rule, name, by_name) for name in (wanted, other)]
    return None if called[0] is None or called[1] is None else Swap("field", called[0], called[1])


def _decides(fact: Fact) -> bool:
    """Whether nothing is known of a fact if its field is not recorded."""
    is_about_absence = fact.how.operation in ("null", "absent")
    return fact.field is not None and fact.field not in _NEVER_DROPPED and not is_about_absence


def _call(rule: Rule, field: str | None, by_name: bool) -> str | None:
    if field is None:
        return None
    phrases = words.field_phrases(field, rule.logsource.category)
    if by_name or not phrases:
        return quoted(field, 0) if by_name else None
    return phrases[0]


@lru_cache(maxsize=1)
def _collectables() -> tuple[tuple[str, tuple[Target, ...]], ...]:
    """What a profile may name, and the events that it means."""
    sources = [*(LogSource(category=name) for name in categories()), *(LogSource(service=name) for name in services())]
    found = {words.collected(source): select(source).targets for source in sources}
    return tuple((name, targets) for name, targets in found.items() if targets)


def _overlap(targets: tuple[Target, ...], logsource: LogSource) -> bool:
    """Whether some event is in both."""
    return any(
        one.channel == other.channel
        and (one.event_ids is None or other.event_ids is None or bool(one.event_ids & other.event_ids))
        for one in targets
        for other in select(logsource).targets
    )
