"""Datasets in which some requests cannot be answered with a rule: the logs that they describe show nothing of it.

Each such request has a twin of the same words that can be answered, in the same split.
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Final

from sigma_env.simulation.requests import Request, detectable_twin, make_plan, undetectable
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.derive import write_derived
from sigma_env.tasks.manifest import Manifest
from sigma_env.tasks.reference import reference_rule
from sigma_env.tasks.task import Task

DETECTABLE_PER_UNDETECTABLE: Final = 4
"""So one task in five is not detectable, in every split."""


def build_abstain(name: str, dataset: Dataset, *, inputs: str = "") -> Manifest:
    """Writes a dataset of another one's tasks, worded anew, and one that is not detectable for every four of them.

    Args:
        name: of the new dataset.
        dataset: simulated, with requests by personas.
        inputs: see `write_derived`.
    """
    tasks: list[Task] = []
    made_for: dict[str, str] = {}
    in_order = sorted(dataset.tasks, key=lambda task: (task.split, _place(task)))
    for _, of_split in groupby(in_order, key=lambda task: task.split):
        group = list(of_split)
        group = group[: len(group) - len(group) % DETECTABLE_PER_UNDETECTABLE]
        for number, task in enumerate(group):
            twins = _twins(task, dataset.manifest.seed)
            made_for[twins[0].id] = task.id
            tasks += twins if number % DETECTABLE_PER_UNDETECTABLE == 0 else twins[:1]
    return write_derived(name, dataset, tasks, made_for=made_for, inputs=inputs, seed=dataset.manifest.seed)


def _twins(task: Task, seed: int) -> Sequence[Task]:
    """The task worded anew, and its twin that is not detectable."""
    plan = make_plan(reference_rule(task), seed)
    kept = task.model_dump(exclude={"id", "request", "visible", "may_abstain", "detectable", "disclosed"})

    def worded(request: Request) -> Task:
        shown = task.disclosed if request.detectable else ""
        return Task(
            **kept, request=request.text, disclosed=shown, detectable=request.detectable, may_abstain=True
        )  # fmt: skip

    return [worded(of(plan, task.persona, seed)) for of in (detectable_twin, undetectable)]


def _place(task: Task) -> bytes:
    return blake2b(task.id.encode(), digest_size=8).digest()
