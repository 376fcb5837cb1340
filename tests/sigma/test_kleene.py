"""Three-valued logic, where None is open."""

from __future__ import annotations

from itertools import product

import pytest

from sigma_env.sigma.kleene import conjunction, disjunction, negation

TRUTHS = (True, False, None)


def decided(truth: bool | None) -> tuple[bool, ...]:
    return (True, False) if truth is None else (truth,)


@pytest.mark.parametrize("truths", list(product(TRUTHS, repeat=2)))
def test_open_is_what_could_be_either(truths: tuple[bool | None, bool | None]) -> None:
    for found, function in ((conjunction(truths), all), (disjunction(truths), any)):
        possible = {function(each) for each in product(*map(decided, truths))}
        assert found is (possible.pop() if len(possible) == 1 else None)


@pytest.mark.parametrize(("truth", "negated"), [(True, False), (False, True), (None, None)])
def test_negation(truth: bool | None, negated: bool | None) -> None:
    assert negation(truth) is negated


def test_of_nothing() -> None:
    assert conjunction([]) is True
    assert disjunction([]) is False
