"""A run of the benchmark: which models answer which tasks how, and doing it, resumable at any moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from inspect_ai import Task as InspectTask
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, Model, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import DisplayType

from benchmarks.agents import ABSTAIN_AGENTS, AGENTS, agent_model
from benchmarks.asking import Asker, Limits, most_cost
from benchmarks.budget import Budget
from benchmarks.inspect_task import TASK_ID, inspect_task, tasks_of
from benchmarks.ledger import Answered, Ledger, request_key
from benchmarks.models import ModelSpec
from benchmarks.prompts import Strategy, choose_shots, prompt
from benchmarks.rewording import reworded
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.clusters import clusters_of
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.task import Task

LOGS: Final = "logs"
ABOUT_RUN: Final = "benchmark"
ABOUT_REQUEST: Final = "request"
REWORDED: Final = "reworded"
_SAMPLES_PER_FLUSH: Final = 50
"""Inspect's log is for reading; what was paid for is safe in the ledger, so the log may lag behind."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is about.

    Attributes:
        out: folder of logs, ledger and tables.
        datasets: names of datasets.
        split: of each.
        strategies: of the prompt.
        models: those that are asked beside the reference agents.
        samples: answers per task and model; agents give one.
        rewordings: how often a model is asked each task again in another persona's words.
        limit: only the first so many tasks of each dataset.
        max_usd: what the folder's runs may cost together.
        limits: how models are asked.
        limits_of: by model, where that differs.
        display: Inspect's: "none", "plain", "rich" …
    """

    out: Path
    datasets: Sequence[str] = ("starter",)
    split: str = "test"
    strategies: Sequence[Strategy] = ("zero-shot",)
    models: Sequence[ModelSpec] = ()
    samples: int = 1
    rewordings: int = 0
    limit: int | None = None
    max_usd: float | None = None
    limits: Limits = field(default_factory=Limits)
    limits_of: Mapping[str, Limits] = field(default_factory=dict)
    display: DisplayType = "none"


class Exam(NamedTuple):
    """The tasks that everyone is asked.

    Attributes:
        dataset: its name.
        split: of it.
        scoring: its scorer.
        tasks: that can be scored.
        cluster: by task, the name of its cluster.
        reworded: by task of `tasks`, the same in the words of other personas.
    """

    dataset: str
    split: str
    scoring: Scorer
    tasks: tuple[Task, ...]
    cluster: Mapping[str, str]
    reworded: Mapping[str, tuple[Task, ...]]

    def asked(self) -> list[Task]:
        """What models are asked: the tasks, and their rewordings."""
        return [*self.tasks, *(task for others in self.reworded.values() for task in others)]

    def about(self) -> dict[str, dict[str, str]]:
        """What is logged of each of these, by id."""
        known = {task.id: {"cluster": self.cluster[task.id]} for task in self.tasks}
        for original, others in self.reworded.items():
            for task in others:
                known[task.id] = {"cluster": self.cluster[original], TASK_ID: original, REWORDED: original}
        return known


def exams(settings: Settings) -> list[Exam]:
    """The exams of a run.

    Raises:
        DatasetNotBuilt: a dataset is not on this machine; the message names the command that builds it.
        OptionError: there is no such split, or it is empty.
    """
    made = []
    for name in dict.fromkeys(settings.datasets):
        scoring = Scorer(load_dataset(name))
        tasks = tasks_of(scoring, settings.split, settings.limit)
        others = (
            {task.id: reworded(scoring, task, settings.rewordings) for task in tasks} if settings.rewordings else {}
        )
        made.append(
            Exam(name, settings.split, scoring, tasks, clusters_of(scoring.dataset, scoring.engine, tasks), others)
        )
    return made


class Estimate(NamedTuple):
    """What a model's part of a run would take.

    Attributes:
        model: its name.
        dataset: the exam.
        strategy: of the prompt.
        requests: all of them.
        answered: those that are answered already.
        at_most: dollars that the others can cost; None without a price.
        expected: dollars that they cost if answers are as long as those that the model has given; None if it has given
            none, or has no price.
    """

    model: str
    dataset: str
    strategy: str
    requests: int
    answered: int
    at_most: float | None
    expected: float | None


def estimate(settings: Settings, ledger: Ledger) -> list[Estimate]:
    """What a run would cost, without asking anybody.

    Raises:
        DatasetNotBuilt: a dataset is not on this machine.
        OptionError: there is no such split, or it is empty.
    """
    found = []
    for exam in exams(settings):
        for strategy in settings.strategies:
            for spec in settings.models:
                found.append(_estimate(exam, strategy, spec, settings.samples, ledger))
    return found


def _estimate(exam: Exam, strategy: Strategy, spec: ModelSpec, samples: int, ledger: Ledger) -> Estimate:
    shots = choose_shots(exam.scoring.dataset) if strategy == "few-shot" else ()
    known: list[Answered] = []
    bounds: list[float] = []
    for task in exam.asked():
        chat = [dict(message) for message in prompt(task, strategy, [shot for shot in shots if shot.id != task.id])]
        plain = [{"role": str(message["role"]), "content": str(message["content"])} for message in chat]
        for sample in range(1, samples + 1):
            answered = ledger.answer(request_key(spec.identity(), plain, sample))
            if answered is None:
                bounds.append(most_cost(spec, [message["content"] for message in plain]))
            else:
                known.append(answered)
    costs = [one.cost for one in known if one.cost is not None]
    expected = sum(costs) / len(costs) * len(bounds) if costs else None
    return Estimate(
        spec.name, exam.dataset, strategy, len(bounds) + len(known), len(known),
        None if spec.price is None else sum(bounds), expected,
    )  # fmt: skip


def run(settings: Settings) -> list[EvalLog]:
    """Asks every model every task, and scores the answers. What the ledger of `out` has is not asked again.

    Returns:
        The heads of Inspect's logs, one per model, dataset and strategy; they also lie in the folder `logs` of `out`.

    Raises:
        DatasetNotBuilt: a dataset is not on this machine.
        LedgerError: another run is writing there, or the ledger is damaged.
        OptionError: an option has no meaning.
    """
    with Ledger(settings.out) as ledger:
        budget = Budget(ledger, settings.max_usd)
        askers: dict[str, tuple[Model, Asker]] = {}
        tasks = [task for exam in exams(settings) for task in _jobs(exam, settings, ledger, budget, askers)]
        return inspect_eval(
            tasks,
            log_dir=str(settings.out / LOGS),
            display=settings.display,
            fail_on_error=False,
            max_tasks=len(tasks),
            max_samples=max([settings.limits.concurrency, *(one.concurrency for one in settings.limits_of.values())]),
            score_display=False,
            log_header_only=True,
            log_buffer=_SAMPLES_PER_FLUSH,
            ctl_server=False,
        )


def _jobs(
    exam: Exam, settings: Settings, ledger: Ledger, budget: Budget, askers: dict[str, tuple[Model, Asker]]
) -> Iterator[InspectTask]:
    for name, title in _agents(exam).items():
        model = agent_model(name, exam.scoring, exam.tasks)
        yield _job(exam, "zero-shot", {"model": name, "title": title, "group": "agent", "base": ""}, model, None, 1)
    for strategy in settings.strategies:
        for spec in settings.models:
            if spec.name not in askers:
                model = spec.connect()
                limits = settings.limits_of.get(spec.name, settings.limits)
                askers[spec.name] = model, Asker(spec, model, ledger, budget, limits)
            model, asker = askers[spec.name]
            who = {"model": spec.name, "title": spec.title, "group": spec.group, "base": spec.base}
            price = None if spec.price is None else spec.price.model_dump()
            yield _job(exam, strategy, {**who, "price": price}, model, asked(asker), settings.samples)


def _agents(exam: Exam) -> dict[str, str]:
    return AGENTS if all(task.detectable for task in exam.tasks) else {**AGENTS, **ABSTAIN_AGENTS}


def _job(
    exam: Exam, strategy: Strategy, who: Mapping[str, Any], model: Model, ask: Solver | None, samples: int
) -> InspectTask:
    about = {
        **who,
        "dataset": exam.dataset,
        "split": exam.split,
        "strategy": strategy,
        "samples": samples,
        "tasks": len(exam.tasks),
        "max_reward": exam.scoring.max_reward,
    }
    return inspect_task(
        exam.scoring,
        exam.tasks if ask is None else exam.asked(),
        strategy,
        solver=ask,
        samples=samples,
        name=f"{exam.dataset}-{exam.split}-{strategy}-{who['model']}",
        metadata={ABOUT_RUN: about},
        about=exam.about(),
        model=model,
        config=GenerateConfig(),
    )


@solver
def asked(asker: Asker) -> Solver:
    """Inspect's solver that asks through an Asker and logs what the request took."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - Inspect's signature
        reply = await asker.ask(state.messages, state.epoch)
        one = reply.answered
        state.output = ModelOutput.from_content(str(state.model), one.text, stop_reason=one.stop_reason)  # type: ignore[arg-type]
        state.output.time = one.seconds
        state.messages.append(state.output.message)
        state.metadata[ABOUT_REQUEST] = {**one.model_dump(exclude={"text", "at_most"}), "replayed": reply.replayed}
        return state

    return solve
