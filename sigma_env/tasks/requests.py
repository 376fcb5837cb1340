"""Requests made of a rule's own title and description, and how much of a rule a request discloses."""

import re
from typing import Final

from sigma_env.sigma.rule import Meta, Regex, Rule, Value
from sigma_env.sigma.text import parse_text
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.plan import MAX_REQUEST
from sigma_env.simulation.requests.grammar import grammar_words
from sigma_env.simulation.requests.topic import cleaned
from sigma_env.tasks.split import word_pairs

_EXCERPT: Final = re.compile(r"^ {4}\w+: .*$", re.MULTILINE)
_EDGES: Final = "\\/*?.\"' \t-"


def request_of(meta: Meta) -> str:
    """What an analyst would read of a rule: its title and description, without links and without parts of a rule.

    Returns:
        At most MAX_REQUEST characters; "" if the rule says nothing about itself.
    """
    paragraphs = [cleaned(meta.title), cleaned(meta.description or "")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    if len(text) <= MAX_REQUEST:
        return text
    return text[: MAX_REQUEST - 1].rsplit(maxsplit=1)[0] + "…"


def coverage(request: str, rule: Rule) -> float:
    r"""The share of a rule's written values that a request names, 0…1; 1 for a rule without any.

    A value counts as named if its text occurs in the request, without case, without wildcards and without the
    separators around it (`\\vssadmin.exe` is named by "vssadmin.exe"); a number if it stands alone. This is a lower
    bound of what is disclosed: words can describe a value without naming it.
    """
    said = request.lower()
    named = [_is_named(value, said) for test in field_tests(rule.condition) for value in test.values if _says(value)]
    return round(sum(named) / len(named), 3) if named else 1.0


def telling_pairs(request: str) -> frozenset[str]:
    """The pairs of neighbouring words of a request that say something about its rule.

    Left out are log excerpts, and pairs of words that simulated requests say about any rule: the personas' own
    sentences, names of logs and fields, comparisons. Without that, short requests of one persona would all be near to
    each other.
    """
    stock = grammar_words()
    return frozenset(pair for pair in word_pairs(_EXCERPT.sub("", request)) if not stock.issuperset(pair.split()))


def _says(value: Value) -> bool:
    return bool(_core(value))


def _core(value: Value) -> str:
    """What of a value a person would say; "" if nothing, as of null and of `*`."""
    written = value.written
    if written is None or isinstance(written, bool):
        return ""
    if not isinstance(written, str) or any(isinstance(pattern, Regex) for pattern in value.alternatives):
        return str(written)
    literals = [part.strip(_EDGES) for part in parse_text(written) if isinstance(part, str)]
    return max(literals, key=len, default="").lower()


def _is_named(value: Value, said: str) -> bool:
    core = _core(value)
    if isinstance(value.written, str) and not core.isdigit():
        return core in said
    return re.search(rf"(?<!\w){re.escape(core)}(?!\w)", said) is not None
