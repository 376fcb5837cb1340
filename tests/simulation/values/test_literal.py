"""Patterns keep the casing in which their author wrote them."""

import pytest

from sigma_env.sigma.rule import Glob, Text
from sigma_env.simulation.values import needs_of
from sigma_env.simulation.values.literal import cut_like
from tests.simulation.values.written import need, value


@pytest.mark.parametrize(
    ("written", "modifiers", "kept"),
    [
        ("\\PowerShell.exe", ("endswith",), "\\PowerShell.exe"),
        ("Invoke-Mimikatz", (), "Invoke-Mimikatz"),
        ("\\\\Server\\C$", ("startswith",), "\\Server\\C$"),
        ("Upper", ("cased", "contains"), "Upper"),
        (" -Enc ", ("windash", "contains"), " -Enc "),
        (445, (), "445"),
        ("10.0.0.0/8", ("cidr",), "10.0.0.0/8"),
        ("(?i)Foo", ("re",), "(?i)Foo"),
    ],
)
def test_casing_is_the_authors(written: str | int, modifiers: tuple[str, ...], kept: str) -> None:
    assert need(written, *modifiers).written == kept


def test_base64_keeps_its_casing() -> None:
    found = needs_of(value("http://", "base64offset", "contains"))
    assert [one.written for one in found] == ["aHR0cDovL", "h0dHA6Ly", "odHRwOi8v"]
    assert [one.pattern for one in found] == [Text("contains", one.written.lower()) for one in found]


def test_wide_base64_keeps_its_casing() -> None:
    (first, *_) = needs_of(value("IEX", "wide", "base64offset", "contains"))
    assert first.written == "SQBFAFgA"[: len(first.written)]
    assert first.pattern == Text("contains", first.written.lower())


def test_every_dash_of_windash_is_a_need() -> None:
    spellings = {one.written for one in needs_of(value(" -Enc", "windash", "contains"))}
    assert spellings == {f" {dash}Enc" for dash in "-/–—―"}


def test_wildcard_patterns_are_cut_in_the_authors_casing() -> None:
    found = need("C:\\Users\\\\*\\Temp?.EXE")
    assert isinstance(found.pattern, Glob)
    assert [part for part in cut_like(found.pattern, found.written) if isinstance(part, str)] == [
        "C:\\Users\\",
        "\\Temp",
        ".EXE",
    ]


def test_letters_that_lower_case_makes_longer_stay_right() -> None:
    found = need("İ*Tail")
    assert isinstance(found.pattern, Glob)
    assert cut_like(found.pattern, found.written) == found.pattern.parts
