"""A model's text → the rule it gives, or why it gives none. Never raises: every text has a status."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from sigma_env.sigma.errors import FaultStatus, RuleError, UnsupportedRule
from sigma_env.sigma.limits import ANSWER_LIMITS, Limits
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.yaml import load_mapping

Status: TypeAlias = FaultStatus | Literal["ok", "abstained"]
STATUSES: Final[tuple[Status, ...]] = (
    "no_rule",
    "bad_yaml",
    "invalid_rule",
    "too_complex",
    "unsupported",
    "ok",
    "abstained",
)
ABSTENTION: Final = "not_detectable: true"
"""The whole answer of one who says that the logs cannot show what is asked for; it may stand in a fenced block."""

_ABSTENTION: Final = re.compile(rf"{ABSTENTION}|(`{{3,}}|~{{3,}})(?:yaml|yml)?[ \t]*\n{ABSTENTION}[ \t]*\n\1")
_FINAL_CHANNEL: Final = re.compile(r"<\|channel\|>\s*final\b[^<\n]*(?:<\|constrain\|>[^<\n]*)?<\|message\|>")
_CHANNEL: Final = "<|channel|>"
_END_OF_MESSAGE: Final = re.compile(r"<\|(?:return|end|call|start|channel)\|>")
_THINK: Final = "<think>"
_END_OF_THINK: Final = "</think>"

_FENCE: Final = re.compile(r"([ \t]*)(`{3,}|~{3,})([^\n]*)")
_YAML_NAMES: Final = frozenset({"yaml", "yml", "sigma"})
_RULE_KEY: Final = re.compile(r"^(?:logsource|detection)[ \t]*:", re.MULTILINE)
_BARE_START: Final = re.compile(
    r"^(?:\{|(?:title|id|name|taxonomy|related|status|description|license|author|references|date|modified|tags|scope"
    r"|fields|falsepositives|level|correlation|filter|logsource|detection)[ \t]*:)",
    re.MULTILINE,
)
# A line between paragraphs, which models also write after the rule; YAML would begin a second document.
_TRAILING_LINE: Final = re.compile(r"\n-{3,}\s*\Z")
# After a blank line, text at the margin that is no key, list item, comment or closing bracket.
_PROSE_AFTER: Final = re.compile(r"\n[ \t]*\n(?=[^\s#\-}\]])(?![\w.\-]+[ \t]*:(?:\s|$))")


class Answer(NamedTuple):
    """What a text says as an answer.

    Attributes:
        status: "ok", or why there is no rule that can be run: a fault, or that the answer says there can be none.
        rule: The rule if `status` is "ok". If it is "unsupported", what is served of the rule, which
            selects at least its events and is good for its logsource only; None for other documents.
        logsource: The logsource, for "ok" and "unsupported", as far as there is one.
        reason: For a person: what is wrong, where, and how to mend it. None if `status` is "ok".
        yaml_text: The text that was read as YAML, None if there was none.
    """

    status: Status
    rule: Rule | None = None
    logsource: LogSource | None = None
    reason: str | None = None
    yaml_text: str | None = None


def parse_answer(text: str, limits: Limits = ANSWER_LIMITS) -> Answer:
    """Read a model's text as a rule.

    The answer is what follows the last `</think>`, or the final channel (harmony). Its rule is the
    last fenced YAML block: fences of backticks or tildes, named yaml, yml or sigma, or nameless
    around a `logsource:` or `detection:`. Without any such block, bare YAML counts: from the first line
    that begins with a key of Sigma or `{`, to the text after a blank line that is no YAML.
    Only `logsource` and `detection` are read; other keys do no harm.

    Args:
        text: Any text.
        limits: Caps on the rule.
    """
    final, fault = final_text(text)
    if final is None:
        return Answer("no_rule", reason=fault)
    if _ABSTENTION.fullmatch(final.strip()):
        return Answer("abstained", reason="the answer says that the logs cannot show it", yaml_text=ABSTENTION)
    yaml_text = find_yaml(final)
    if yaml_text is None or not yaml_text.strip():
        reason = "the answer holds no YAML; write the rule in a block that begins with ```yaml and ends with ```"
        return Answer("no_rule", reason=reason)
    try:
        rule = parse_rule(load_mapping(yaml_text, limits), limits)
    except UnsupportedRule as error:
        return Answer("unsupported", error.rule, error.logsource, str(error), yaml_text)
    except RuleError as error:
        return Answer(error.status, reason=str(error), yaml_text=yaml_text)
    return Answer("ok", rule, rule.logsource, None, yaml_text)


def final_text(text: str) -> tuple[str | None, str | None]:
    """The part of a text that is the answer, or None and why there is none."""
    if _CHANNEL in text:
        messages = list(_FINAL_CHANNEL.finditer(text))
        if not messages:
            return None, "the text has no final channel: it ended while the model was still thinking"
        text = text[messages[-1].end() :]
        if end := _END_OF_MESSAGE.search(text):
            text = text[: end.start()]
    _, _, text = text.rpartition(_END_OF_THINK)
    if _THINK in text:
        return None, "<think> is not closed: the text ended while the model was still thinking"
    if not text.strip():
        return None, "the answer is empty"
    return text, None


def find_yaml(text: str) -> str | None:
    """The YAML of an answer: its last fenced block, or what is bare; None if there is neither."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    blocks, outside = _blocks(text)
    if not blocks:
        return _bare(text)
    named = [body for name, body in blocks if name in _YAML_NAMES or (not name and _RULE_KEY.search(body))]
    if named:
        return named[-1]
    bare = _bare(outside)
    nameless = [body for name, body in blocks if not name and body.strip()]
    return bare if bare is not None or not nameless else nameless[-1]


