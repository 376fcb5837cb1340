"""Texts of RE2 expressions."""

import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import Regex
from sigma_env.simulation.values.regex_syntax import UnreadRegex, parse
from sigma_env.simulation.values.regex_text import write_text
from tests.simulation.values.conftest import Line


def test_every_expression_of_the_windows_rules_gets_a_text(windows_lines: list[Line]) -> None:
    found = {p for line in windows_lines for value in line.test.values for p in value.alternatives}
    expressions = sorted(p for p in found if isinstance(p, Regex))
    assert len(expressions) > 120
    for expression in expressions:
        for seed in range(3):
            written = write_text(expression, random.Random(seed))
            assert written is not None, expression
            assert compile_regex(*expression).search(written.text) is not None


@pytest.mark.parametrize(
    ("expression", "flags"),
    [
        ("^ab$", ""),
        ("a{3,5}b+c?", ""),
        ("(?i)x(?-i:Y)z", ""),
        (r"\bfoo\b", ""),
        (r"foo\B", ""),
        (r"[^\\/]+\.exe$", ""),
        (r"[[:alpha:]]{4}[^[:digit:]]", ""),
        (r"\Qa.b*c\E+", ""),
        (r"\x41\x{1F600}\n\t", ""),
        ("^b", "m"),
        ("a.b", "s"),
        ("(?P<name>x|y)|z", ""),
        ("(a|b|)*c", "i"),
        ("(?:a{2}){3}", ""),
        (r"[]a-]", ""),
        (r"\d{1,3}(?:\.\d{1,3}){3}", ""),
    ],
)
def test_constructs(expression: str, flags: str) -> None:
    for seed in range(5):
        written = write_text(Regex(expression, flags), random.Random(seed))
        assert written is not None
        assert compile_regex(expression, flags).search(written.text) is not None


def test_anchors_say_where_the_text_must_stand() -> None:
    rng = random.Random(1)
    both, begin, neither = (write_text(Regex(e), rng) for e in ("^ab$", "^ab", "ab"))
    assert both is not None
    assert begin is not None
    assert neither is not None
    assert [(one.text, one.begins, one.ends) for one in (both, begin, neither)] == [
        ("ab", True, True),
        ("ab", True, False),
        ("ab", False, False),
    ]


def test_what_cannot_match_has_no_text() -> None:
    assert write_text(Regex("a^b"), random.Random(1)) is None


def test_unicode_classes_are_named() -> None:
    with pytest.raises(UnreadRegex, match="pL"):
        parse(r"a\pL")
    assert write_text(Regex(r"\pL"), random.Random(1)) is None


atoms = st.sampled_from(
    ["a", "B", "7", r"\d", r"\w", r"\s", ".", "[a-f]", "[^a]", r"\.", r"\\", "(?:x|yz)", "(q)", r"[\d_]", "é"]
)
repeats = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "*?"])
sequences = st.lists(st.tuples(atoms, repeats).map("".join), min_size=1, max_size=6).map("".join)


@given(
    st.lists(sequences, min_size=1, max_size=3).map("|".join), st.sampled_from(["", "i", "s", "im"]), st.integers(0, 99)
)
def test_any_expression_of_known_parts_gets_a_text(expression: str, flags: str, seed: int) -> None:
    written = write_text(Regex(expression, flags), random.Random(seed))
    assert written is not None
    assert compile_regex(expression, flags).search(written.text) is not None


@pytest.mark.parametrize("expression", [r"\bi(fm)?\b.*\bcr(eate)?\b", r"\bnet1?\b.+\buser\b", r"\bsc\b\s+\bstop\b"])
def test_words_between_boundaries_do_not_run_together(expression: str) -> None:
    for seed in range(20):
        assert write_text(Regex(expression, ""), random.Random(seed)) is not None


def test_what_is_written_like_an_address_is_one() -> None:
    for seed in range(60):
        written = write_text(Regex(r"192\.168\.\d{3}\.\d{2}|10\.\d{1,3}\.\d{1,3}\.\d{1,3}", ""), random.Random(seed))
        assert written is not None
        ipaddress.IPv4Address(written.text)
