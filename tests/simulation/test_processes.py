"""Work in several processes: the same results, in order, and errors come through."""

import os
from collections.abc import Sequence

import pytest

from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.processes import in_processes
from sigma_env.simulation.schemas.catalogue import catalogue

ITEMS = list(range(40))


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("items", [ITEMS, [7], []])
def test_results_come_in_order(processes: int, items: Sequence[int]) -> None:
    assert list(in_processes(lambda n: n * n, items, processes, at_once=3)) == [n * n for n in items]


def test_two_processes_do_the_work_and_not_this_one() -> None:
    assert os.getpid() not in set(in_processes(lambda _: os.getpid(), ITEMS, 2))
    assert set(in_processes(lambda _: os.getpid(), ITEMS, 1)) == {os.getpid()}


def test_a_run_may_begin_before_another_has_ended() -> None:
    one, other = in_processes(lambda n: n + 1, ITEMS, 2), in_processes(lambda n: -n, ITEMS, 2)
    pairs = list(zip(one, other, strict=True))
    assert pairs == [(n + 1, -n) for n in ITEMS]


def test_an_error_of_a_child_is_raised_here() -> None:
    def fail(n: int) -> int:
        if n == 5:
            raise SimulationError("five: give another number")
        return n

    with pytest.raises(SimulationError, match="five: give another number"):
        list(in_processes(fail, ITEMS, 2))


def test_a_schema_of_the_package_is_the_same_object_again() -> None:
    schemas = list(catalogue())[:20]
    for here, there in zip(schemas, in_processes(lambda at: schemas[at], range(20), 2), strict=True):
        assert there is here
