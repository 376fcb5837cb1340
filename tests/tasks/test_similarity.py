import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.tasks.similarity import components, jaccard, similar_pairs

sets = st.lists(st.frozensets(st.integers(0, 12), max_size=8), max_size=12)


@given(sets, st.sampled_from([0.1, 0.25, 0.4, 0.5, 2 / 3, 0.9, 1.0]))
def test_the_join_finds_exactly_the_pairs_that_comparing_all_finds(members, threshold):
    wanted = {(i, j) for j in range(len(members)) for i in range(j) if jaccard(members[i], members[j]) >= threshold}
    found = similar_pairs(members, threshold)
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_empty_sets_are_like_nothing():
    assert similar_pairs([frozenset[int](), frozenset[int]()], 0.5) == []


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        similar_pairs([], threshold)


def test_components_are_the_groups_that_pairs_join():
    assert components(6, [(4, 2), (2, 0), (5, 3)]) == [[0, 2, 4], [1], [3, 5]]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_components_do_not_depend_on_the_order_of_pairs(pairs):
    groups = components(10, pairs)
    assert sorted(i for group in groups for i in group) == list(range(10))
    assert groups == components(10, [(b, a) for a, b in reversed(pairs)])
    where = {i: n for n, group in enumerate(groups) for i in group}
    assert all(where[a] == where[b] for a, b in pairs)
