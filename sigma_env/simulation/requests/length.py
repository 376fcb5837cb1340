"""Whether a rule's facts fit into a request."""

from typing import Final

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests

MOST_FACTS: Final = 3_400
"""Characters of a request that say what to detect; the rest is for the persona."""
_WORDS_OF_LINE: Final = 45
_WORDS_OF_VALUE: Final = 5


def fits(rule: Rule) -> bool:
    """Whether all that a rule says can be said in a request."""
    tests = list(field_tests(rule.condition))
    values = sum(len(str(value.written)) + _WORDS_OF_VALUE for test in tests for value in test.values)
    return values + _WORDS_OF_LINE * len(tests) <= MOST_FACTS
