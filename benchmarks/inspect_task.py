"""The tasks of a dataset as an Inspect task, scored by the project's scorer.

`inspect eval benchmarks/inspect_task.py --model …` runs it alone; `python -m benchmarks run` runs it for many models.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from inspect_ai import Epochs, task
from inspect_ai import Task as InspectTask
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput
from inspect_ai.scorer import Score as InspectScore
from inspect_ai.scorer import Scorer as InspectScorer
from inspect_ai.scorer import Target, mean, scorer, stderr
from inspect_ai.solver import Solver, TaskState, generate

from benchmarks.failures import PASS_IOU, failure_of
from benchmarks.prompts import STRATEGIES, Strategy, choose_shots, prompt
from sigma_env.errors import OptionError
from sigma_env.events.ref import EventRef
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.answer import final_text, find_yaml
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import Message
from sigma_env.tasks.task import Split, Task

TASK_ID: Final = "task_id"
SCORER: Final = "sigma_scorer"
"""Under this name a sample's scores stand in the log."""
_KINDS: Final = {"tp": "matched", "fn": "missed", "fp": "extra"}
_FIELDS_SHOWN: Final = 40
_TEXT_SHOWN: Final = 300


@task
def sigma(
    dataset: str = "starter",
    split: str = "test",
    strategy: str = "zero-shot",
    limit: int | None = None,
    engine: str = "native",
    semantics: str = "sigma",
) -> InspectTask:
    """The tasks of one split of a dataset.

    Args:
        dataset: name of a dataset.
        split: "train", "validation", "test" or "all".
        strategy: one of STRATEGIES.
        limit: only the first so many tasks, by id.
        engine: name of the engine.
        semantics: what rules mean.

    Raises:
        DatasetNotBuilt: the dataset is not on this machine; the message names the command that builds it.
        OptionError: there is no such split, strategy, engine or semantics.
    """
    scoring = Scorer(load_dataset(dataset), engine, semantics)
    tasks = tasks_of(scoring, split, limit)
    return inspect_task(scoring, tasks, checked_strategy(strategy))


def checked_strategy(name: str) -> Strategy:
    """The strategy of a name.

    Raises:
        OptionError: there is none.
    """
    for strategy in STRATEGIES:
        if strategy == name:
            return strategy
    raise OptionError(f"unknown prompt strategy {name!r}; there is {', '.join(STRATEGIES)}")


def tasks_of(scoring: Scorer, split: str, limit: int | None = None) -> tuple[Task, ...]:
    """The tasks of a split that can be scored, the first of them by id.

    Raises:
        OptionError: there is no such split, or it has no task that can be scored.
    """
    splits: dict[str, Split | None] = {"train": "train", "validation": "validation", "test": "test", "all": None}
    if split not in splits:
        raise OptionError(f"unknown split {split!r}; there is {', '.join(splits)}")
    tasks = scoring.dataset.playable(scoring.engine, splits[split])[:limit]
    if not tasks:
        raise OptionError(f"dataset {scoring.dataset.name!r} has no task in the split {split!r} that can be scored")
    return tasks


