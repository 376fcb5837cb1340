"""All figures of a dataset."""

import gc
import multiprocessing
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.quality.artefacts import MOST_TASKS, Describer, artefact
from sigma_env.scoring.quality.figures import Quality, Whole, figures_of
from sigma_env.scoring.quality.labelled import made_for_rules
from sigma_env.scoring.quality.novelty import NoveltyFinder
from sigma_env.scoring.quality.one_task import Checks, TaskQuality
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.leakage import near_across_splits
from sigma_env.tasks.task import Split, Task

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_TASKS_PER_MESSAGE: Final = 8
# Fewer tasks are done sooner than a second process has started.
_WORTH_A_PROCESS: Final = 60


def measure(
    scorer: Scorer,
    *,
    split: Split | None = None,
    sample: int = 0,
    seed: int = 0,
    processes: int = 2,
    progress: Progress | None = None,
) -> Quality:
    """Measures how well a dataset judges answers. One seed, one result, in however many processes.

    Args:
        scorer: of the dataset, with the native engine.
        split: only its tasks; None for all.
        sample: at most so many tasks, chosen by the seed; 0 for all.
        seed: of choices and trees.
        processes: how many may work at once.
        progress: is told how far it is.

    Raises:
        DatasetError: the dataset is damaged.
        OptionError: scikit-learn is missing, and the dataset has near-misses to be told from true events.
        EngineError: the engine failed.
    """
    begin = time.monotonic()
    dataset, engine = scorer.dataset, scorer.engine
    everything = dataset.playable(engine)
    tasks = _sample(dataset.playable(engine, split), sample, seed)
    made = made_for_rules(dataset)
    asked = _sample([task for task in tasks if task.detectable], MOST_TASKS if made is not None else 0, seed)
    checks = Checks(
        scorer,
        made,
        NoveltyFinder(dataset.store),
        Describer(dataset.store, seed),
        frozenset(task.id for task in asked) if made is not None else frozenset(),
    )
    found: list[TaskQuality] = []
    for one in _checked(checks, tasks, processes):
        found.append(one)
        if progress is not None:
            progress("checking tasks", len(found), len(tasks))
    described = [one.described for one in found if one.described is not None]
    whole = Whole(
        constant=best_constant(scorer, tasks),
        leaks=tuple(near_across_splits(dataset, engine)) if len(everything) > 1 else (),
        duplicates=_duplicates(scorer, tasks),
        artefact=artefact(described, checks.describer.names, seed) if described else None,
    )
    figures = figures_of(found, whole, dataset.manifest)
    kept = tuple(one._replace(described=None) for one in found)
    return Quality(dataset.name, split, len(tasks), figures, kept, whole, time.monotonic() - begin)


def _sample(tasks: Sequence[Task], size: int, seed: int) -> list[Task]:
    """Some of the tasks, in their order; all of them for 0."""
    if not size or len(tasks) <= size:
        return list(tasks)
    chosen = random.Random(f"{seed}|sample").sample(range(len(tasks)), size)
    return [tasks[at] for at in sorted(chosen)]


def _duplicates(scorer: Scorer, tasks: Sequence[Task]) -> tuple[tuple[str, str], ...]:
    """Pairs of tasks that are scored on the same true events: the later one's id, and the first one's."""
    first: dict[tuple[tuple[int, int], ...], str] = {}
    pairs = []
    for task in tasks:
        if task.detectable:
            known = first.setdefault(tuple(sorted(scorer.yardstick(task).scored.items())), task.id)
            if known != task.id:
                pairs.append((task.id, known))
    return tuple(pairs)


# What child processes inherit by fork.
_inherited: list[tuple[Checks, Sequence[Task]]] = []


def _checked(checks: Checks, tasks: Sequence[Task], processes: int) -> Iterator[TaskQuality]:
    forks = "fork" in multiprocessing.get_all_start_methods()
    if processes < 2 or not forks or len(tasks) < _WORTH_A_PROCESS:
        yield from map(checks.of, tasks)
        return
    _inherited[:] = [(checks, tasks)]
    gc.freeze()  # pages that no collection touches stay shared
    try:
        with warnings.catch_warnings():
            # Python warns of forking beside threads; the children only compute.
            warnings.simplefilter("ignore", DeprecationWarning)
            with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
                yield from pool.map(_check_inherited, range(len(tasks)), chunksize=_TASKS_PER_MESSAGE)
    finally:
        gc.unfreeze()
        _inherited.clear()


def _check_inherited(at: int) -> TaskQuality:
    checks, tasks = _inherited[0]
    return checks.of(tasks[at])
