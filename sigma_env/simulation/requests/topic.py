"""What a rule says about itself, in prose: without links, and without parts of a rule."""

import re
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Meta

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

_DETECTS: Final = re.compile(r"(?:this rule |rule to )?(?:detects?|identif(?:y|ies)|looks? for)[: ]+", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"(?:when|if|that) ", re.IGNORECASE)
_VERBAL: Final = re.compile(r"(?:whether|where|how|which) ", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"(?<=[a-z0-9)\"'`])\.(?=\s+[A-Z\"'`])")
_LONGEST: Final = 360


class Topic(NamedTuple):
    """What a request is about.

    Attributes:
        form: "np": a noun phrase, what is to be detected; "when": a clause; "text": sentences; "title": a title.
        text: the words, without a full stop at the end unless they are sentences.
    """

    form: str
    text: str


def cleaned(text: str) -> str:
    """The text without fenced blocks, links and lines of a rule."""
    text = text.replace("\r\n", "\n")
    for noise in (_FENCED, _RULE_LINE, _REFERENCES):
        text = noise.sub("", text)
    text = _URL.sub("", _LINK.sub(r"\1", text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def topic_of(meta: Meta) -> Topic | None:
    """What a rule's description, or else its title, says that it is about; None if it says nothing."""
    paragraph = " ".join(cleaned(meta.description or "").split("\n\n")[0].split())
    sentences = _sentences(paragraph)
    if sentences:
        return _of_sentences(sentences)
    title = " ".join(cleaned(meta.title).split()).rstrip(".")
    return Topic("title", title) if title else None


def title_of(meta: Meta) -> Topic | None:
    """A rule's title as topic."""
    return topic_of(Meta(title=meta.title))


def _sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph, without their full stops, as many as fit; at least the first if that fits."""
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(paragraph):
        sentence = sentence.strip().rstrip(".:").strip()
        if not sentence or sum(map(len, kept)) + len(sentence) > _LONGEST:
            break
        kept.append(sentence)
    return kept


def _of_sentences(sentences: list[str]) -> Topic:
    start = _DETECTS.match(sentences[0])
    if start is None:
        return Topic("text", ". ".join(sentences[:3]) + ".")
    rest = sentences[0][start.end() :]
    if clause := _CLAUSE.match(rest):
        return Topic("when", rest[clause.end() :])
    if _VERBAL.match(rest) or not rest:
        return Topic("text", ". ".join(sentences[:3]) + ".")
    return Topic("np", _lowered(rest))


def _lowered(phrase: str) -> str:
    """The phrase as it stands within a sentence: `The execution` is lowered, `PowerShell` and `LSASS` are not."""
    first = phrase.split(maxsplit=1)[0]
    return phrase[0].lower() + phrase[1:] if first[1:].islower() and first.isalpha() and _is_common(first) else phrase


def _is_common(word: str) -> bool:
    return word.lower() in {
        "a", "an", "the", "any", "attempts", "usage", "use", "uses", "execution", "executions", "suspicious",
        "potential", "potentially", "possible", "creation", "changes", "various", "when", "unusual", "uncommon",
        "known", "loading",
    }  # fmt: skip
