"""One task as the quality checks see it."""

from functools import cached_property

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.scoring.quality.variants import Variants
from sigma_env.scoring.yardstick import Yardstick
from sigma_env.sigma.rule import Node, Rule
from sigma_env.tasks.reference import disclosed_rule
from sigma_env.tasks.task import Task
from sigma_env.tasks.truth import contradicting


class Subject:
    """A task, its rule and what wrong versions of it are measured by.

    Attributes:
        task: the task.
        yardstick: its truth.
        rule: the reference.
        cut: as much of the reference as the request discloses; the reference itself if that is all.
        variants: what conditions match under the rule's logsource.
    """

    def __init__(self, task: Task, yardstick: Yardstick) -> None:
        self.task = task
        self.yardstick = yardstick
        self.rule: Rule = yardstick.reference
        self.cut: Rule = disclosed_rule(task) or self.rule
        self.variants = Variants(self.cut, yardstick.store, NativeEngine())

    def iou(self, condition: Node) -> float:
        """The IoU that an answer with this condition and the rule's logsource gets."""
        return self.yardstick.count(self.variants.matches(condition)).iou

    def same_where_it_counts(self, condition: Node) -> bool:
        """Whether a condition matches what the disclosed rule does, on every event of the store.

        Registry events that the category does not mean are left aside: they count for no task.
        """
        return self.variants.matches(condition) - self._not_meant == self._matched

    @cached_property
    def true(self) -> Matches:
        """Every event that the reference matches, scored or not."""
        return self.variants.matches(self.rule.condition)

    @cached_property
    def _matched(self) -> Matches:
        return self.variants.matches(self.cut.condition) - self._not_meant

    @cached_property
    def _not_meant(self) -> Matches:
        return contradicting(self.rule.logsource, self.yardstick.store)

    @property
    def scored(self) -> Matches:
        """The true events that count."""
        return Matches(self.yardstick.scored)
