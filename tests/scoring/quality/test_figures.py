"""Faults that were planted in a dataset show in its figures, each in its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from sigma_env.errors import OptionError
from sigma_env.scoring.quality import FIGURES, Quality, measure
from sigma_env.scoring.quality import measure as measure_function
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from tests.scoring.quality.planted import Planted, build, process

A, B = r"C:\Tools\alpha.exe", r"C:\Tools\alpha.exe\beta.exe"
FULL = r"s: {Image|endswith: '\alpha.exe', CommandLine|contains: install}, condition: s"


def fair(detection: str = FULL, image: str = A, other: str = B, word: str = "install", **more: str) -> Planted:
    """Three events that only the image excludes, and three that only the command line does."""
    return Planted(
        detection,
        [process(image, f"run {word} {n}", **more) for n in range(3)],
        [process(other, f"run {word} {n}", **more) for n in range(3)]
        + [process(image, f"run remove {n}", **more) for n in range(3)],
    )


def quality(dataset: Dataset, **options: Any) -> Quality:
    return measure(Scorer(dataset), **{"processes": 1, **options})


def test_a_fair_task_has_no_shortcut(cache: Path) -> None:
    found = quality(build("fair", [fair()]))
    assert list(found.figures) == [figure.name for figure in FIGURES]
    figures = found.figures
    assert figures["tasks"] == figures["tasks_3_or_more"] == 1
    # Of six events that satisfy one half of the rule, three are true.
    assert figures["best_shortcut_iou_mean"] == 0.5
    assert figures["margin_p05"] == 0.5
    assert figures["shortcut_rate"] == 0
    assert figures["filter_shortcut_rate"] is None  # it has no filter
    assert figures["every_part_counts"] == 1
    assert figures["mutants"]["made"] == figures["mutants"]["killed"] == 2  # each of two conditions dropped
    assert figures["mutants_killed"] == 1
    assert figures["reference_reward_min"] == figures["equivalents_reward_min"] == figures["request_ceiling_min"] == 1.1
    assert figures["duplicate_truths"] == figures["split_leakage"] == 0
    assert figures["coverage"]["full"] == 0  # its request names nothing
    assert figures["best_constant_reward"] == 1.1  # the one reference
    assert figures["artefact_auc"] is None  # one task cannot be asked about by trees that have seen others


def test_a_planted_shortcut_shows_by_kind_and_as_a_mutant(cache: Path) -> None:
    planted = Planted(
        r"s: {Image|endswith: '\gamma.exe', CommandLine|contains: upload}, condition: s",
        [process(r"C:\Tools\gamma.exe", f"run upload {n}") for n in range(3)],
        [process(r"C:\Tools\gamma.exe", f"run nothing {n}") for n in range(3)],  # nothing else uploads
    )
    found = quality(build("short", [fair(), planted]))
    assert found.figures["shortcut_rate"] == 0.5
    by_kind = found.figures["shortcut_rate_by_kind"]
    assert by_kind["one_literal"] == by_kind["dropped_condition"] == 0.5
    assert by_kind["event_id"] == by_kind["sibling_field"] == 0
    assert found.figures["every_part_counts"] == 0.5
    mutants = found.figures["mutants"]["by_kind"]["condition"]
    assert (mutants["made"], mutants["killed"], mutants["equivalent"]) == (4, 3, 0)
    [bad] = [one for one in found.tasks if one.source == "planted:1"]
    assert bad.mutants is not None
    assert [(v.kind, v.title) for v in bad.mutants.alive] == [("condition", "s.Image|endswith")]
    assert bad.best_shortcut is not None
    assert bad.best_shortcut.iou == 1


def test_a_filter_that_excludes_nothing_shows_in_the_rate_of_filters(cache: Path) -> None:
    detection = "s: {CommandLine|contains: %s}, f: {User: bob}, condition: s and not f"
    idle = Planted(
        detection % "sync",
        [process(A, f"sync {n}", User="eve") for n in range(3)],
        [process(A, f"other {n}", User="eve") for n in range(3)],
    )
    busy = Planted(
        detection % "copy",
        [process(A, f"copy {n}", User="eve") for n in range(3)],
        [process(A, f"copy {n}", User="bob") for n in range(3)] + [process(A, "other", User="eve")],
    )
    figures = quality(build("filters", [idle, busy, fair()])).figures
    assert figures["filter_shortcut_rate"] == 0.5  # of the two that have a filter
    assert figures["shortcut_rate_by_kind"]["dropped_filter"] == 0.3333
    assert figures["mutants"]["by_kind"]["filter"] == {"made": 2, "killed": 1, "equivalent": 0}


def test_an_equivalent_mutant_is_proven_and_not_counted(cache: Path) -> None:
    images = r"['\alpha.exe', '\Tools\alpha.exe']"
    doubled = fair(rf"s: {{Image|endswith: {images}, CommandLine|contains: install}}, condition: s")
    figures = quality(build("equivalent", [doubled])).figures
    # The longer value is implied by the other. Without the shorter all these events still match, but others need not.
    assert figures["mutants"]["by_kind"]["values"] == {"made": 2, "killed": 0, "equivalent": 1}
    assert figures["mutants"]["equivalent"] == 1
    assert figures["mutants_killed"] == 0.6667  # two conditions of three mutants


def test_a_value_that_only_true_events_have_is_novel(cache: Path) -> None:
    plain = fair(Company="Halden", Product="Suite")
    figures = quality(build("plain", [plain])).figures
    assert figures["novel_values"] == 0
    marked = Planted(
        plain.detection,
        [*plain.positives[:2], {**plain.positives[2], "Product": "Marked"}],
        plain.others,
    )
    found = quality(build("marked", [marked]))
    novelty = found.tasks[0].novelty
    assert novelty is not None
    assert novelty.novel == 1
    assert novelty.examples == ("Product: marked",)
    # Channel, EventID, Company, and two products; neither the named fields nor the record's number.
    assert novelty.values == 5
    assert found.figures["novel_values"] == 0.2
    # The same value in any other event, of whatever task, and it is none any more.
    other = fair(FULL.replace("install", "erase"), word="erase", Product="MARKED")
    assert quality(build("passed", [marked, other])).tasks[0].novelty.novel == 0  # type: ignore[union-attr]


def companies(number: int, *, telling: bool) -> Planted:
    """A task whose true events come from one company and the others from another, unless that is not telling."""
    word = f"word{number}"
    one = fair(FULL.replace("install", word), word=word)

    def signed(events: Any, company: str) -> list[dict[str, Any]]:
        return [
            {**event, "Company": company if telling else ("Halden", "Norden")[(at + number) % 2]}
            for at, event in enumerate(events)
        ]

    return Planted(one.detection, signed(one.positives, "Halden"), signed(one.others, "Norden"))


def test_trees_find_a_planted_artefact_and_no_other(cache: Path) -> None:
    telling = quality(build("telling", [companies(n, telling=True) for n in range(12)]))
    assert telling.figures["artefact_auc"] > 0.95
    artefact = telling.whole.artefact
    assert artefact is not None
    assert artefact.within > 0.95
    assert artefact.tasks == 12
    assert artefact.events == 12 * 6
    silent = quality(build("silent", [companies(n, telling=False) for n in range(12)]))
    assert 0.25 < silent.figures["artefact_auc"] < 0.75


def test_the_order_of_a_tasks_events_in_the_log_is_an_artefact_too(cache: Path) -> None:
    """Positives are written first here: their times tell."""
    planted = []
    for number in range(12):
        one = companies(number, telling=False)
        timed = [{**e, "UtcTime": f"2026-03-0{1 + number % 9} 10:{at:02}:00.000"} for at, e in enumerate(one.positives)]
        later = [{**e, "UtcTime": f"2026-03-0{1 + number % 9} 11:{at:02}:00.000"} for at, e in enumerate(one.others)]
        planted.append(one._replace(positives=timed, others=later))
    assert quality(build("timed", planted)).figures["artefact_auc"] > 0.9


def test_one_seed_one_result_in_however_many_processes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = build("twice", [companies(n, telling=False) for n in range(6)])
    alone = quality(dataset)
    monkeypatch.setattr(sys.modules[measure_function.__module__], "_WORTH_A_PROCESS", 1)
    together = quality(dataset, processes=2)
    assert together.figures == alone.figures
    assert together.tasks == alone.tasks


def test_a_sample_is_a_part_in_the_same_order(cache: Path) -> None:
    dataset = build("parts", [companies(n, telling=False) for n in range(6)])
    all_ids = [one.task_id for one in quality(dataset).tasks]
    some = quality(dataset, sample=3)
    assert some.measured == some.figures["tasks"] == 3
    ids = [one.task_id for one in some.tasks]
    assert ids == [one for one in all_ids if one in ids]
    assert [one.task_id for one in quality(dataset, sample=3).tasks] == ids
    assert quality(dataset, split="test").measured == len(dataset.of_split("test"))


def test_tasks_scored_on_the_same_events_are_duplicates(cache: Path) -> None:
    again = fair(FULL.replace("install", "'run install'"))
    found = quality(build("duplicates", [fair(), again._replace(positives=[], others=[])]))
    assert found.figures["duplicate_truths"] == 1


def test_a_dataset_of_real_logs_has_no_near_misses_to_measure(small: Dataset) -> None:
    figures = quality(small).figures
    assert figures["tasks"] == 7
    assert figures["artefact_auc"] is None
    assert figures["novel_values"] is None
    assert figures["shortcut_rate"] > 0.5  # two events a rule decide little


def test_trees_that_are_not_installed_are_named_with_the_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = build("bare", [companies(n, telling=False) for n in range(2)])
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(OptionError, match=r"pip install sigmaforge\[quality\]"):
        quality(dataset)
