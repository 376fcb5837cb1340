"""Means, intervals and agreement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import agreement, mean_of, quantile


def test_a_task_counts_once_however_many_samples_it_has() -> None:
    found = mean_of([("a", "1", 0.0), ("a", "1", 1.0), ("b", "2", 1.0)])
    assert found is not None
    assert (found.mean, found.tasks, found.clusters) == (0.75, 2, 2)


def test_near_tasks_are_less_evidence_than_others() -> None:
    values = [(f"{number:02}", float(number % 2)) for number in range(40)]
    apart = mean_of([(task, task, value) for task, value in values])
    together = mean_of([(task, str(value), value) for task, value in values])
    assert apart is not None
    assert together is not None
    assert apart.mean == together.mean == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert 0.25 < apart.high - apart.low < 0.35  # 2 · 1.96 · 0.5 / √40 = 0.31


def test_one_cluster_tells_no_uncertainty_and_nothing_no_mean() -> None:
    found = mean_of([("a", "1", 0.2), ("b", "1", 0.4)])
    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((0.3, 0.3, 0.3))
    assert mean_of([]) is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 1.1)), min_size=1))
def test_an_interval_holds_its_mean_and_is_always_the_same(values: list[tuple[str, float]]) -> None:
    rows = [(f"{number}", cluster, value) for number, (cluster, value) in enumerate(values)]
    found = mean_of(rows)
    assert found is not None
    assert found == mean_of(list(reversed(rows)))
    smallest, largest = min(value for _, value in values), max(value for _, value in values)
    assert smallest - 1e-9 <= found.low <= found.high <= largest + 1e-9
    assert smallest - 1e-9 <= found.mean <= largest + 1e-9


def test_agreement_is_the_share_of_equal_pairs_in_a_group() -> None:
    assert agreement([[True, True, False]]) == pytest.approx(1 / 3)
    assert agreement([[True, True], [True, False], [False]]) == 0.5
    assert agreement([[True], []]) is None


def test_quantiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile([7.0], 0.95)) == (50, 95, 7)
    assert quantile([], 0.5) is None
