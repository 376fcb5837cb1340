"""Why an answer is not right: one cause per answer, the first that holds in the order in which a person would look."""

from typing import Final, Literal

from sigma_env.scoring.score import Score
from sigma_env.scoring.yardstick import Yardstick
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.event_fields import fields_of, known_events
from sigma_env.sigma.rule import And, LogSource, Node, Not, Or, Rule, Selection
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.tree import fields_of as fields_in

PASS_IOU: Final = 0.9
"""An answer passes from this overlap on."""

Failure = Literal[
    "no rule", "bad YAML", "invalid rule", "unsupported", "abstained", "not abstained", "wrong logsource",
    "wrong EventID", "unknown field", "fires on nothing", "filter missing", "too broad", "too narrow",
]  # fmt: skip
FAILURES: Final[dict[Failure, str]] = {
    "no rule": "there is no YAML in the answer, or the model refused",
    "bad YAML": "the YAML cannot be read",
    "invalid rule": "the YAML is no Sigma rule, or too large a one",
    "unsupported": "the rule needs what is not served",
    "abstained": "the answer says that the logs cannot show it, though they can",
    "not abstained": "the answer is a rule, though the logs cannot show what is asked for",
    "wrong logsource": "its logsource alone does not select the true events, or others than the reference's",
    "wrong EventID": "its logsource is right, but its EventIDs or channels exclude true events or add others",
    "unknown field": "it names a field that none of its logsource's events has, and misses events",
    "fires on nothing": "it matches no event that counts",
    "filter missing": "it finds all true events, has no `not`, and matches too many; the reference has one",
    "too broad": "it matches more wrong events than it misses right ones",
    "too narrow": "it misses at least as many right events as it matches wrong ones",
}
_BY_STATUS: Final[dict[str, Failure]] = {
    "no_rule": "no rule",
    "bad_yaml": "bad YAML",
    "invalid_rule": "invalid rule",
    "too_complex": "invalid rule",
    "unsupported": "unsupported",
}


def failure_of(score: Score, answer: str, yardstick: Yardstick) -> Failure | None:
    """What is wrong with an answer; None if it passes.

    An answer to a task that is not detectable passes if it abstains; every other from an IoU of PASS_IOU on.

    Args:
        score: what it earned.
        answer: its text.
        yardstick: what it was measured by.
    """
    if score.components["iou"] >= PASS_IOU and (yardstick.detectable or score.status == "abstained"):
        return None
    if score.status in _BY_STATUS:
        return _BY_STATUS[score.status]
    if score.status == "abstained":
        return "abstained"
    if not yardstick.detectable:
        return "not abstained"
    rule = parse_answer(answer).rule
    assert rule is not None  # the status is ok
    if not score.components["logsource_correct"]:
        return "wrong EventID" if yardstick.check.correct(rule.logsource, None) else "wrong logsource"
    if score.fn and _unknown_fields(rule):
        return "unknown field"
    if not score.tp and not score.fp:
        return "fires on nothing"
    if not score.fn and has_not(yardstick.reference.condition) and not has_not(rule.condition):
        return "filter missing"
    return "too broad" if score.fp > score.fn else "too narrow"


def has_not(node: Node) -> bool:
    """Whether a condition excludes anything."""
    if isinstance(node, Not):
        return True
    if isinstance(node, And | Or):
        return any(has_not(child) for child in node.children)
    return isinstance(node, Selection) and has_not(node.child)


def _unknown_fields(rule: Rule) -> frozenset[str]:
    """Fields of a rule that no event of its logsource has; empty where some of these events are not known."""
    known = _known_fields(rule.logsource)
    return frozenset() if known is None else fields_in(rule.condition) - known


def _known_fields(logsource: LogSource) -> frozenset[str] | None:
    known: frozenset[str] = frozenset()
    events = known_events()
    for target in select(logsource).targets:
        if target.channel is None or target.event_ids is None:
            return None  # a whole channel may hold events that nobody has described
        here = [e for e in events if e[0] == target.channel.lower() and e[1] in target.event_ids]
        if {event_id for _, event_id, _ in here} != set(target.event_ids):
            return None
        for channel, event_id, provider in here:
            names = fields_of(channel, event_id, provider, logsource.category)
            if names is None:
                return None
            known |= names
    return known
