"""What a column promises: every search says what a plain look at each value would say."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.events import column as column_module
from sigma_env.events.column import SEP, Cell, Column, Scalar, build_parts, render

# Letters whose lower case is longer, or depends on place, or another letter's too; NUL, line ends, beyond the BMP.
AWKWARD = "aAbB\0\n\\*İßẞΣσςK\u212aéÉ\U0001f600\U00010400\u2028\ufffe"
texts = st.text(st.one_of(st.sampled_from(AWKWARD), st.characters()), max_size=6)
scalars: st.SearchStrategy[Scalar] = st.one_of(
    texts, st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.just("")
)
cells: st.SearchStrategy[Cell] = st.one_of(scalars, st.lists(scalars, max_size=3))


@st.composite
def sparse(draw: st.DrawFn) -> tuple[int, dict[int, Cell]]:
    """A number of rows, and the cells of some of them."""
    rows = draw(st.dictionaries(st.integers(0, 30), cells, max_size=12))
    return max(rows, default=-1) + 1 + draw(st.integers(0, 3)), dict(sorted(rows.items()))


def make(n_rows: int, by_row: dict[int, Cell]) -> Column:
    return Column("field", build_parts(n_rows, list(by_row), list(by_row.values())))


def well_formed(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def elements(cell: Cell) -> list[Scalar]:
    return [well_formed(v) if isinstance(v, str) else v for v in (cell if isinstance(cell, list) else [cell])]


@given(sparse())
def test_rows_give_back_what_was_put_in(given_cells: tuple[int, dict[int, Cell]]) -> None:
    n_rows, by_row = given_cells
    column = make(n_rows, by_row)
    assert column.n_rows == n_rows
    for row in range(n_rows):
        expected = elements(by_row[row]) if row in by_row else []
        got = column.typed_cells(row)
        assert got == expected
        assert [type(v) for v in got] == [type(v) for v in expected]
        assert column.cells(row) == [None if v is None else render(v)[0] for v in expected]


SEARCHES: dict[str, tuple[Callable[[bytes], bytes], Callable[[str, str], bool]]] = {
    "contains": (lambda n: n, lambda value, needle: needle in value),
    "startswith": (lambda n: SEP + n, lambda value, needle: value.startswith(needle)),
    "endswith": (lambda n: n + SEP, lambda value, needle: value.endswith(needle)),
    "equals": (lambda n: SEP + n + SEP, lambda value, needle: value == needle),
}


@pytest.mark.parametrize("search", SEARCHES)
@given(values=st.lists(texts, max_size=12), needle=texts, data=st.data())
def test_searches_say_what_python_says_of_each_value(
    search: str, values: list[str], needle: str, data: st.DataObject
) -> None:
    column = make(len(values), dict(enumerate(values)))
    if values and data.draw(st.booleans()):  # a piece of a value is likelier to be found
        value = data.draw(st.sampled_from(values))
        begin = data.draw(st.integers(0, len(value)))
        needle = value[begin : data.draw(st.integers(begin, len(value)))]
    needle = well_formed(needle)
    anchored, holds = SEARCHES[search]
    in_lower = anchored(needle.lower().encode())
    everything = range(column.n_values)
    expected = [c for c in everything if holds(column.value(c).lower(), needle.lower())]
    assert column.find_all(in_lower) == expected
    assert column.find_all(in_lower, among=everything) == expected
    as_written = [c for c in everything if holds(column.value(c), needle)]
    assert column.find_all(anchored(needle.encode()), cased=True) == as_written
    assert column.find_all(anchored(needle.encode()), cased=True, among=everything) == as_written


def phrases(count: int, seed: int) -> list[str]:
    words = ["cmd.exe", "Power", "Shell", "İstanbul", "straße", "ΣΑΣ", "\\Temp\\", "\0", "\n", "\U0001f600", "-enc", ""]
    rng = random.Random(seed)
    return ["".join(rng.choices(words, k=rng.randrange(6))) + str(rng.randrange(10**6)) * (i % 3) for i in range(count)]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("count", [300, 4_000, 30_000])
def test_a_large_column_with_a_trigram_table_finds_the_same(search: str, count: int) -> None:
    values = phrases(count, seed=count)
    column = make(count, dict(enumerate(values)))
    assert (column.parts.trigrams is not None) == (count > 300)
    anchored, holds = SEARCHES[search]
    lowered = [column.lower_value(c) for c in range(column.n_values)]
    rng = random.Random(search)
    for _ in range(60):
        value = rng.choice(lowered)
        begin = rng.randrange(len(value) + 1)
        needle = rng.choice([value[begin : begin + rng.randrange(12)], value[begin:], value[:begin], value, "zzz"])
        found = column.find_all(anchored(needle.encode()))
        assert found == [c for c, text in enumerate(lowered) if holds(text, needle)], needle


@given(
    values=st.lists(st.text("abİ", max_size=4), min_size=1, max_size=40),
    needle=st.text("abi\u0307", min_size=1, max_size=4),
)
def test_the_trigram_table_never_hides_a_value(values: list[str], needle: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_module, "_INDEX_FROM_BYTES", 0)
        patch.setattr(column_module, "_MIN_BLOCK_BYTES", 1)
        column = make(len(values), dict(enumerate(values)))
        for anchored, holds in SEARCHES.values():
            expected = [c for c in range(column.n_values) if holds(column.lower_value(c), needle)]
            assert column.find_all(anchored(needle.encode())) == expected


def test_values_equal_in_text_but_not_in_type_are_kept_apart() -> None:
    column = make(6, {0: "1", 1: 1, 2: True, 3: "true", 4: 1.5, 5: "1.5"})
    assert [column.typed_cells(row) for row in range(6)] == [["1"], [1], [True], ["true"], [1.5], ["1.5"]]
    assert len(column.find_all(SEP + b"1" + SEP)) == 2
    assert len(column.find_all(SEP + b"true" + SEP)) == 2


def test_absent_null_and_empty_differ() -> None:
    column = make(4, {0: None, 1: "", 2: []})
    assert [column.cells(row) for row in range(4)] == [[None], [""], [], []]
    assert column.rows_present == 0b0011
    assert column.rows_filled == 0b0010


@given(sparse())
def test_row_sets_agree_with_the_cells(given_cells: tuple[int, dict[int, Cell]]) -> None:
    n_rows, by_row = given_cells
    column = make(n_rows, by_row)
    rows = [column.cells(row) for row in range(n_rows)]
    assert column.rows_present == sum(1 << r for r, values in enumerate(rows) if values)
    assert column.rows_filled == sum(1 << r for r, values in enumerate(rows) if any(v is not None for v in values))
    for code in range(column.n_values):
        holding = [r for r in range(n_rows) if code in column.codes_in([r])]
        assert column.rows_with([code]) == sum(1 << r for r in holding)
        assert all(column.value(code) in rows[r] for r in holding)
    assert column.rows_with(range(column.n_values)) == column.rows_filled


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert make(1, {0: "a\ud800b"}).cells(0) == ["a\ufffd\ufffd\ufffdb"]


def test_values_are_sorted_so_that_like_ones_are_neighbours() -> None:
    column = make(5, dict(enumerate(["b", "A", "a", "É", "B"])))
    assert [column.value(c) for c in range(5)] == ["A", "a", "B", "b", "É"]
    assert np.array_equal(column.codes, [3, 0, 1, 4, 2])
