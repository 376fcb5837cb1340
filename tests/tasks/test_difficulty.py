import pytest

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.parser import parse_rule
from sigma_env.tasks.difficulty import difficulty, overlap
from sigma_env.tasks.truth import Truth

EVENTS = [{"Channel": "Security", "EventID": 1, "A": a, "B": b} for a in "xy" for b in "pqr"]


def rated(selections: dict, condition: str) -> float:
    rule = parse_rule({"logsource": {"service": "security"}, "detection": {**selections, "condition": condition}})
    store = EventStore.from_documents(EVENTS)
    engine = NativeEngine()
    return difficulty(rule, Truth(engine.match_rule(rule, store), Matches({})), store, engine)


def test_a_task_that_one_value_decides_is_not_difficult() -> None:
    assert rated({"s": {"A": "x"}}, "s") == 0
    assert rated({"s": {"A": "x"}, "f": {"B": "nothing"}}, "s and not f") == 0


@pytest.mark.parametrize(
    ("selections", "condition", "best"),
    [
        ({"s": {"A": "x", "B": "p"}}, "s", 1 / 2),  # B: p is right once in two
        ({"s": {"A": "x"}, "f": {"B": "p"}}, "s and not f", 2 / 3),
        ({"s": {"B": ["p", "q"]}}, "s", 1 / 2),
        ({"s": {"B|neq": "p"}}, "s", 0),
    ],
)
def test_otherwise_it_is_what_the_best_value_lacks(selections: dict, condition: str, best: float) -> None:
    assert rated(selections, condition) == pytest.approx(1 - best, abs=0.005)


def test_overlap_leaves_out_what_is_ignored() -> None:
    truth = Truth(Matches({0: 0b0111}), Matches({0: 0b0100, 1: 0b1}))
    assert overlap(Matches({0: 0b0011}), truth) == 1
    assert overlap(Matches({0: 0b0001, 1: 0b1}), truth) == 1 / 2
    assert overlap(Matches({0: 0b1011}), truth) == 2 / 3
    assert overlap(Matches({0: 0b0100}), truth) == 0
    assert overlap(Matches({}), truth) == 0
