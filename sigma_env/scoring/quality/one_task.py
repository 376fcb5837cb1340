"""Every check of one task."""

from collections.abc import Mapping
from typing import NamedTuple

from sigma_env.scoring.quality.artefacts import Described, Describer
from sigma_env.scoring.quality.held_out import held_out
from sigma_env.scoring.quality.labelled import Made
from sigma_env.scoring.quality.novelty import Novelty, NoveltyFinder
from sigma_env.scoring.quality.rewards import Rewards, rewards
from sigma_env.scoring.quality.subject import Subject
from sigma_env.scoring.quality.versions import (
    Judge,
    Mutants,
    Shortcuts,
    Version,
    find_mutants,
    find_shortcuts,
)
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.task import Task


class TaskQuality(NamedTuple):
    """What was found out about one task; all but `rewards` is None or empty where the task is not detectable.

    Attributes:
        task_id: the task.
        source: where its reference comes from.
        detectable: whether there is anything to find.
        coverage: see `Task`.
        scored: how many true events count.
        rewards: what right answers earn.
        shortcuts: rules that know only part of what the rule says.
        mutants: rules with one thing wrong.
        held_out: by strategy, the best rule of each that the simulator does not aim at.
        novelty: values that only the true events have; None also where the dataset has no near-misses.
        described: the events as numbers, where the task is one of those that trees are asked about.
    """

    task_id: str
    source: str
    detectable: bool
    coverage: float
    scored: int
    rewards: Rewards
    shortcuts: Shortcuts | None = None
    mutants: Mutants | None = None
    held_out: Mapping[str, Version] | None = None
    novelty: Novelty | None = None
    described: Described | None = None

    @property
    def best_shortcut(self) -> Version | None:
        """The shortcut with the highest IoU; None if there is none."""
        best = [] if self.shortcuts is None else self.shortcuts.best.values()
        return max(best, key=lambda version: version.iou, default=None)


class Checks(NamedTuple):
    """What the checks of all tasks share.

    Attributes:
        scorer: of the dataset.
        made: by rule id, the events that were made for it; None if none were.
        novelty: finds novel values.
        describer: turns events into numbers.
        asked: ids of the tasks that trees are asked about.
    """

    scorer: Scorer
    made: Mapping[str, Made] | None
    novelty: NoveltyFinder
    describer: Describer
    asked: frozenset[str]

    def of(self, task: Task) -> TaskQuality:
        """Checks one task.

        Raises:
            DatasetError: the reference cannot be run.
            EngineError: the engine failed.
        """
        yardstick = self.scorer.yardstick(task)
        subject = Subject(task, yardstick)
        found = TaskQuality(
            task.id, task.source, task.detectable, task.coverage, len(subject.scored), rewards(self.scorer, task)
        )
        if not task.detectable:
            return found
        judge = Judge(subject, simulated=self.made is not None)
        found = found._replace(
            shortcuts=find_shortcuts(subject, judge),
            mutants=find_mutants(subject, judge),
            held_out=held_out(subject, judge),
        )
        made = None if self.made is None else self.made.get(subject.rule.meta.id)
        if made is None:
            return found
        described = self.describer.describe(subject, made) if task.id in self.asked else None
        return found._replace(novelty=self.novelty.of(subject), described=described)
