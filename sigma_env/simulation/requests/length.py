"""Whether a rule's facts fit into a request."""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.requests.prose import FactWriter, Style
from sigma_env.simulation.requests.voices import PERSONAS, voice

MOST_FACTS: Final = 3_400
"""Characters of a request that say what to detect; the rest is for the persona."""

_SURELY_SHORT: Final = 2_000
_WORDS_OF_LINE: Final = 110
_WORDS_OF_VALUE: Final = 12
_SLACK: Final = 60

T = TypeVar("T")


def fits(rule: Rule) -> bool:
    """Whether any persona can say all that a rule says."""
    return _at_most(rule) <= _SURELY_SHORT or longest(rule) <= MOST_FACTS


def longest(rule: Rule) -> int:
    """Characters that a rule's facts can have, whoever tells them."""
    return len(FactWriter(_longest_style(), rule.logsource.category, _Longest()).facts(rule)) + _SLACK


def _at_most(rule: Rule) -> int:
    """A rough upper bound, in no time."""
    tests = list(field_tests(rule.condition))
    values = sum(len(str(value.written)) + _WORDS_OF_VALUE for test in tests for value in test.values)
    return values + _WORDS_OF_LINE * len(tests)


class _Longest(random.Random):
    """Always takes the longest way to say a thing."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]  # texts only
        return max(seq, key=lambda text: len(str(text)))


def _longest_style() -> Style:
    styles = [voice(persona).style for persona in PERSONAS]
    return Style(
        quote=0,
        names=False,
        bullet="1.",
        sentence=0,
        log=tuple(text for style in styles for text in style.log),
        match=tuple(text for style in styles for text in style.match),
        exclude=tuple(text for style in styles for text in style.exclude),
    )
