"""Scorer: the single place that gives rewards. The env, the trainer and the benchmark all call it."""

from collections.abc import Mapping, Sequence
from typing import Final

from sigma_env.engines.base import Engine, Matches, Unsupported
from sigma_env.engines.choose import make_engine
from sigma_env.errors import DatasetError
from sigma_env.events.store import EventStore
from sigma_env.scoring.options import COMPONENTS, DEFAULT_WEIGHTS, check_weights, weighted
from sigma_env.scoring.score import Score
from sigma_env.scoring.yardstick import Yardstick, measure, run
from sigma_env.sigma.rule import Rule
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.task import Task

_BEST: Final = dict.fromkeys(COMPONENTS, 1.0)


class Scorer:
    """Scores answers to the tasks of one dataset.

    Attributes:
        dataset: the tasks and their events.
        engine: runs the answers.
        weights: of the components.
        max_reward: what the best answer earns; 1.1 with the published weights.
    """

    def __init__(
        self,
        dataset: Dataset,
        engine: str = "native",
        semantics: str = "sigma",
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Prepares the engine.

        Args:
            dataset: see `load_dataset`.
            engine: name of an engine; the truth is that of the same engine.
            semantics: name of what rules mean.
            weights: of yaml_valid, logsource_correct and iou; by default 0.1, 0.3 and 0.7.

        Raises:
            OptionError: an engine, semantics or weight is not served.
        """
        self.dataset = dataset
        self.engine: Engine = make_engine(engine, semantics)
        self.weights: Mapping[str, float] = check_weights(DEFAULT_WEIGHTS if weights is None else weights)
        self.max_reward = weighted(_BEST, self.weights)
        self._yardsticks: dict[str, Yardstick] = {}

    def score(self, task: Task | str, answer: str) -> Score:
        """Scores one answer.

        Args:
            task: a task of the dataset, or its id.
            answer: a model's whole text.

        Raises:
            DatasetError: the dataset has no such task.
            EngineError: the engine failed; the answer has no score.
        """
        return self.score_batch([(task, answer)])[0]

    def score_batch(self, answers: Sequence[tuple[Task | str, str]]) -> list[Score]:
        """Scores several answers, in order, with one call of the engine.

        Raises:
            DatasetError: the dataset has no such task.
            EngineError: the engine failed; no answer has a score.
        """
        return measure([(self.yardstick(task), answer) for task, answer in answers], self.engine, self.weights)

    def yardstick(self, task: Task | str) -> Yardstick:
        """What answers to a task are measured by.

        Raises:
            DatasetError: the dataset has no such task.
        """
        found = self._yardsticks.get(task if isinstance(task, str) else task.id)
        if found is None:
            own = self.dataset.task(task if isinstance(task, str) else task.id)
            found = self._yardsticks.get(own.id)  # asked for by the beginning of its id
        if found is None:
            truth = self.dataset.truth(own, self.engine)
            rule, store = reference_rule(own), self.dataset.store
            found = Yardstick(own.id, rule, store, truth.true, truth.ignored, detectable=own.detectable)
            self._yardsticks[own.id] = found
        return found


def score_rule(
    answer: str,
    reference: Rule,
    store: EventStore,
    engine: str = "native",
    semantics: str = "sigma",
    weights: Mapping[str, float] | None = None,
) -> Score:
    """Scores an answer against a rule on any events, without a task: every event that a rule matches counts.

    Args:
        answer: a model's whole text, or a rule as YAML.
        reference: the rule to be compared with.
        store: the events.
        engine: name of an engine.
        semantics: name of what rules mean.
        weights: of the components.

    Raises:
        OptionError: an engine, semantics or weight is not served.
        DatasetError: the engine cannot run the reference, or it matches none of the events.
        EngineError: the engine failed.
    """
    chosen = make_engine(engine, semantics)
    checked = check_weights(DEFAULT_WEIGHTS if weights is None else weights)
    [true] = run(chosen, [reference], store)
    name = reference.meta.title or reference.meta.id or "the rule"
    if isinstance(true, Unsupported):
        raise DatasetError(f"the {engine} engine cannot run the reference '{name}': {true.reason}")
    if not true:
        raise DatasetError(
            f"the reference '{name}' matches none of the {store.n_events:,} events, so nothing can be scored"
        )
    yardstick = Yardstick(reference.meta.id, reference, store, true, Matches({}))
    return measure([(yardstick, answer)], chosen, checked)[0]
