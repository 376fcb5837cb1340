"""Reference agents: what a reward is worth shows beside what the cheapest answers earn.

All but `empty` know more than a model may: the reference, or the truth. They are yardsticks, not players.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from sigma_env.errors import OptionError
from sigma_env.scoring.constant import best_constant, selecting
from sigma_env.scoring.scorer import Scorer
from sigma_env.scoring.yardstick import Yardstick
from sigma_env.sigma.answer import ABSTENTION
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import FieldTest, Glob, Node, Not, Selection, Text
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.task import Task

AGENT_NAMES: Final = ("oracle", "one-literal", "eventid-only", "constant", "empty")
ABSTAIN_AGENT_NAMES: Final = ("never-abstains", "always-abstains")
"""Agents that show what abstaining is worth, for datasets in which some task is not detectable."""


class Agent(NamedTuple):
    """Answers tasks.

    Attributes:
        name: one of AGENT_NAMES or ABSTAIN_AGENT_NAMES.
        about: what it does, for people.
        answer: gives its text for a task.
    """

    name: str
    about: str
    answer: Callable[[Task], str]


def make_agent(name: str, scorer: Scorer, tasks: Sequence[Task]) -> Agent:
    """Makes an agent.

    Args:
        name: one of AGENT_NAMES or ABSTAIN_AGENT_NAMES.
        scorer: of the dataset.
        tasks: the tasks that it will be asked; `constant` chooses its answer for them.

    Raises:
        OptionError: there is no such agent.
    """
    if name == "oracle":
        return Agent(name, "the right answer: the reference itself, or the abstention", reference_answer)
    if name == "never-abstains":
        return Agent(name, "the reference itself, also where the logs cannot show it", _reference_always)
    if name == "always-abstains":
        return Agent(name, "says of every task that the logs cannot show it", lambda _: ABSTENTION)
    if name == "one-literal":
        return Agent(name, "the reference's logsource and its longest text, contained in its field", one_literal)
    if name == "eventid-only":
        about = "the reference's logsource and the EventIDs of the true events"
        return Agent(name, about, lambda task: _event_ids_only(scorer.yardstick(task)))
    if name == "constant":
        best = best_constant(scorer, tasks)
        return Agent(name, "the one answer that earns most when it is given to every task", lambda _: best.answer)
    if name == "empty":
        return Agent(name, "no text at all", lambda _: "")
    raise OptionError(f"unknown agent {name!r}; there is {', '.join((*AGENT_NAMES, *ABSTAIN_AGENT_NAMES))}")


def _reference_always(task: Task) -> str:
    return fenced(to_yaml(reference_rule(task).document))


def one_literal(task: Task) -> str:
    """A rule with the reference's logsource and one line: the longest text that its condition asks for.

    Texts under an odd number of `not` don't count, of equally long ones the first does. A reference without any
    text (only regular expressions, numbers and the like) gives every event of its logsource.
    """
    rule = reference_rule(task)
    found = max(_literals(rule.condition, asked_for=True), key=lambda found: len(found[1]), default=None)
    if found is None:
        return selecting(rule.logsource, {"EventID": "*"})
    field, literal = found
    escaped = literal.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    return selecting(rule.logsource, [escaped] if field is None else {f"{field}|contains": escaped})


def _literals(node: Node, *, asked_for: bool) -> Iterator[tuple[str | None, str]]:
    if isinstance(node, FieldTest):
        if asked_for != node.negated:
            for value in node.values:
                for pattern in value.alternatives:
                    if isinstance(pattern, Text):
                        yield node.field, pattern.text
                    elif isinstance(pattern, Glob):
                        yield from ((node.field, part) for part in pattern.parts if isinstance(part, str))
    elif isinstance(node, Selection | Not):
        yield from _literals(node.child, asked_for=asked_for == isinstance(node, Selection))
    else:
        for child in node.children:
            yield from _literals(child, asked_for=asked_for)


def _event_ids_only(yardstick: Yardstick) -> str:
    ids = sorted({event_id for _, event_id in yardstick.check.true_pairs})
    return selecting(yardstick.reference.logsource, {"EventID": (ids[0] if len(ids) == 1 else ids) if ids else "*"})
