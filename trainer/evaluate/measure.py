"""One evaluation: tasks are chosen, asked and scored, and its two files written."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import orjson

from sigma_env.errors import OptionError
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.clusters import clusters_of
from sigma_env.tasks.task import Split, Task
from trainer.asking import Asking
from trainer.checkpoints import Checkpoint
from trainer.evaluate.kept import Kept, fingerprint
from trainer.evaluate.models import Answer, Ask, Model
from trainer.evaluate.numbers import PACKAGES, Scored, best_constant_of, numbers, row
from trainer.evaluate.request import Request
from trainer.folder import installed
from trainer.scoring import shared_scorer
from trainer.seeds import request_seed
from trainer.whole import write_whole

_SPLITS: Final[Mapping[str, Split | None]] = {"train": "train", "validation": "validation", "test": "test", "all": None}
_SCORED_AT_ONCE: Final = 64
_NO_RUN: Final = Path("out/evaluation")


def measure(request: Request, model: Model, config: Any, checkpoint: Checkpoint | None) -> Path:
    """Runs an evaluation.

    Args:
        request: which.
        model: that answers.
        config: that says how the model is asked and what scores its answers.
        checkpoint: that the model is; None for one behind an address.

    Returns:
        Path of the summary, NAME.json; the answers are in NAME.jsonl beside it.

    Raises:
        DatasetError: there is no such dataset.
        OptionError: there is no such split, or it is empty.
        EngineError: an answer could not be scored, by our own fault.
    """
    scorer = shared_scorer(
        request.dataset or config.sigmaforge.dataset, config.sigmaforge.engine, config.sigmaforge.semantics
    )
    request = request.model_copy(update={"dataset": scorer.dataset.name})
    split = _split(scorer, request.split)
    clusters = clusters_of(scorer.dataset, scorer.engine, split)
    tasks = chosen(split, request.tasks)
    path = _folder(request, checkpoint) / f"{_name(request, checkpoint)}.json"
    begin = time.monotonic()
    answers = _answers(path, request, model, tasks, Asking.of(config), checkpoint)
    asked = time.monotonic()
    scored = list(_scored(scorer, tasks, answers))
    took = {"answers": asked - begin, "scores": time.monotonic() - asked}
    rows = [row(one, clusters[one.ask.task.id]) for one in scored]
    summary = {
        "name": path.stem,
        **request.model_dump(mode="json", exclude={"name", "folder", "tasks", "decoding"}),
        "checkpoint": None if checkpoint is None else checkpoint._asdict(),
        "decoding": request.decoding.model_dump(),
        "asking": Asking.of(config)._asdict(),
        "scoring": {"engine": scorer.engine.name, "semantics": config.sigmaforge.semantics},
        **numbers(scored, clusters),
        "overlong": sorted({task for (task, _), answer in answers.items() if answer is None}),
        "constant": best_constant_of(scorer, tasks),
        "max_reward": scorer.max_reward,
        "seconds": took,
        "versions": installed(PACKAGES),
    }
    write_whole(path.with_suffix(".jsonl"), b"".join(orjson.dumps(row) + b"\n" for row in rows))
    write_whole(path, orjson.dumps(summary, option=orjson.OPT_INDENT_2, default=str) + b"\n")
    _partial(path).unlink()
    return path


def _split(scorer: Scorer, name: str) -> tuple[Task, ...]:
    if name not in _SPLITS:
        raise OptionError(f"unknown split {name!r}; there is {', '.join(_SPLITS)}")
    tasks = scorer.dataset.playable(scorer.engine, _SPLITS[name])
    if not tasks:
        raise OptionError(f"dataset {scorer.dataset.name!r} has no task in the split {name!r} that can be scored")
    return tasks


def chosen(tasks: Sequence[Task], number: int | None) -> list[Task]:
    """The first so many tasks in the order of a hash of their ids: always the same, and no kind of them preferred.

    Returns:
        They, sorted by id.
    """
    drawn = sorted(tasks, key=lambda task: blake2b(f"evaluate {task.id}".encode()).digest())[:number]
    return sorted(drawn, key=lambda task: task.id)


def _folder(request: Request, checkpoint: Checkpoint | None) -> Path:
    if request.folder is not None:
        return request.folder
    return _NO_RUN if checkpoint is None or checkpoint.run is None else checkpoint.run / "evaluation"


def _name(request: Request, checkpoint: Checkpoint | None) -> str:
    if request.name:
        return request.name
    model = request.model.replace("/", "--") if checkpoint is None else checkpoint.name
    share = "" if request.tasks is None else f"-{request.tasks}-tasks"
    return f"{model}-{request.dataset}-{request.split}{share}-{request.decoding.name}"


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial.jsonl")


def _answers(
    path: Path, request: Request, model: Model, tasks: Sequence[Task], asking: Asking, checkpoint: Checkpoint | None
) -> dict[tuple[str, int], Answer | None]:
    """The answers to all tasks, by task and sample; those of a process that was interrupted are not asked again."""
    files = [] if checkpoint is None else [Path(checkpoint.model), *filter(None, [checkpoint.adapter])]
    identity = {
        "request": request.model_dump(mode="json", exclude={"tasks", "folder"}),
        "asking": asking._asdict(),
        "files": [fingerprint(folder) for folder in files],
    }
    asks = [
        Ask(task, sample, request_seed(request.seed, 0, task.id, sample))
        for task in tasks
        for sample in range(request.decoding.samples)
    ]
    with Kept(_partial(path), identity) as kept:
        left = [ask for ask in asks if (ask.task.id, ask.sample) not in kept.answers]
        with _progress(path.stem, len(asks), len(asks) - len(left)) as advance:
            for ask, answer in model.answers(left, request.decoding.temperature):
                kept.add(ask, answer)
                advance()
    return {(ask.task.id, ask.sample): kept.answers[ask.task.id, ask.sample] for ask in asks}


@contextmanager
def _progress(title: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task(title, total=total, completed=done)
        yield lambda: bars.advance(bar)


def _scored(
    scorer: Scorer, tasks: Sequence[Task], answers: Mapping[tuple[str, int], Answer | None]
) -> Iterator[Scored]:
    by_id = {task.id: task for task in tasks}
    given = [(Ask(by_id[task], sample, 0), answer) for (task, sample), answer in answers.items() if answer is not None]
    for begin in range(0, len(given), _SCORED_AT_ONCE):
        some = given[begin : begin + _SCORED_AT_ONCE]
        scores = scorer.score_batch([(ask.task, answer.text) for ask, answer in some])
        yield from (Scored(ask, answer, score) for (ask, answer), score in zip(some, scores, strict=True))
