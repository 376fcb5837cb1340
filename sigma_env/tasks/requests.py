"""Requests made of a rule's own title and description, and how much of a rule a request discloses."""

import re
from typing import Final

from sigma_env.sigma.rule import Meta, Regex, Rule, Value
from sigma_env.sigma.text import parse_text
from sigma_env.sigma.tree import field_tests
from sigma_env.tasks.task import MAX_REQUEST

_FENCED: Final = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]\n]*)\]\(\s*[a-z]+://[^)\s]*\s*\)", re.IGNORECASE)
_URL: Final = re.compile(r"[(<\[]?\b(?:https?|ftp|hxxps?)://[^\s)>\]]+[)>\]]?", re.IGNORECASE)
_RULE_LINE: Final = re.compile(
    r"^[ \t]*-?[ \t]*(?:logsource|detection|condition|timeframe|selection\w*|filter\w*|keywords)[ \t]*:.*$"
    r"|^[ \t]*-?[ \t]*\w+(?:\|\w+)+[ \t]*:.*$",
    re.MULTILINE,
)
_REFERENCES: Final = re.compile(
    r"^[ \t]*(?:references?|links?|see also|sources?)[ \t]*:?[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_SPACES: Final = re.compile(r"[ \t]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_EDGES: Final = "\\/*?.\"' \t-"


def request_of(meta: Meta) -> str:
    """What an analyst would read of a rule: its title and description, without links and without parts of a rule.

    Returns:
        At most MAX_REQUEST characters; "" if the rule says nothing about itself.
    """
    paragraphs = [_prose(meta.title), _prose(meta.description or "")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    if len(text) <= MAX_REQUEST:
        return text
    return text[: MAX_REQUEST - 1].rsplit(maxsplit=1)[0] + "…"


def _prose(text: str) -> str:
    text = text.replace("\r\n", "\n")
    for noise in (_FENCED, _RULE_LINE, _REFERENCES):
        text = noise.sub("", text)
    text = _URL.sub("", _LINK.sub(r"\1", text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def coverage(request: str, rule: Rule) -> float:
    r"""The share of a rule's written values that a request names, 0…1; 1 for a rule without any.

    A value counts as named if its text occurs in the request, without case, without wildcards and without the
    separators around it (`\\vssadmin.exe` is named by "vssadmin.exe"); a number if it stands alone. This is a lower
    bound of what is disclosed: words can describe a value without naming it.
    """
    said = request.lower()
    named = [_is_named(value, said) for test in field_tests(rule.condition) for value in test.values if _says(value)]
    return round(sum(named) / len(named), 3) if named else 1.0


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
