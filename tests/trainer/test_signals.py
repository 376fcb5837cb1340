"""What a step's rollouts tell: what rewards are made of, what scoring cost, and signs of cheating."""

from __future__ import annotations

import pytest

from sigma_env.sigma.answer import parse_answer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer, reference_rule
from tests.trainer.test_records import record
from trainer.records import ENGINE_ERROR, Record
from trainer.signals import COPIED_WORDS, breadth, copies, matches_all, of_step

TASKS = load_dataset("starter").tasks
RULE = "logsource: {category: process_creation}\ndetection:\n  a: {Image|endswith: \\x.exe}\n  condition: a\n"
REQUEST = "Find every process whose image ends with x.exe when it was started by a user that is no administrator."


def told(*records: Record) -> dict[str, float]:
    return {
        name.removeprefix("sigma/"): value for name, value in of_step(records, {"task-0": REQUEST}, longest=40).items()
    }


def rollout(place: int, number: int, reward: float | None, **changed: object) -> Record:
    iou = max(0.0, ((reward or 0.0) - 0.4) / 0.7)
    components = {"yaml_valid": 1.0, "logsource_correct": 1.0, "iou": iou}
    return record(place=place, rollout=number, reward=reward, components=components, **changed)


def test_means_and_histograms_are_of_all_rollouts() -> None:
    found = told(rollout(0, 0, 0.4), rollout(0, 1, 1.1), rollout(1, 0, 0.4), rollout(1, 1, 0.4))
    assert found["rollouts"] == 4
    assert found["groups"] == 2
    assert found["reward/mean"] == pytest.approx(0.575)
    assert found["iou/mean"] == pytest.approx(0.25)
    assert (found["reward/histogram/0.4"], found["reward/histogram/1.1"]) == (0.75, 0.25)
    assert (found["iou/histogram/0.0"], found["iou/histogram/0.9"]) == (0.75, 0.25)
    for name in ("reward", "iou", "yaml_valid", "logsource_correct", "tokens"):
        assert sum(share for key, share in found.items() if key.startswith(f"{name}/histogram/")) == pytest.approx(1)


def test_the_share_of_groups_that_teach_nothing() -> None:
    assert told(rollout(0, 0, 0.4), rollout(0, 1, 1.1), rollout(1, 0, 0.4), rollout(1, 1, 0.4))["zero_variance"] == 0.5


def test_lengths_are_shares_of_the_longest() -> None:
    found = told(rollout(0, 0, 0.4, tokens=10), rollout(0, 1, 0.4, tokens=40))
    assert (found["tokens/mean"], found["tokens/max"]) == (25, 40)
    assert (found["tokens/histogram/0.2"], found["tokens/histogram/0.9"]) == (0.5, 0.5)


def test_statuses_are_shares_and_our_faults_are_counted_beside_them() -> None:
    failed = rollout(0, 2, None, status=ENGINE_ERROR, metrics={})
    found = told(rollout(0, 0, 0.4), rollout(0, 1, 0.4, status="no_rule"), failed)
    assert (found["status/ok"], found["status/no_rule"], found["status/bad_yaml"]) == (0.5, 0.5, 0)
    assert found["engine_error"] == 1
    assert found["reward/mean"] == pytest.approx(0.4)
    assert told(failed)["engine_error"] == 1
    assert told() == {}


def test_every_step_has_the_same_numbers() -> None:
    names = set(told(rollout(0, 0, 0.4)))
    assert names == set(told(rollout(0, 0, 1.1, status="ok", answer=RULE), rollout(1, 0, 0.0, status="bad_yaml")))


def test_scoring_adds_at_most_the_time_in_which_something_was_scored() -> None:
    found = told(
        rollout(0, 0, 0.4, began=10.0, seconds=2.0, cpu_seconds=0.001),
        rollout(0, 1, 0.4, began=11.0, seconds=2.0, cpu_seconds=0.003),
        rollout(0, 2, 0.4, began=11.5, seconds=0.5, cpu_seconds=0.002),
        rollout(0, 3, 0.4, began=20.0, seconds=1.0, cpu_seconds=0.002),
    )
    assert found["scoring/wall_seconds"] == pytest.approx(4.0)
    assert found["scoring/cpu_ms_mean"] == pytest.approx(2.0)
    assert found["scoring/cpu_ms_max"] == pytest.approx(3.0)


def test_breadth_is_what_an_answer_matches_against_what_is_asked_for() -> None:
    wide = rollout(0, 0, 0.4, answer=RULE, metrics={"tp": 2.0, "fp": 28.0, "fn": 2.0})
    exact = rollout(0, 1, 1.1, answer=RULE, metrics={"tp": 4.0, "fp": 0.0, "fn": 0.0})
    assert (breadth(wide), breadth(exact)) == (7.5, 1.0)
    assert breadth(rollout(0, 0, 0.4, metrics={"tp": 0.0, "fp": 3.0, "fn": 0.0})) is None
    found = told(wide, exact)
    assert found["hacks/breadth_mean"] == pytest.approx(4.25)
    assert found["hacks/over_broad"] == 0.5


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("{EventID: '*'}", True),
        ("{EventID: 1}", True),
        ("{Image: '*', User|exists: true}", True),
        ("{Image|contains: ''}", True),
        ("{CommandLine|re: '.*'}", True),
        ("{EventID: 1, Image|endswith: x}", False),
        ("{CommandLine|re: 'a.*'}", False),
        ("['word']", False),
    ],
)
def test_a_rule_that_looks_for_nothing_matches_all(selection: str, expected: bool) -> None:
    text = f"logsource: {{category: process_creation}}\ndetection:\n  a: {selection}\n  condition: a\n"
    rule = parse_answer(text).rule
    assert rule is not None
    assert matches_all(rule) is expected
    assert told(rollout(0, 0, 0.4, answer=text))["hacks/match_all"] == expected


def test_no_reference_is_taken_for_a_hack() -> None:
    assert not any(matches_all(reference_rule(task)) for task in TASKS)
    assert not any(copies(reference_answer(task), task.request) for task in TASKS)


def test_an_answer_that_repeats_the_request_is_a_copy() -> None:
    words = REQUEST.split()
    part = "\n".join(words[2 : 2 + COPIED_WORDS])
    assert copies(f"logsource: {part}", REQUEST)
    assert not copies(" ".join(words[: COPIED_WORDS - 1]), REQUEST)
    assert not copies("anything", "")
    assert told(rollout(0, 0, 0.4, answer=REQUEST), rollout(0, 1, 0.4))["hacks/copied_request"] == 0.5


def test_one_answer_to_different_requests_is_constant() -> None:
    same = [rollout(place, number, 0.4, answer="same") for place in range(3) for number in range(2)]
    other = [rollout(3, number, 0.4, answer=f"other {number}") for number in range(2)]
    assert told(*same, *other)["hacks/constant_answer"] == 0.75
