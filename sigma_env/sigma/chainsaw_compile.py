"""A detection under switches → a program, or the reason why it does not load."""

from collections.abc import Mapping
from typing import Any

from sigma_env.sigma.chainsaw_aggregate import aggregate_of, condition_text
from sigma_env.sigma.chainsaw_condition import condition_tree
from sigma_env.sigma.chainsaw_detection import Identifiers, check_stripping
from sigma_env.sigma.chainsaw_optimise import grouped, optimise
from sigma_env.sigma.chainsaw_tree import Program, Refused
from sigma_env.sigma.chainsaw_values import NotLoaded
from sigma_env.sigma.limits import RULE_LIMITS, Limits
from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.switches import Switch


def compile_detection(
    logsource: LogSource,
    detection: Mapping[Any, Any],
    on: frozenset[Switch],
    rule_id: str = "",
    title: str = "",
    limits: Limits = RULE_LIMITS,
) -> Program | Refused:
    """Compiles a rule.

    Args:
        logsource: of the rule; as it is written, where Switch.PRECONDITIONS is on.
        detection: of the rule.
        on: the meaning.
        rule_id: of the rule; one precondition goes by it.
        title: of the rule; some are excluded by it.
        limits: caps on the rule.
    """
    if "condition" not in detection:
        return Refused("missing condition")
    try:
        written = detection["condition"]
        if Switch.ONE_CONDITION in on:
            condition_text(written)
        aggregate = aggregate_of(written, on)
        tree = grouped(condition_tree(written, Identifiers(detection, on, limits)))
        if Switch.PANICS in on:
            check_stripping(tree)
        tied: tuple[str, ...] = ()
        if Switch.OPTIMISER in on:
            tree, tied = optimise(tree)
    except NotLoaded as error:
        return error.refused
    return Program(on, logsource, rule_id, title, tree, tied, aggregate)
