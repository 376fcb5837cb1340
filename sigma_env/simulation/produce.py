"""Rules → events and requests: many at once, in several processes, each rule by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.broken import withhold
from sigma_env.simulation.cases import Alike, Cases, Unsatisfiable, make_cases
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.plan import Plan, Scenario
from sigma_env.simulation.processes import PROCESSES, in_processes
from sigma_env.simulation.requests import Request, RequestError, full_plan, make_plan, write_request
from sigma_env.simulation.requests.choosing import ways_of
from sigma_env.simulation.requests.outline import outline_of
from sigma_env.simulation.sloppy import LIKE_THE_RULE
from sigma_env.simulation.world import Company

EXAMPLES_SHOWN: Final = 2
"""Events that a request shows where its persona shows any."""
# Eight of SigmaHQ's rules for Windows have more, one of them 4,432; events that tell all of these apart take minutes.
_MOST_WAYS: Final = 400
# Fewer rules are done sooner than a second process has started.
_WORTH_A_PROCESS: Final = 60
_RULES_PER_MESSAGE: Final = 8

Progress = Callable[[int, int], None]
"""Called with (rules done, rules)."""
Profile = Literal["sysmon", "security", "mixed", ""]


class Wish(NamedTuple):
    """What is to be made of a rule.

    Attributes:
        rule: the reference.
        persona: who asks for it; None if nobody does: then there is a positive for each way to match the rule, and what
            else there is is made for all of it, or of a list of hundreds of values for as many as a request would name.
        scenario: what is special about the request.
    """

    rule: Rule
    persona: str | None = None
    scenario: Scenario = "default"


class Produced(NamedTuple):
    """What was made of a rule.

    Attributes:
        drafts: its events; see `make_cases`.
        unsatisfiable: ways to match of which no event could be made.
        alike: wrong versions of the rule that no event could tell from it.
        request: what its persona asks; None if nobody does.
        cut: the disclosed part of the rule, as a document; None if all of it is disclosed.
        coverage: share of the rule's parts that are disclosed, 0…1.
        fault: why nothing could be made of the rule; "" if something was.
    """

    drafts: tuple[Draft, ...] = ()
    unsatisfiable: tuple[Unsatisfiable, ...] = ()
    alike: tuple[Alike, ...] = ()
    request: Request | None = None
    cut: dict[str, Any] | None = None
    coverage: float = 1.0
    fault: str = ""


def produce(wish: Wish, company: Company, seed: int) -> Produced:
    """Makes the events and the request of one rule. A pure function of its arguments.

    Args:
        wish: the rule, and who asks for it.
        company: where it happens.
        seed: another seed gives other events and words.
    """
    rule = wish.rule
    try:
        plan = _all_of(rule, seed) if wish.persona is None else make_plan(rule, seed, wish.scenario)
        shows = EXAMPLES_SHOWN if wish.persona in _SHOWING else 0
        cases = make_cases(plan, company, seed, visible=shows, each_way=wish.persona is None)
        if _tells_too_much(cases.drafts):
            cases = cases._replace(drafts=tuple(draft for draft in cases.drafts if not draft.visible))
        if plan.outage is not None:
            cases = cases._replace(drafts=withhold(cases.drafts, plan.outage, rule, company))
        request = None if wish.persona is None else _request(plan, wish.persona, cases, seed)
    except RequestError as error:
        return Produced(fault=str(error))
    cut = None if plan.cut is plan.rule else dict(plan.cut.document)
    return Produced(*cases, request, cut, plan.coverage)


def _all_of(rule: Rule, seed: int) -> Plan:
    return full_plan(rule) if ways_of(outline_of(rule)) <= _MOST_WAYS else make_plan(rule, seed)


_SHOWING: Final = frozenset({"incident_responder"})


def _tells_too_much(drafts: Iterable[Draft]) -> bool:
    """Whether a value of a visible example is by itself as good as the rule on the other events."""
    shown = {pair for draft in drafts if draft.visible for pair in _values(draft)}
    matched: dict[tuple[str, str], list[int]] = {pair: [0, 0] for pair in shown}
    positives = 0
    for draft in drafts:
        if not draft.visible:
            is_true = draft.role == "positive"
            positives += is_true
            for pair in shown.intersection(_values(draft)):
                matched[pair][is_true] += 1
    return any(true >= LIKE_THE_RULE * (positives + false) for false, true in matched.values())


def _values(draft: Draft) -> Iterator[tuple[str, str]]:
    for name, value in draft.values.items():
        if isinstance(value, str):
            yield name, value.lower()


def _request(plan: Plan, persona: str, cases: Cases, seed: int) -> Request:
    shown = [
        {"Channel": draft.schema.channel, "EventID": draft.schema.event_id, **draft.values}
        for draft in cases.drafts
        if draft.visible and draft.role == "positive"
    ]
    return write_request(plan, persona, seed, profile=profile_of(cases.drafts), visible=shown)


def profile_of(drafts: Iterable[Draft]) -> Profile:
    """Which kind of log shows a rule's events; "" for events that every Windows host logs."""
    sources = {draft.schema.logged_by for draft in drafts}
    if {"sysmon", "security"} <= sources:
        return "mixed"
    return "sysmon" if "sysmon" in sources else "security" if "security" in sources else ""


def produce_all(
    wishes: Sequence[Wish], company: Company, seed: int, *, processes: int = PROCESSES, progress: Progress | None = None
) -> Iterator[Produced]:
    """Makes the events and requests of many rules, in order; the same ones in however many processes.

    Args:
        wishes: the rules, and who asks for them.
        company: where it happens.
        seed: of all of them.
        processes: how many may work at once.
        progress: is told how far it is.
    """
    if len(wishes) < _WORTH_A_PROCESS:
        processes = 1
    made = in_processes(partial(produce, company=company, seed=seed), wishes, processes, at_once=_RULES_PER_MESSAGE)
    for number, produced in enumerate(made, 1):
        if progress is not None:
            progress(number, len(wishes))
        yield produced