def _blocks(text: str) -> tuple[list[tuple[str, str]], str]:
    """The fenced blocks, as (name in lower case, body without the fence's indentation), and the text around them.

    As in CommonMark, a block ends with a fence of the same character that is at least as long and has
    no name, or with the text.
    """
    blocks: list[tuple[str, str]] = []
    outside: list[str] = []
    at = 0
    opening: re.Match[str] | None = None
    for fence in _fences(text):
        if opening is None:
            if fence[2][0] == "`" and "`" in fence[3]:
                continue  # code within a line
            outside.append(text[at : fence.start()])
            opening, at = fence, fence.end() + 1
        elif fence[2].startswith(opening[2]) and not fence[3].strip():
            blocks.append((_block_name(opening), _dedented(text[at : fence.start()], opening[1])))
            opening, at = None, fence.end() + 1
    if opening is None:
        outside.append(text[at:])
    else:
        blocks.append((_block_name(opening), _dedented(text[at:], opening[1])))
    return blocks, "".join(outside)


def _fences(text: str) -> Iterator[re.Match[str]]:
    """The lines that begin with three backticks or tildes, after any indentation."""
    at = 0
    while True:
        ticks, tildes = text.find("```", at), text.find("~~~", at)
        at = min(ticks, tildes) if ticks >= 0 and tildes >= 0 else max(ticks, tildes)
        if at < 0:
            return
        if fence := _FENCE.match(text, text.rfind("\n", 0, at) + 1):
            yield fence
        at = text.find("\n", at)
        if at < 0:
            return


def _block_name(opening: re.Match[str]) -> str:
    words = opening[3].split(maxsplit=1)
    return words[0].lower() if words else ""


def _dedented(body: str, indentation: str) -> str:
    if not indentation:
        return body
    return "\n".join(line.removeprefix(indentation) for line in body.split("\n"))


def _bare(text: str) -> str | None:
    start = _BARE_START.search(text)
    if start is None:
        return None
    bare = text[start.start() :]
    if end := _PROSE_AFTER.search(bare):
        bare = bare[: end.start() + 1]
    return _TRAILING_LINE.sub("\n", bare)
