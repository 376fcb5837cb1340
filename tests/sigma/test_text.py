from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.types import SigmaString, SpecialChars

from sigma_env.sigma.rule import AnyText, Glob, Text, Wildcard
from sigma_env.sigma.text import parse_text, pattern_of

TEXTS = st.text(st.sampled_from("ab*?\\éΣ -/")) | st.text()
PARTS = st.lists(st.sampled_from([*Wildcard]) | st.sampled_from(["", "a", "B", "ab"]), max_size=8).map(tuple)


@settings(deadline=None)
@given(TEXTS)
def test_wildcards_and_escapes_are_those_of_pysigma(text: str) -> None:
    signs = {SpecialChars.WILDCARD_MULTI: Wildcard.MANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
    theirs = tuple(part if isinstance(part, str) else signs[part] for part in SigmaString(text).s)  # type: ignore[index]
    assert parse_text(text) == theirs


def says(parts: tuple[str | Wildcard, ...]) -> list[str | Wildcard]:
    """One element for each character or wildcard; runs of MANY are one."""
    flat: list[str | Wildcard] = []
    for part in parts:
        if part is not Wildcard.MANY or flat[-1:] != [Wildcard.MANY]:
            flat.extend(part if isinstance(part, str) else [part])
    return flat


@settings(deadline=None)
@given(PARTS)
def test_the_simplest_pattern_says_the_same(parts: tuple[str | Wildcard, ...]) -> None:
    pattern = pattern_of(parts, cased=True)
    many = Wildcard.MANY
    match pattern:
        case Text("equals", text):
            said: tuple[str | Wildcard, ...] = (text,)
        case Text("startswith", text):
            said = (text, many)
        case Text("endswith", text):
            said = (many, text)
        case Text("contains", text):
            said = (many, text, many)
        case AnyText():
            said = (many,)
        case Glob(glob):
            said = glob
            assert all(not (isinstance(one, str) and isinstance(two, str)) for one, two in pairwise(glob))
            assert all((one, two) != (many, many) for one, two in pairwise(glob))
            assert Wildcard.ONE in glob or len([part for part in glob if isinstance(part, str)]) > 1
    assert says(said) == says(parts)
