"""Where Chainsaw 2.16.4 means something else than the Sigma specification: one switch per divergence.

A rule's meaning is a set of switches: none is the specification's, all of them Chainsaw's. Any subset is a meaning
too, so that a difference between the two can be traced to the few switches that make it.

Source: the behaviour of the released program, observed on rules and events of our own.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from sigma_env.errors import OptionError


class Switch(Enum):
    """One divergence; the value is what Chainsaw does, for people. `label` is the name they give on command lines."""

    PRECEDENCE = "'or' binds tighter than 'and'"
    CONDITION_GRAMMAR = "the condition is read as words: a missing ')' is accepted, 'AND' is 'and', 'not(x)' panics"
    INNER_WILDCARDS = "'*' and '?' inside a value are literal; in a plain value they also make it a cased search"
    QUESTION_MARK = "'?' is never one character: in front it makes the value a regular expression"
    NO_ESCAPES = r"a backslash escapes nothing: '\\' is two, '\*' is a backslash and a star"
    ASCII_CASE = "the rule's text is lower-cased, the event's in ASCII only: 'É' in a rule never meets 'É'"
    QUOTES_STRIPPED = "quotes around a whole plain value are taken off"
    NUMERIC_PREFIX = "a value that begins with '>', '<' or '=' is a numeric comparison, or does not load"
    STRICT_TYPES = "text only equals text, numbers only numbers, booleans only booleans"
    PRESENT_NULL = "null only equals a null that is there, never an absent field"
    MISSING = "a test on an absent field is neither true nor false, and its negation is false"
    STAR_IS_TEXT = "'*' matches any text, and nothing that is no text"
    AND_ORDER = "a conjunction is what its first part that is not true is"
    KEYWORDS = "a rule with keywords does not load, used or not"
    ONE_CONDITION = "a list of several conditions does not load"
    ONE_OF_NAME = "'1 of x' without star is true if any one field of x matches"
    ALL_OF_NAME = "'all of x' without star wants every value of x's only list"
    THEM = "'all of them' wants every element of a list of maps"
    OF_FORMS = "'any of', stars but the last, and 'of them' within an expression do not load"
    UNDERSCORE_NAMES = "names that begin with '_' are part of 'them', and do not load where they are used"
    NAME_CHARACTERS = "names and fields have ASCII letters, digits and '_ . # [ ]' only, a letter first"
    ALL_NEEDS_LIST = "'|all' on a single value does not load; on a list its values are of one type"
    MODIFIER_SET = "modifiers are a set without order: base64, base64offset, contains, endswith, re, startswith"
    FEW_MODIFIERS = "only contains, startswith, endswith, re, base64, base64offset and all load"
    NUMBERS_UNMODIFIED = "modifiers leave numbers, booleans and null as they are"
    RUST_REGEX = "regular expressions are Rust's: classes are Unicode's, outer '.*' is stripped and may panic"
    REPEATED_FIELD = "a field that stands twice in an element of a list of maps does not load"
    PRECONDITIONS = "a logsource only selects by provider and EventID; an unknown one selects every event"
    FIELD_MAPPING = "fields are those of the mapping file, or whole paths; of repeated elements the last counts"
    COUNT = "'count(f) by g' counts events per file, without timeframe"
    OTHER_AGGREGATIONS = "near, sum, avg, min and max do not load"
    CORRELATIONS = "correlations and filters are ignored; the rules they refer to fire by themselves"
    COLLECTIONS = "of a collection only the first part's header counts; reset and repeat do nothing"
    DESCRIPTION = "a rule without title or description does not load"
    HEADER_TYPES = "a header field of the wrong type does not load; an unknown level is info"
    YAML_CORE = "YAML has the types of 1.2: 'yes' is text; what is no YAML is ignored"
    DOCUMENT_SPLIT = "'---' before a line's end parts documents wherever it stands"
    WHOLE_FILE = "one bad document costs all rules of its file"
    EXCLUSIONS = "rules of some titles are never run"
    OPTIMISER = "an 'or' of three or more with a shared field becomes a table, which reorders tests and loses some"
    PANICS = "some values end the program while it loads"

    @property
    def label(self) -> str:
        """The switch as it is written on command lines, such as `and-order`."""
        return self.name.lower().replace("_", "-")


SIGMA: Final[frozenset[Switch]] = frozenset()
"""The specification's meaning."""

CHAINSAW: Final = frozenset(Switch)
"""Chainsaw's meaning."""

BY_NAME: Final = {"sigma": SIGMA, "chainsaw": CHAINSAW}

WHEN_READ: Final = frozenset(
    {
        Switch.CORRELATIONS,
        Switch.COLLECTIONS,
        Switch.DESCRIPTION,
        Switch.HEADER_TYPES,
        Switch.YAML_CORE,
        Switch.DOCUMENT_SPLIT,
        Switch.WHOLE_FILE,
    }
)
"""What is decided by a rule's file and header, before its detection is compiled."""


def switches_of(labels: Iterable[str]) -> frozenset[Switch]:
    """The switches of these labels.

    Raises:
        OptionError: a label is none.
    """
    known = {switch.label: switch for switch in Switch}
    wanted = list(labels)
    for label in wanted:
        if label not in known:
            raise OptionError(f"unknown switch {label!r}; there is {', '.join(known)}")
    return frozenset(known[label] for label in wanted)


def name_of(switches: frozenset[Switch]) -> str:
    """What results under these switches are kept as: 'sigma', 'chainsaw', or the labels joined by '+'."""
    for name, known in BY_NAME.items():
        if switches == known:
            return name
    return "+".join(sorted(switch.label for switch in switches))
