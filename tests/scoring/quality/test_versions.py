"""Versions of a rule: matched as the engine would, and found where an answer could have them from."""

from __future__ import annotations

from pathlib import Path

import pytest

from sigma_env.engines.native import NativeEngine
from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.options import weighted
from sigma_env.scoring.quality.held_out import held_out, technical_words
from sigma_env.scoring.quality.subject import Subject
from sigma_env.scoring.quality.variants import Variants
from sigma_env.scoring.quality.versions import Judge, find_shortcuts
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.answer import parse_answer
from sigma_env.simulation.sloppy import mutants, shortcuts
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.leakage import leakage, near_across_splits
from sigma_env.tasks.reference import reference_answer, reference_rule
from tests.scoring.quality.planted import Planted, build, process


def test_versions_match_what_the_engine_says_that_they_do(small: Dataset) -> None:
    engine = NativeEngine()
    compared = 0
    for task in small.tasks:
        rule = reference_rule(task)
        variants = Variants(rule, small.store, engine)
        for sloppy in (*mutants(rule), *shortcuts(rule)):
            assert variants.matches(sloppy.rule.condition) == engine.match_rule(sloppy.rule, small.store)
            compared += 1
    assert compared > 100


def subject(dataset: Dataset, number: int = 0) -> Subject:
    [task] = [task for task in dataset.tasks if task.source == f"planted:{number}"]
    return Subject(task, Scorer(dataset).yardstick(task))


DETECTION = "s: {Image|endswith: '%s', CommandLine|contains: ['put it', 'get it']}, condition: s"


def test_the_two_most_frequent_literals_are_required_together(cache: Path) -> None:
    image = r"C:\Tools\copy.exe"
    planted = Planted(
        DETECTION % r"\copy.exe",
        [process(image, "put it 1"), process(image, "put it 2"), process(image, "get it")],
        [process(image, "leave it"), process(r"C:\move.exe", "put it")],
    )
    one = subject(build("literals", [planted]))
    best = held_out(one, Judge(one, simulated=True))["two_most_frequent_literals"]
    assert best.title == r"Image: '\\copy.exe' and CommandLine: 'put it'"
    assert best.iou == pytest.approx(2 / 3)


def test_words_of_the_request_are_what_it_quotes_or_spells_like_code() -> None:
    request = r"""Look for `reg save` or "HKLM\SAM" run from C:\Temp (not by us), with /y or --force. See «a b»."""
    assert technical_words(request) == ["reg save", r"HKLM\SAM", r"C:\Temp", "--force"]


def test_words_of_the_request_are_searched_for_anywhere(cache: Path) -> None:
    image = r"C:\Tools\copy.exe"
    planted = Planted(
        DETECTION % r"\copy.exe",
        [process(image, "put it 1"), process(image, "put it 2"), process(image, "get it")],
        [process(image, "leave it"), process(r"C:\move.exe", "put it")],
        request=r"Programs `\copy.exe` that `put it` or `get it`, never `something else`.",
    )
    one = subject(build("words", [planted]))
    best = held_out(one, Judge(one, simulated=True))["request_words"]
    assert best.title == r"any of: \copy.exe, put it, get it"  # "something else" is nowhere
    assert best.iou == pytest.approx(3 / 5)


def test_a_rule_is_fitted_to_what_two_positives_share(cache: Path) -> None:
    shared = {"Company": "Halden"}
    planted = Planted(
        DETECTION % r"\copy.exe",
        [process(rf"C:\{n}\copy.exe", f"put it {n}", **shared) for n in range(3)],
        [process(r"C:\move.exe", "put it 9", **shared), process(r"C:\copy.exe", "leave it", **shared)],
    )
    one = subject(build("fitted", [planted]))
    best = held_out(one, Judge(one, simulated=True))["fitted_to_examples"]
    assert best.title.startswith(r"Image|endswith: '\\copy.exe'")
    assert best.iou == pytest.approx(3 / 4)  # the image alone: rarer than the company


def test_the_rarest_value_of_a_visible_event_is_tried(cache: Path) -> None:
    marked = {"Product": "Marked"}
    planted = Planted(
        DETECTION % r"\copy.exe",
        [process(rf"C:\{n}\copy.exe", f"put it {n}", **marked) for n in range(4)],
        [process(r"C:\move.exe", "put it 9"), process(r"C:\copy.exe", "leave it")],
    )
    dataset = build("visible", [planted])
    [task] = dataset.tasks
    scorer = Scorer(dataset)
    shown = dataset.store.refs(Subject(task, scorer.yardstick(task)).scored.rows(dataset.store)[:1].tolist())
    with_example = Subject(task.model_copy(update={"visible": tuple(shown)}), scorer.yardstick(task))
    best = find_shortcuts(with_example, Judge(with_example, simulated=True)).best["visible_rarest"]
    assert best.title == "Product: 'Marked'"
    assert best.iou == 1
    assert "visible_rarest" not in find_shortcuts(subject(dataset), Judge(subject(dataset), simulated=True)).best


def test_the_best_constant_is_that_of_asking_every_answer_about_every_task(small: Dataset) -> None:
    scorer = Scorer(small)
    found = best_constant(scorer, small.tasks)
    earned = [scorer.score(task, found.answer) for task in small.tasks]
    assert found.reward == pytest.approx(sum(score.reward for score in earned) / len(earned))
    assert found.iou == pytest.approx(sum(score.components["iou"] for score in earned) / len(earned))
    for task in small.tasks:
        for answer in (reference_answer(task), _everything(task.logsource)):
            rewards = [scorer.score(other, answer).reward for other in small.tasks]
            assert sum(rewards) / len(rewards) <= found.reward + 1e-12


def _everything(logsource: dict[str, str]) -> str:
    answer = f"logsource: {logsource}\ndetection: {{s: {{EventID: '*'}}, condition: s}}"
    assert parse_answer(answer).status == "ok"
    return answer


def test_leaks_are_found_by_index_as_by_comparing_all_pairs(cache: Path) -> None:
    def task(number: int, word: str) -> Planted:
        image = rf"C:\{word}.exe"
        return Planted(
            f"s: {{Image|endswith: '{word}.exe', CommandLine|contains: ['{word} one', '{word} two']}}, condition: s",
            [process(image, f"{word} one {number}")],
            [],
            request=f"Somebody {word}s things {number}",
        )

    planted = [task(n, word) for n, word in enumerate(("pull", "pull", "push", "push", "drop", "lift"))]
    dataset = build("near", planted)
    engine = NativeEngine()
    assert near_across_splits(dataset, engine) == leakage(dataset, engine) == []
    sides = ("train", "test")
    apart = Dataset(
        dataset.manifest,
        tuple(t.model_copy(update={"split": sides[int(t.source.split(":")[1]) % 2]}) for t in dataset.tasks),
    )
    found = near_across_splits(apart, engine)
    assert len(found) == 2
    assert sorted(found) == sorted(leakage(apart, engine))


def test_the_weights_of_a_score_weigh_the_constant_too(small: Dataset) -> None:
    weights = {"yaml_valid": 0.0, "logsource_correct": 0.0, "iou": 1.0}
    found = best_constant(Scorer(small, weights=weights), small.tasks)
    assert found.reward == weighted({"yaml_valid": 1.0, "logsource_correct": 1.0, "iou": found.iou}, weights)