def inspect_task(
    scoring: Scorer,
    tasks: Sequence[Task],
    strategy: Strategy,
    *,
    solver: Solver | None = None,
    samples: int = 1,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> InspectTask:
    """An Inspect task over some tasks of a dataset.

    Args:
        scoring: of the dataset.
        tasks: of it.
        strategy: of the prompt.
        solver: what asks; by default Inspect's `generate`.
        samples: how many answers to each task are asked for.
        name: in Inspect's log.
        metadata: of the run, in Inspect's log.
        about: more to log of each task, by its id; as TASK_ID, which task of the dataset it is scored as.
        options: further ones of Inspect's Task.
    """
    shots = choose_shots(scoring.dataset) if strategy == "few-shot" else ()
    samples_made = [
        sample(task, strategy, tuple(s for s in shots if s.id != task.id), (about or {}).get(task.id)) for task in tasks
    ]
    return InspectTask(
        dataset=MemoryDataset(samples_made, name=scoring.dataset.name),
        solver=generate() if solver is None else solver,
        scorer=sigma_scorer(scoring),
        epochs=Epochs(samples, "mean"),
        name=name or "sigma",
        metadata=dict(metadata or {}),
        **options,
    )


def sample(
    task: Task, strategy: Strategy, shots: Sequence[Task] = (), about: Mapping[str, Any] | None = None
) -> Sample:
    """A task as Inspect's sample: its prompt, and what is known of it but its reference and truth."""
    chat = [_chat_message(message, task.id) for message in prompt(task, strategy, shots)]
    known = {
        TASK_ID: task.id,
        "persona": task.persona,
        "scenario": task.scenario,
        "source": task.source,
        "split": task.split,
        "detectable": task.detectable,
        "may_abstain": task.may_abstain,
        "coverage": task.coverage,
        "difficulty": task.difficulty,
    }
    # A reworded task is scored as the one that `about` names: it is in no dataset.
    return Sample(id=task.id, input=chat, metadata={**known, **(about or {})})


def _chat_message(message: Message, task_id: str) -> ChatMessage:
    # The id of the task goes with the message for the reference agents; no provider sends a message's metadata.
    content, metadata = message["content"], {TASK_ID: task_id}
    if message["role"] == "system":
        return ChatMessageSystem(content=content, metadata=metadata)
    if message["role"] == "assistant":
        return ChatMessageAssistant(content=content, metadata=metadata)
    return ChatMessageUser(content=content, metadata=metadata)


def answer_of(output: ModelOutput) -> str:
    """The text that is scored: what the model said, or nothing where it, or its provider, refused to."""
    return "" if output.stop_reason == "content_filter" else output.completion


@scorer(metrics=[{"*": [mean(), stderr()]}])
def sigma_scorer(scoring: Scorer) -> InspectScorer:
    """The project's scorer as Inspect's. A fault of ours raises, so Inspect leaves the sample without a score."""

    async def score(state: TaskState, target: Target) -> InspectScore:  # noqa: ARG001 - Inspect's signature
        task = scoring.dataset.task(state.metadata[TASK_ID])
        text = answer_of(state.output)
        return as_inspect(scoring, task, text, scoring.score(task, text))

    return score


def as_inspect(scoring: Scorer, task: Task, text: str, score: Score) -> InspectScore:
    """A score as Inspect logs and shows it: reward and components, the rule, and the events that decided."""
    examples = score.examples
    events = {said: [_shown(scoring, task, ref) for ref in examples[kind]] for kind, said in _KINDS.items()}
    failure = failure_of(score, text, scoring.yardstick(task))
    return InspectScore(
        value={"reward": score.reward, **score.components, "passed": float(failure is None)},
        answer=_rule_in(text),
        explanation=score.explain(),
        metadata={
            "status": score.status,
            "reason": score.reason,
            "failure": failure,
            "counts": {"matched": score.tp, "missed": score.fn, "extra": score.fp},
            **events,
            "pass_iou": PASS_IOU,
        },
    )


def _rule_in(text: str) -> str | None:
    final, _ = final_text(text)
    return None if final is None else find_yaml(final)


def _shown(scoring: Scorer, task: Task, ref: EventRef) -> dict[str, str]:
    """An event for the viewer. Its fields are one text: Inspect copies what it logs several times, value by value."""
    store = scoring.dataset.store
    cells = store.event(store.row(ref), task.logsource.get("category"))
    fields = (f"{name}: {value}" for name, value in islice(cells.items(), _FIELDS_SHOWN))
    return {"event": str(ref), "fields": "\n".join(map(_cut, fields))}


def _cut(line: str) -> str:
    return line if len(line) <= _TEXT_SHOWN else f"{line[:_TEXT_SHOWN]}…"
