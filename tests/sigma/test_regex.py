from __future__ import annotations

import pytest

from sigma_env.sigma.errors import InvalidRule, TooComplex
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.regex import _Kept, check_regex, compile_regex


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [
        ("(?=a)b", "look-ahead ('(?=')"),
        ("a(?!b)", "look-ahead ('(?!')"),
        ("(?<=a)b", "look-behind ('(?<=')"),
        ("(?<!a)b", "look-behind ('(?<!')"),
        (r"(a)\1", r"back-reference ('\1')"),
        (r"(?P<n>a)(?P=n)", "back-reference or recursion by name ('(?P')"),
        (r"(?<n>a)\k<n>", r"back-reference ('\k')"),
        ("a++", "possessive repetition ('++')"),
        ("a{1,2}+", "possessive repetition ('{1,2}+')"),
        ("(?>a)", "atomic group ('(?>')"),
        ("(a)?(?(1)b)", "conditional group ('(?(')"),
        ("(?R)", "recursion ('(?R')"),
    ],
)
def test_what_linear_time_cannot_serve_is_named(pattern: str, construct: str) -> None:
    with pytest.raises(InvalidRule) as error:
        check_regex(pattern, "", ANSWER_LIMITS)
    assert f"{construct} is not served" in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "missing )"),
        ("[a", "missing ]"),
        ("*", "no argument for repetition operator: *"),
        ("a**", "bad repetition operator: **"),
        (r"\Z", r"invalid escape sequence: \Z"),
        ("[z-a]", "invalid character class range: z-a"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_what_is_no_expression_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        check_regex(pattern, "", ANSWER_LIMITS)
    assert problem in str(error.value)


@pytest.mark.parametrize("pattern", [r"\pL{300}", r"[\p{L}]{1000}", r"(?:\pL\pN){9}", r"(.{99}){9}(.{99}){9}"])
def test_what_compiles_to_too_much_is_too_complex(pattern: str) -> None:
    with pytest.raises(TooComplex, match=r"is too large|instructions; at most 10000"):
        check_regex(pattern, "", ANSWER_LIMITS)


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "found"),
    [
        ("b", "", "abc", True),
        ("B", "", "abc", False),
        ("B", "i", "abc", True),
        ("a.c", "", "a\nc", False),
        ("a.c", "s", "a\nc", True),
        ("a$", "", "a\n", False),
        ("^b", "", "a\nb", False),
        ("^b", "m", "a\nb", True),
        (r"\w", "", "é", False),
        (r"\d", "", "٣", False),
        (r"^.$", "", "é", True),
        ("É", "i", "é", True),
        ("(?i)B", "", "b", True),
    ],
)
def test_expressions_mean_what_the_documents_say(pattern: str, flags: str, text: str, found: bool) -> None:
    assert (compile_regex(pattern, flags).search(text) is not None) is found


def test_the_hardest_expression_of_sigmahq_is_within_the_caps() -> None:
    check_regex(".{1000,}", "", ANSWER_LIMITS)


def test_what_is_kept_of_compiled_expressions_is_bounded_by_size() -> None:
    kept = _Kept(entries=4, instructions=200)
    programs = [kept.get(f"literal{i}", "") for i in range(10)]
    assert len(kept._programs) <= 4
    assert kept._total == sum(program.programsize for program in kept._programs.values()) <= 200
    assert kept.get("literal9", "") is programs[9]
    large = kept.get("x{500}", "")
    assert large.programsize > 100
    assert kept.get("x{500}", "") is not large


def test_the_latest_used_expression_is_forgotten_last() -> None:
    kept = _Kept(entries=2, instructions=10_000)
    first = kept.get("a", "")
    kept.get("b", "")
    assert kept.get("a", "") is first
    kept.get("c", "")
    assert kept.get("a", "") is first
