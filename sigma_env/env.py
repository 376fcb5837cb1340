"""SigmaRuleEnv: the observation is a request, the action a Sigma rule, the reward how well it matches what is asked."""

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, get_args

import gymnasium as gym
from gymnasium.error import ResetNeeded

from sigma_env.errors import OptionError
from sigma_env.scoring.explain import printable
from sigma_env.scoring.options import check_weights
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.spaces import UnicodeText
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.messages import messages, prompt_text
from sigma_env.tasks.task import Split, Task

PROMPT_LENGTH: Final = 1 << 14
"""Characters of the longest prompt: the system's part and a request of at most 4,000."""
ANSWER_LENGTH: Final = 1 << 20
"""Characters of the longest action; reasoning before the rule counts."""

_OPTIONS: Final = frozenset({"task_id"})

StepResult = tuple[str, float, bool, bool, dict[str, Any]]


class SigmaRuleEnv(gym.Env[str, str]):
    """One task per episode, one step per task.

    The observation is the whole prompt, the action a model's whole text; the step ends the episode. The observation
    after it is empty. Bad text is the model's fault and scores low; a fault of the environment's raises, and the
    episode stays open.

    Attributes:
        dataset: the tasks and their events.
        scorer: gives the rewards.
        max_reward: what the best answer earns.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012  # as in gym.Env

    def __init__(
        self,
        dataset: str = "starter",
        split: str | None = "train",
        engine: str = "native",
        semantics: str = "sigma",
        weights: Mapping[str, float] | None = None,
        seed: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Loads the dataset. All arguments have JSON values.

        Args:
            dataset: name of a dataset, see `sigma-env tasks`.
            split: "train", "validation" or "test"; None for all tasks.
            engine: runs the rules.
            semantics: what rules mean.
            weights: of yaml_valid, logsource_correct and iou; by default 0.1, 0.3 and 0.7.
            seed: of the first reset, unless that brings its own.
            render_mode: "ansi" (`render` returns text), "human" (each reset and step prints it), or None.

        Raises:
            DatasetNotBuilt: the dataset is not on this machine; the message says how to build it.
            OptionError: an argument has a value that is not served.
        """
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise OptionError(f"unknown render_mode {render_mode!r}; there is 'ansi', 'human' and None")
        self.scorer = _shared_scorer(
            load_dataset(dataset), engine, semantics, None if weights is None else tuple(check_weights(weights).items())
        )
        self.dataset = self.scorer.dataset
        self.max_reward = self.scorer.max_reward
        self.observation_space = UnicodeText(PROMPT_LENGTH)
        self.action_space = UnicodeText(ANSWER_LENGTH)
        self.render_mode = render_mode
        self._tasks = _playable(self.scorer, split)
        self._first_seed = seed
        self._order: list[int] = []
        self._task: Task | None = None
        self._is_open = False
        self._given: tuple[str, Score] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begins an episode.

        Tasks come in an order drawn from the seed, each of the split once before any comes again.

        Args:
            seed: starts a new order.
            options: {"task_id": ID} asks for that task of the dataset, from whatever split.

        Returns:
            The prompt, and {"task_id", "messages"}; neither holds the reference or the truth.

        Raises:
            DatasetError: the dataset has no such task.
            OptionError: there is no such option.
        """
        if seed is None and self._np_random is None:
            seed = self._first_seed
        super().reset(seed=seed)
        if seed is not None:
            self._order.clear()
        unknown = set(options or ()) - _OPTIONS
        if unknown:
            raise OptionError(f"unknown reset option {min(unknown)!r}; there is 'task_id'")
        task_id = (options or {}).get("task_id")
        if task_id is not None and not isinstance(task_id, str):
            raise OptionError(f"options['task_id'] must be the id of a task, not {task_id!r}")
        task = self._next_task() if task_id is None else self.dataset.task(task_id)
        chat = messages(task)
        prompt = prompt_text(chat)
        self._task, self._is_open, self._given = task, True, None
        self._show()
        return prompt, {"task_id": task.id, "messages": [dict(message) for message in chat]}

    def _next_task(self) -> Task:
        if not self._order:
            self._order = self.np_random.permutation(len(self._tasks)).tolist()
        return self._tasks[self._order.pop()]

    def step(self, action: str) -> StepResult:
        """Scores the answer and ends the episode.

        Args:
            action: a model's whole text.

        Returns:
            "", the reward, True, False, and {"task_id", "status", "reason", "components", "tp", "fp", "fn"}.

        Raises:
            ResetNeeded: no episode is open.
            EngineError: the engine failed; the episode stays open.
        """
        return self.conclude(action, self.scorer.score(self.open_task, action))

    @property
    def open_task(self) -> Task:
        """The task that waits for an answer.

        Raises:
            ResetNeeded: there is none.
        """
        if self._task is None or not self._is_open:
            state = "no episode has begun" if self._task is None else "the episode is over: it has one step"
            raise ResetNeeded(f"{state}; call reset() before step()")
        return self._task

    def conclude(self, action: str, score: Score) -> StepResult:
        """Ends the episode with a score that the scorer gave the answer; `step` for those who score in batches."""
        task = self.open_task
        self._is_open, self._given = False, (action, score)
        self._show()
        info = {
            "task_id": task.id,
            "status": str(score.status),
            "reason": score.reason,
            "components": {name: float(value) for name, value in score.components.items()},
            "tp": score.tp,
            "fp": score.fp,
            "fn": score.fn,
        }
        return "", score.reward, True, False, info

    def render(self) -> str | None:
        """The task, and after a step the answer with what it matched, missed and matched in excess.

        Returns:
            Text in mode "ansi"; None in mode "human", which prints it, and without a mode.
        """
        if self.render_mode == "ansi":
            return self._frame()
        self._show()
        return None

    def _frame(self) -> str:
        if self._task is None:
            return "No episode has begun."
        parts = [f"Task {self._task.id}", _printable(self._task.request)]
        if self._given is not None:
            answer, score = self._given
            parts += [f"Answer:\n{_printable(answer)}", score.explain()]
        return "\n\n".join(parts)

    def _show(self) -> None:
        if self.render_mode == "human":
            # A terminal may not know every character that a model writes.
            encoding = sys.stdout.encoding or "utf-8"
            print(self._frame().encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _printable(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())


def _playable(scorer: Scorer, split: str | None) -> Sequence[Task]:
    if split is not None and split not in get_args(Split):
        known = ", ".join(repr(name) for name in get_args(Split))
        raise OptionError(f"unknown split {split!r}; there is {known}, and None for all")
    tasks = scorer.dataset.playable(scorer.engine, split)  # type: ignore[arg-type]  # checked above
    if not tasks:
        raise OptionError(f"dataset {scorer.dataset.name!r} has no task in split {split!r}; choose another, or None")
    return tasks


@lru_cache(maxsize=8)
def _shared_scorer(
    dataset: Dataset, engine: str, semantics: str, weights: tuple[tuple[str, float], ...] | None
) -> Scorer:
    """One scorer for all environments of the process that want the same: it keeps what it prepared for each task."""
    return Scorer(dataset, engine, semantics, None if weights is None else dict(weights))
