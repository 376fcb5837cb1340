"""Leaves of the native engine: a pattern over a column's distinct values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.engines.evaluator import glob_holds, value_holds
from sigma_env.engines.patterns import (
    codes_of,
    glob_to_regex,
    parse_address,
    parse_network,
    parse_number,
    required_literal,
    stays_within_values,
)
from sigma_env.events.column import Column, build_parts
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import AnyText, Cidr, Compare, Glob, Pattern, Regex, Text, Wildcard

ALPHABET = "aAbB\\/ .*?-éÉİſKß\n01x"
words = st.text(ALPHABET, max_size=8)
OPS = st.sampled_from(["equals", "startswith", "endswith", "contains"])
parts = st.lists(
    st.one_of(st.sampled_from(list(Wildcard)), st.text(ALPHABET, min_size=1, max_size=3)), min_size=1, max_size=6
)


def column_of(values: list[str]) -> Column:
    return Column("F", build_parts(len(values), range(len(values)), values))


def text_pattern(op: str, text: str, cased: bool) -> Pattern:
    return Text(op, text if cased else text.lower(), cased)  # type: ignore[arg-type]


EXPRESSIONS = st.sampled_from(
    ["a", "^a", "b$", "a.b", "(?:a|b)+x", "[^a]b", "k1", "S", r"ab\\", "[^a]", ".", r"\w", r"\W", r"\ba\b", r"\B",
     r"[^\w]$", "a*", "(?:a|^)b", r"[^\s\S]", r"\x{e9}", "..", "(?s:.)b", r"\D.\D", "É|İ", r"\PN",
     "a{2,}", r"\AA", r"b\z"]
)  # fmt: skip


def glob(pattern: list[str | Wildcard], cased: bool) -> Glob:
    return Glob(tuple(p if cased or isinstance(p, Wildcard) else p.lower() for p in pattern), cased)


patterns: st.SearchStrategy[Pattern] = st.one_of(
    st.builds(text_pattern, OPS, words.filter(bool), st.booleans()),
    st.just(AnyText()),
    st.builds(glob, parts, st.booleans()),
    st.builds(Regex, EXPRESSIONS, st.sampled_from(["", "i", "s", "im"])),
    st.builds(Compare, st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(-2, 20)),
    st.builds(Cidr, st.sampled_from(["10.0.0.0/8", "::/0", "fe80::/10"])),
)
special = st.sampled_from(["10.1.2.3", "::ffff:10.0.0.1", "0x10", "17", "fe80::1%3"])


@given(
    st.lists(
        st.one_of(words, st.sampled_from(["10.1.2.3", "::ffff:10.0.0.1", "0x10", "17", "fe80::1%3"])),
        min_size=1,
        max_size=20,
    ),
    patterns,
)
def test_a_pattern_finds_the_values_that_it_accepts_one_by_one(values: list[str], pattern: Pattern) -> None:
    column = column_of(values)
    expected = {c for c in range(column.n_values) if value_holds(pattern, column.value(c))}
    found = list(codes_of(pattern, column))
    assert set(found) == expected
    assert len(found) == len(expected)


@given(st.lists(words, min_size=1, max_size=20), patterns, st.sets(st.integers(0, 19)))
def test_candidates_only_narrow_the_search(values: list[str], pattern: Pattern, wanted: set[int]) -> None:
    column = column_of(values)
    candidates = {c for c in wanted if c < column.n_values}
    expected = {c for c in candidates if value_holds(pattern, column.value(c))}
    assert set(codes_of(pattern, column, candidates)) & candidates == expected


@given(parts, words)
def test_a_wildcard_pattern_and_its_regular_expression_agree(pattern: list[str | Wildcard], text: str) -> None:
    program = compile_regex(rf"\A{glob_to_regex(tuple(pattern))}\z", "s")
    assert (program.search(text) is not None) == glob_holds(pattern, text)


@pytest.mark.parametrize(
    ("expression", "literal"),
    [
        ("mimikatz", "mimikatz"),
        (r"foo\.exe", "foo.exe"),
        (r"\\Temp\\[a-z]{3}\.tmp", "\\Temp\\"),
        ("abc?d", "ab"),
        ("abc+d", "abc"),
        ("ab|cdef", ""),
        ("(ab|cd)efg", "efg"),
        ("a(bcdef)?gh", "gh"),
        ("ab{0}cd", "cd"),
        ("[[:alpha:]]]abc", "abc"),
        (r"[]abc]x", "x"),
        (r"\x41bcdef", ""),
        (r"\bword\b", "word"),
        ("(?i)power", "power"),
        (r"a\Qb*\E", ""),
    ],
)
def test_required_literal(expression: str, literal: str) -> None:
    assert required_literal(expression) == literal


atoms = st.sampled_from(["a", "b", "k", ".", "[ab]", r"\.", "(ab)", "(a|b)", "(?:ba)", r"\d", "[^a]", r"\w", "ab", "|"])
quantified = st.tuples(atoms, st.sampled_from(["", "", "?", "*", "+", "{0}", "{1,2}", "*?"])).map(
    lambda pair: pair[0] if pair[0] == "|" else "".join(pair)
)


@given(st.lists(quantified, min_size=1, max_size=6).map("".join), st.text("abk.1", max_size=8))
def test_whatever_an_expression_matches_contains_its_required_literal(expression: str, text: str) -> None:
    if compile_regex(expression).search(text) is not None:
        assert required_literal(expression) in text


NUMBERS = {"10": 10, "0x1f": 31, "0X1F": 31, "-4": -4, " 7 ": 7, "1.5": 1.5, "1e3": 1000.0}
NO_NUMBERS = ["", "-", "0x", "1_000", "ten", "nan", "inf", "9" * 500, "0x_1", "٣"]


@pytest.mark.parametrize(("text", "number"), [*NUMBERS.items(), *((text, None) for text in NO_NUMBERS)])
def test_numbers_are_decimal_or_hexadecimal(text: str, number: int | float | None) -> None:
    assert parse_number(text) == number


def test_mapped_addresses_count_as_ipv4() -> None:
    assert parse_address("::ffff:10.0.0.7") == parse_address("10.0.0.7")
    assert parse_address("fe80::1%12") == parse_address("fe80::1")
    assert parse_address("10.0.0.256") is None
    assert parse_network("::ffff:10.0.0.0/104") == parse_network("10.0.0.0/8")


@pytest.mark.parametrize("expression", ["a", ".", "[^a]", r"\\", r"\^", r"\$", "[^ab]", r"\b"])
def test_expressions_that_mean_the_same_on_joined_values(expression: str) -> None:
    assert stays_within_values(expression)


@pytest.mark.parametrize("expression", ["^a", "a$", r"\Aa", r"a\z", "(a|$)", r"\C", "[a^]", r"\Q^\E", r"\\^"])
def test_expressions_that_may_not_mean_the_same(expression: str) -> None:
    assert not stays_within_values(expression)


@pytest.mark.parametrize("values", [["a"], ["a", "b"], ["", "a"], [""], ["-", "-a"]])
@pytest.mark.parametrize("expression", [r"\B", r"\b", "a*", ""])
def test_empty_matches_at_the_edges_of_joined_values(values: list[str], expression: str) -> None:
    column = column_of(values)
    pattern = Regex(expression)
    expected = {c for c in range(column.n_values) if value_holds(pattern, column.value(c))}
    assert set(codes_of(pattern, column)) == expected
