"""Every cap on what a rule may cost to read and run, in one place.

A rule of a model is hostile input: each number bounds some work that grows faster than the text,
or that no real rule needs. In brackets, the largest value of SigmaHQ's 2,858 Windows rules.
"""

from dataclasses import dataclass
from typing import Final

RE2_MEMORY: Final = 8 << 20
"""Bytes for one compiled expression, RE2's own default: with less, its automaton is rebuilt all the time
(`.{1000,}`, a real pattern, is then 100 times slower)."""

RE2_MEMORY_OF_PLAIN: Final = 1 << 20
"""The same for an expression without counted repetition and Unicode classes: some hundred are kept at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one rule. What passes one is `too_complex`.

    Attributes:
        text_bytes: UTF-8 bytes of the text [295,078].
        yaml_depth: Nesting of mappings and lists [5]; deeper nesting has no meaning in Sigma.
        yaml_nodes: Scalars, lists and mappings of a document [4,470].
        number_chars: Characters of a number. Longer ones take quadratic time to read, and Python refuses to print them.
        logsource_chars: Characters of a category, product or service [42]; they are keys of caches.
        selections: Named selections [34].
        field_tests: Fields over all selections [93]; each costs a look-up in the events.
        values: Written values [4,432]; each costs a search in the events.
        field_chars: Characters of a field's name [39].
        modifiers: Modifiers of one field [3]; encodings chained make a text grow exponentially.
        pattern_chars: Characters of a value, before and after encoding [217].
        wildcards: `*` and `?` in one value [4]; matching takes time for each.
        alternatives: Patterns that one value stands for [25]; windash makes up to 125, base64offset 3 each time.
        patterns: Alternatives of all values together [4,432].
        conditions: Conditions in a list [1].
        condition_chars: Characters of one condition [542].
        condition_depth: Nesting of parentheses and `not` [5]; the parser recurses.
        condition_leaves: Selections that the conditions name, each time that they do [34]; `1 of x*`
            repeated names all selections each time.
        regex_chars: Characters of a regular expression [141].
        regex_program: Instructions of a compiled expression [8,005]; a search takes time for each.
        regexes: Regular expressions [19].
    """

    text_bytes: int
    yaml_depth: int
    yaml_nodes: int
    number_chars: int
    logsource_chars: int
    selections: int
    field_tests: int
    values: int
    field_chars: int
    modifiers: int
    pattern_chars: int
    wildcards: int
    alternatives: int
    patterns: int
    conditions: int
    condition_chars: int
    condition_depth: int
    condition_leaves: int
    regex_chars: int
    regex_program: int
    regexes: int


RULE_LIMITS: Final = Limits(
    text_bytes=4 << 20,
    yaml_depth=32,
    yaml_nodes=200_000,
    number_chars=512,
    logsource_chars=128,
    selections=500,
    field_tests=5_000,
    values=50_000,
    field_chars=256,
    modifiers=8,
    pattern_chars=8_192,
    wildcards=64,
    alternatives=250,
    patterns=50_000,
    conditions=50,
    condition_chars=8_192,
    condition_depth=50,
    condition_leaves=10_000,
    regex_chars=2_048,
    regex_program=10_000,
    regexes=500,
)
"""For rules that a user brings. They admit every SigmaHQ Windows rule."""

ANSWER_LIMITS: Final = Limits(
    text_bytes=64 << 10,
    yaml_depth=32,
    yaml_nodes=8_000,
    number_chars=512,
    logsource_chars=128,
    selections=100,
    field_tests=500,
    values=2_000,
    field_chars=256,
    modifiers=8,
    pattern_chars=4_096,
    wildcards=32,
    alternatives=250,
    patterns=4_000,
    conditions=20,
    condition_chars=4_096,
    condition_depth=50,
    condition_leaves=1_000,
    regex_chars=1_024,
    regex_program=10_000,
    regexes=20,
)
"""For a model's answers. They admit all but the SigmaHQ Windows rules that are long lists of indicators."""
