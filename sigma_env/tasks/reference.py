"""The reference of a task as a rule, and as the answer that it is."""

from pathlib import Path

from sigma_env.errors import DatasetError
from sigma_env.sigma.answer import ABSTENTION
from sigma_env.sigma.files import parse_rule_text
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import Rule
from sigma_env.tasks.task import Task


def reference_rule(task: Task) -> Rule:
    """The task's reference, parsed, with its title and description.

    Raises:
        DatasetError: it is not one rule that can be run; the message names the task.
    """
    return _rule(task.reference, task)


def disclosed_rule(task: Task) -> Rule | None:
    """As much of the reference as the task's request discloses; None if that is all of it.

    Raises:
        DatasetError: see `reference_rule`.
    """
    return _rule(task.disclosed, task) if task.disclosed else None


def _rule(text: str, task: Task) -> Rule:
    loaded, *more = parse_rule_text(text, Path(task.source))
    if loaded.rule is None or more:
        reason = loaded.reason or "it is several rules"
        raise DatasetError(f"task {task.id} ({task.source}): its reference cannot be run: {reason}")
    return loaded.rule


def reference_answer(task: Task) -> str:
    """The answer that earns the maximum: logsource and detection of the reference, as a fenced YAML block.

    Of a task that is not detectable, the abstention.

    Raises:
        DatasetError: see `reference_rule`.
    """
    return fenced(to_yaml(reference_rule(task).document)) if task.detectable else ABSTENTION
