"""The reference agents as models of Inspect, so that they stand in the table under the same scorer as everyone."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from benchmarks.inspect_task import TASK_ID
from sigma_env.errors import OptionError
from sigma_env.scoring.agents import make_agent, one_literal
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import FieldTest
from sigma_env.simulation.sloppy.shortcuts import shortcuts
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.split import word_pairs
from sigma_env.tasks.task import Task

Answer = Callable[[Task], str]

ORACLE: Final = "oracle"
CONSTANT: Final = "constant"
AGENTS: Final[dict[str, str]] = {
    ORACLE: "Oracle: the reference itself",
    "nearest": "Nearest training rule",
    "best-literal": "Best literal of the reference",
    "eventid-only": "EventID only",
    CONSTANT: "Best constant answer",
    "empty": "Empty answer",
}
"""Those that always run, with their titles."""
ABSTAIN_AGENTS: Final[dict[str, str]] = {
    "never-abstains": "Reference, never abstains",
    "always-abstains": "Always abstains",
}
"""Those that run beside them where some task is not detectable."""


@modelapi(name="reference-agent")
class AgentAPI(ModelAPI):
    """A reference agent behind Inspect's interface. It knows its task by the message's metadata."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's signature
        answer: Callable[[str], str] | None = None,
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._answer = answer

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],  # noqa: ARG002
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002
    ) -> ModelOutput:
        """Answers the last message."""
        if self._answer is None:
            raise OptionError("reference agents know the dataset's references; run them with: python -m benchmarks run")
        output = ModelOutput.from_content(self.model_name, self._answer((input[-1].metadata or {})[TASK_ID]))
        output.usage = ModelUsage()
        return output

    def max_connections(self) -> int:
        """It waits for nothing, so more at once are no faster."""
        return 1


def agent_model(name: str, scoring: Scorer, tasks: Sequence[Task]) -> Model:
    """A reference agent as a model.

    Args:
        name: one of AGENTS or ABSTAIN_AGENTS.
        scoring: of the dataset.
        tasks: what it will be asked.

    Raises:
        OptionError: there is no such agent.
    """
    answer = _answer_of(name, scoring, tasks)
    return get_model(
        f"reference-agent/{name}", memoize=False, answer=lambda task_id: answer(scoring.dataset.task(task_id))
    )


def _answer_of(name: str, scoring: Scorer, tasks: Sequence[Task]) -> Answer:
    if name == "best-literal":
        return partial(best_literal, scoring)
    if name == "nearest":
        return NearestRule(scoring.dataset.of_split("train"))
    return make_agent(name, scoring, tasks).answer


def best_literal(scoring: Scorer, task: Task) -> str:
    """The one line of the reference, with one value, that scores highest alone; its longest text if it has none."""
    rule = reference_rule(task)
    logsource = {part: name for part, name in rule.logsource._asdict().items() if name is not None}
    answers = []
    for shortcut in shortcuts(rule):
        line = shortcut.rule.condition
        if shortcut.kind == "one_literal" and isinstance(line, FieldTest):
            written = line.values[0].written
            selection: object = [written] if line.field is None else {_key(line): written}
            detection = {"selection": selection, "condition": "selection"}
            answers.append(fenced(to_yaml({"logsource": logsource, "detection": detection})))
    answers.append(one_literal(task))
    scores = scoring.score_batch([(task, answer) for answer in answers])
    return max(zip(scores, answers, strict=True), key=lambda scored: scored[0].reward)[1]


def _key(line: FieldTest) -> str:
    return "|".join([str(line.field), *(name for name in line.modifiers if name != "all")])


class NearestRule:
    """Answers with the reference of the training task whose request is most like the task's own.

    Likeness is the cosine of the pairs of neighbouring words, each weighted by how few training requests have it.
    A task is never its own neighbour. This is what remembering the training rules is worth.
    """

    def __init__(self, training: Sequence[Task]) -> None:
        if not training:
            raise OptionError("there is no training task to be near to; the dataset needs a split 'train'")
        self._training = training
        words = [_words(task) for task in training]
        counts = Counter(word for of_task in words for word in of_task)
        self._weight = {word: math.log(1 + len(training) / count) for word, count in counts.items()}
        self._words = words
        self._length = [self._norm(of_task) for of_task in words]

    def __call__(self, task: Task) -> str:
        """The answer to a task."""
        asked = _words(task)
        best, chosen = -1.0, self._training[0]
        for other, words, length in zip(self._training, self._words, self._length, strict=True):
            if other.id == task.id:
                continue
            alike = self._norm(asked & words) ** 2 / length if length else 0.0
            if alike > best:
                best, chosen = alike, other
        return reference_answer(chosen)

    def _norm(self, words: frozenset[str]) -> float:
        return math.sqrt(sum(self._weight[word] ** 2 for word in sorted(words)))


def _words(task: Task) -> frozenset[str]:
    return word_pairs(task.request)
