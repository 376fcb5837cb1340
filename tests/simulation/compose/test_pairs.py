from itertools import islice

import pytest

from sigma_env.errors import OptionError
from sigma_env.sigma.answer import parse_answer
from sigma_env.simulation.compose import Composed, pairs, training_pairs
from sigma_env.simulation.plan import MAX_REQUEST
from sigma_env.simulation.requests import PERSONAS, faults, full_plan


def test_a_request_tells_all_of_its_rule_and_the_answer_is_the_rule() -> None:
    for pair in training_pairs(1, 400):
        plan = full_plan(pair.composed.rule)
        assert plan.coverage == 1
        assert not faults(pair.request, plan)
        assert len(pair.request) <= MAX_REQUEST
        answer = parse_answer(pair.answer)
        assert answer.rule is not None
        assert answer.rule.condition == pair.composed.rule.condition


def test_all_personas_ask_in_turn() -> None:
    assert [pair.persona for pair in training_pairs(1, 16)] == [*PERSONAS, *PERSONAS]
    assert {pair.persona for pair in training_pairs(1, 5, personas=["manager"])} == {"manager"}


def test_the_same_seed_gives_the_same_pairs() -> None:
    first = [(pair.request, pair.answer) for pair in training_pairs(9, 30)]
    assert first == [(pair.request, pair.answer) for pair in islice(training_pairs(9, 60), 30)]


def test_held_out_rules_are_asked_for_alike(tests_rules: list[Composed]) -> None:
    asked = list(pairs(iter(tests_rules[:40]), 1))
    assert all(not faults(pair.request, full_plan(pair.composed.rule)) for pair in asked)


def test_a_persona_that_does_not_exist_is_refused() -> None:
    with pytest.raises(OptionError, match="nobody"):
        next(training_pairs(1, 1, personas=["nobody"]))
