"""The figures of a dataset's quality: what each is called, what it means and what it should be."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from sigma_env.scoring.constant import Constant
from sigma_env.scoring.quality.artefacts import Artefact
from sigma_env.scoring.quality.one_task import TaskQuality
from sigma_env.scoring.quality.versions import Tally, Version
from sigma_env.simulation.sloppy import LIKE_THE_RULE, UNGATED
from sigma_env.tasks.manifest import Manifest
from sigma_env.tasks.task import Split

_ENOUGH_EVENTS: Final = 3
_PARTS: Final = ("dropped_condition", "dropped_filter")
_LEFT_WITHOUT_A_PART: Final = 0.75


class Figure(NamedTuple):
    """One figure.

    Attributes:
        name: under which it is found.
        about: what it says.
        better: whether it should be high or low; None if it is neither.
        target: of the datasets that this package builds; None if there is none for all of them.
    """

    name: str
    about: str
    better: Literal["high", "low"] | None = None
    target: float | None = None


FIGURES: Final = (
    Figure("tasks", "tasks with something to find", "high"),
    Figure("tasks_3_or_more", "of them, with three scored events or more", "high"),
    Figure("shortcut_rate", "share of tasks on which a sloppy rule gets IoU >= 0.9", "low", 0.03),
    Figure("shortcut_rate_by_kind", "the same for each kind of sloppy rule", "low"),
    Figure("filter_shortcut_rate", "of tasks with filters, share on which a rule without one gets it", "low", 0.06),
    Figure("every_part_counts", "share of tasks on which forgetting any condition or filter costs 0.25 of IoU", "high"),
    Figure("best_shortcut_iou_mean", "mean IoU of each task's best sloppy rule", "low"),
    Figure("margin_p05", "1 - IoU of the best sloppy rule, 5th percentile of tasks", "high", 0.2),
    Figure("mutants_killed", "share of wrong versions of the disclosed rule that get IoU < 0.9", "high", 0.98),
    Figure("mutants", "how many were made, killed, and proven to mean the same (not counted)"),
    Figure("held_out_shortcuts", "share of tasks that a strategy the simulator does not aim at solves", "low", 0.1),
    Figure("reference_reward_min", "least reward of a reference", "high", 1.1),
    Figure("equivalents_reward_min", "least reward of a reference written in another way", "high", 1.1),
    Figure("request_ceiling_min", "least reward of what the request discloses of the reference", "high", 1.1),
    Figure("artefact_auc", "how well trees tell true events from near-misses by unnamed fields", "low", 0.6),
    Figure("novel_values", "share of values in unnamed fields that only a task's true events have", "low", 0.05),
    Figure("best_constant_reward", "mean reward of the best answer that is the same for all tasks", "low"),
    Figure("best_constant_iou", "its mean IoU", "low"),
    Figure("duplicate_truths", "tasks scored on the same events as another", "low"),
    Figure("coverage", "share of the reference that requests disclose; full = share of tasks with all of it", "high"),
    Figure("split_leakage", "near pairs of tasks that stand in two splits", "low", 0),
    Figure("left_out", "rules that became no task, by reason"),
)
"""Every figure, in the order of the table."""


class Whole(NamedTuple):
    """What is found by looking at all tasks at once.

    Attributes:
        constant: the best answer that is given to every task.
        leaks: near pairs in two splits: ids, and in which way they are near.
        duplicates: pairs of tasks that are scored on the same events.
        artefact: what trees can tell by unnamed fields; None where no near-misses were made.
    """

    constant: Constant
    leaks: tuple[tuple[str, str, str], ...]
    duplicates: tuple[tuple[str, str], ...]
    artefact: Artefact | None


class Quality(NamedTuple):
    """The figures of a dataset, and what they come from.

    Attributes:
        dataset: its name.
        split: the part that was measured; None for all.
        measured: how many tasks were.
        figures: by name, as FIGURES lists them; None where the dataset has nothing to measure it by.
        tasks: one by one.
        whole: of all tasks at once.
        seconds: what it took.
    """

    dataset: str
    split: Split | None
    measured: int
    figures: Mapping[str, Any]
    tasks: tuple[TaskQuality, ...]
    whole: Whole
    seconds: float


def figures_of(found: Sequence[TaskQuality], whole: Whole, manifest: Manifest) -> dict[str, Any]:
    """Adds up what was found of every task."""
    tasks = [one for one in found if one.detectable]
    best = np.array([version.iou if (version := one.best_shortcut) is not None else 0.0 for one in tasks])
    artefact = whole.artefact
    return {
        "tasks": len(tasks),
        "tasks_3_or_more": sum(one.scored >= _ENOUGH_EVENTS for one in tasks),
        "shortcut_rate": _mean(best >= LIKE_THE_RULE),
        "shortcut_rate_by_kind": _rates(tasks, lambda one: one.shortcuts.best if one.shortcuts is not None else {}),
        "filter_shortcut_rate": _filter_rate(tasks),
        "every_part_counts": _every_part_counts(tasks),
        "best_shortcut_iou_mean": _mean(best),
        "margin_p05": _rounded(float(np.percentile(1 - best, 5))) if len(best) else None,
        **_mutants(tasks),
        "held_out_shortcuts": _rates(tasks, lambda one: one.held_out or {}),
        "reference_reward_min": min((one.rewards.reference for one in found), default=None),
        "equivalents_reward_min": min((one.rewards.equivalents for one in found), default=None),
        "request_ceiling_min": min((one.rewards.ceiling for one in found), default=None),
        "artefact_auc": None if artefact is None else _rounded(artefact.auc),
        "novel_values": _novel(tasks),
        "best_constant_reward": _rounded(whole.constant.reward),
        "best_constant_iou": _rounded(whole.constant.iou),
        "duplicate_truths": len(whole.duplicates),
        "coverage": _coverage([one.coverage for one in tasks]),
        "split_leakage": len(whole.leaks),
        "left_out": dict(manifest.left_out),
    }


def _rounded(number: float) -> float:
    return round(number, 4)


def _mean(numbers: Iterable[Any]) -> float | None:
    values = [float(number) for number in numbers]
    return _rounded(sum(values) / len(values)) if values else None


def _rates(tasks: Sequence[TaskQuality], versions: Callable[[TaskQuality], Mapping[str, Version]]) -> dict[str, float]:
    """By kind, the share of all tasks on which a version of that kind gets IoU >= 0.9."""
    solved: Counter[str] = Counter()
    for one in tasks:
        for kind, version in versions(one).items():
            solved[kind] += version.iou >= LIKE_THE_RULE
    return {kind: _rounded(count / len(tasks)) for kind, count in sorted(solved.items())}


def _filter_rate(tasks: Sequence[TaskQuality]) -> float | None:
    overlaps = [s.best["dropped_filter"].iou for one in tasks if (s := one.shortcuts) and "dropped_filter" in s.best]
    return _mean(iou >= LIKE_THE_RULE for iou in overlaps)


def _every_part_counts(tasks: Sequence[TaskQuality]) -> float | None:
    found = [[s.best[kind].iou for kind in _PARTS if kind in s.best] for one in tasks if (s := one.shortcuts)]
    return _mean(max(overlaps) <= _LEFT_WITHOUT_A_PART for overlaps in found if overlaps)


def _mutants(tasks: Sequence[TaskQuality]) -> dict[str, Any]:
    by_kind: dict[str, Tally] = {}
    for one in tasks:
        for kind, tally in (one.mutants.tallies if one.mutants is not None else {}).items():
            by_kind[kind] = by_kind.get(kind, Tally()) + tally
    gated = sum((tally for kind, tally in by_kind.items() if kind not in UNGATED), Tally())
    reported = sum((tally for kind, tally in by_kind.items() if kind in UNGATED), Tally())
    judged = gated.made - gated.equivalent
    return {
        "mutants_killed": _rounded(gated.killed / judged) if judged else None,
        "mutants": {
            **gated._asdict(),
            "by_kind": {kind: tally._asdict() for kind, tally in sorted(by_kind.items()) if kind not in UNGATED},
            "reported_only": {
                **reported._asdict(),
                "by_kind": {kind: tally._asdict() for kind, tally in sorted(by_kind.items()) if kind in UNGATED},
            },
        },
    }


def _novel(tasks: Sequence[TaskQuality]) -> float | None:
    found = [one.novelty for one in tasks if one.novelty is not None]
    values = sum(one.values for one in found)
    return _rounded(sum(one.novel for one in found) / values) if values else None


def _coverage(shares: Sequence[float]) -> dict[str, float | None]:
    return {"mean": _mean(shares), "min": min(shares, default=None), "full": _mean(share == 1 for share in shares)}
