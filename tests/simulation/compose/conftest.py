import pytest

from sigma_env.simulation.compose import Composed, compose, held_out

PAIRS = 40_000


@pytest.fixture(scope="session")
def training() -> list[Composed]:
    """As many training rules as the project promises."""
    return list(compose(1, PAIRS))


@pytest.fixture(scope="session")
def tests_rules() -> list[Composed]:
    """The held-out rules of another seed."""
    return list(held_out(2))
