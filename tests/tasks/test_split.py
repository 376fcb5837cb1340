from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.tasks.split import Profile, assign, assign_few, clusters, leaks, why_near, word_pairs

profiles = st.lists(
    st.builds(
        Profile,
        key=st.text("abc", min_size=1, max_size=6),
        words=st.lists(st.sampled_from("uvwxyz"), max_size=6).map(lambda w: word_pairs(" ".join(w))),
        values=st.frozensets(st.sampled_from("abcdef"), max_size=4),
        events=st.frozensets(st.integers(0, 30), max_size=6),
    ),
    max_size=14,
)


def alone(number: int, **parts: frozenset) -> Profile:
    own = Profile(f"rule {number}", frozenset((f"word {number}",)), frozenset((f"v{number}",)), frozenset((number,)))
    return own._replace(**parts)


@given(profiles, st.integers(0, 3))
def test_near_tasks_never_stand_on_two_sides(tasks, seed):
    assert leaks(tasks, assign(tasks, seed)) == []


@given(profiles)
def test_a_cluster_is_a_whole(tasks):
    groups = clusters(tasks)
    assert sorted(i for group in groups for i in group) == list(range(len(tasks)))
    where = {i: n for n, group in enumerate(groups) for i in group}
    for i, left in enumerate(tasks):
        for j, right in enumerate(tasks):
            if i != j and why_near(left, right):
                assert where[i] == where[j]


@given(st.permutations(range(8)), st.integers(0, 3))
def test_the_sides_do_not_depend_on_the_order(order, seed):
    tasks = [alone(n // 2 * 2) if n == 3 else alone(n) for n in range(8)]
    sides = assign(tasks, seed)
    assert assign([tasks[i] for i in order], seed) == [sides[i] for i in order]


def test_each_kind_of_nearness_joins():
    events, words, values = frozenset((1, 2)), word_pairs("dump lsass with comsvcs"), frozenset(("a", "b"))
    left = alone(100, events=events, words=words, values=values)
    assert why_near(left, alone(101, events=frozenset((1, 2, 3)))) == "events"
    assert why_near(left, alone(101, words=word_pairs("Dump LSASS with Comsvcs.dll"))) == "words"
    assert why_near(left, alone(101, values=frozenset(("a",)))) == "values"
    assert why_near(left, alone(101)) is None


def test_a_leak_is_found_and_says_why():
    tasks = [alone(0, events=frozenset((1, 2))), alone(9), alone(2, events=frozenset((1, 2, 3)))]
    assert leaks(tasks, ["train", "train", "test"]) == [(0, 2, "events")]
    assert leaks(tasks, ["test", "train", "test"]) == []


def test_shares_are_about_seventy_ten_twenty():
    sides = Counter(assign([alone(n) for n in range(2000)]))
    assert 1340 < sides["train"] < 1460
    assert 150 < sides["validation"] < 250
    assert 340 < sides["test"] < 460


def test_a_seed_gives_another_partition_and_the_same_one_again():
    tasks = [alone(n) for n in range(50)]
    assert assign(tasks, 1) == assign(tasks, 1)
    assert assign(tasks, 1) != assign(tasks, 2)


def test_a_cluster_that_would_fill_a_small_part_is_for_training():
    crowd = [alone(n, words=frozenset(("same thing",))) for n in range(10)]
    assert all(assign(crowd + [alone(n) for n in range(10, 40)], seed)[:10] == ["train"] * 10 for seed in range(8))


def test_train_is_never_empty():
    assert all("train" in assign([alone(0), alone(1)], seed) for seed in range(20))
    assert assign([]) == []


def test_new_tasks_leave_most_others_where_they_are():
    tasks = [alone(n) for n in range(200)]
    assert assign(tasks) == assign([*tasks, alone(500), alone(501)])[:200]


class TestFewForTraining:
    def test_exactly_so_many_are_for_training_and_clusters_stay_whole(self) -> None:
        profiles = [alone(n, values=frozenset((f"value {n // 2}",))) for n in range(60)]
        sides = assign_few(profiles, 20, seed=3)
        assert sides.count("train") == 20
        assert not leaks(profiles, sides)
        assert set(sides) == {"train", "validation", "test"}
        assert sides == assign_few(profiles, 20, seed=3) != assign_few(profiles, 20, seed=4)

    def test_a_number_that_whole_clusters_cannot_make_is_refused(self) -> None:
        profiles = [alone(n, values=frozenset((f"value {n // 2}",))) for n in range(8)]
        with pytest.raises(ValueError, match="whole clusters"):
            assign_few(profiles, 3)
