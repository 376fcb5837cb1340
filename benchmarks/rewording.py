"""Requests of other personas for the same rule: what a model makes of the same facts in other words."""

from collections.abc import Sequence
from typing import Final

from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.plan import SCENARIOS
from sigma_env.simulation.produce import Profile
from sigma_env.simulation.requests import PERSONAS, RequestError, make_plan, write_request
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.task import Task

_SHOWS_EVENTS: Final = "incident_responder"
"""This persona's requests show events, which other tasks of the rule would have to ignore."""


def reworded(scoring: Scorer, task: Task, count: int) -> tuple[Task, ...]:
    """Tasks that ask for the same in the words of other personas; at most `count`, always the same ones.

    They disclose exactly what the task's own request discloses, so they are scored as the task itself. None for
    tasks whose request does not come from a plan, or not from one that can be made again.

    Args:
        scoring: of the task's dataset.
        task: of that dataset.
        count: how many at most.

    Raises:
        DatasetError: the task's reference is no rule.
    """
    scenario = next((name for name in SCENARIOS if name == task.scenario), None)
    if scenario is None or task.persona not in PERSONAS:
        return ()
    seed = scoring.dataset.manifest.seed
    try:
        plan = make_plan(reference_rule(task), seed, scenario)
        if ("" if plan.cut is plan.rule else to_yaml(dict(plan.cut.document))) != task.disclosed:
            return ()
        others = [name for name in PERSONAS if name not in (task.persona, _SHOWS_EVENTS)][:count]
        profile = _profile(scoring.yardstick(task).check.true_pairs)
        requests = [write_request(plan, persona, seed, profile=profile) for persona in others]
    except RequestError:
        return ()
    known = task.model_dump(exclude={"id", "request", "persona"})
    return tuple(
        Task.model_validate({**known, "request": request.text, "persona": persona})
        for request, persona in zip(requests, others, strict=True)
    )


def _profile(pairs: Sequence[tuple[str, int]]) -> Profile:
    """Which kind of log shows a rule's true events; see `sigma_env.simulation.produce.profile_of`."""
    channels = {channel for channel, _ in pairs}
    if {SYSMON, SECURITY} <= channels:
        return "mixed"
    return "sysmon" if SYSMON in channels else "security" if SECURITY in channels else ""
