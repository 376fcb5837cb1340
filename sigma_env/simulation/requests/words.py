"""The words for logs, fields and comparisons (`logs.yaml`, `fields.yaml` beside this file)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from sigma_env.sigma.rule import LogSource

ANY_FIELD: Final = "any field of the event"
"""What keywords search."""

OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "equals": ("is exactly", "is not exactly"),
    "startswith": ("starts with", "does not start with"),
    "endswith": ("ends in", "does not end in"),
    "contains": ("contains", "does not contain"),
    "regex": ("matches", "does not match"),
    "cidr": ("is in", "is not in"),
    "gt": ("is greater than", "is not greater than"),
    "gte": ("is at least", "is not at least"),
    "lt": ("is less than", "is not less than"),
    "lte": ("is at most", "is not at most"),
    "null": ("is missing", "is not missing"),
    "empty": ("is there but empty", "is not an empty text"),
    "any": ("is there, empty or not", "is not there, empty or not"),
    "present": ("is part of the event", "is not said to be part of the event"),
    "absent": ("is no part of the event", "is not said to be no part of the event"),
    "ref_equals": ("is the same as", "is not the same as"),
    "ref_startswith": ("starts with the value of", "does not start with the value of"),
    "ref_endswith": ("ends in the value of", "does not end in the value of"),
    "ref_contains": ("contains the value of", "does not contain the value of"),
}
"""Each comparison, and its opposite."""

NUMBER: Final = ("is", "is not")
PATTERN: Final = OPERATIONS["regex"]
"""In the place of `is exactly`: for numbers, and for texts with wildcards."""

NOUNS: Final[Mapping[str, str]] = {"regex": "regular expression", "cidr": "network", "equals": "pattern"}
"""What the texts of some comparisons are called; of `equals`, those with wildcards."""

FLAGS: Final[Mapping[str, str]] = {
    "wild": "* stands for any text and ? for any one character",
    "literal": "* and ? are meant literally",
    "cased": "upper and lower case matter",
    "windash": "the dash may be written -, /, –, — or ―",
    "ignorecase": "ignoring case",
    "multiline": "^ and $ also at line breaks",
    "dotall": "the dot also matches line breaks",
}
ESCAPED: Final = "; a backslash before *, ? or another backslash takes it literally"
KEYWORDS_ALL: Final = "not necessarily in the same field"

ENCODINGS: Final[Mapping[str, str]] = {
    "wide": "UTF-16LE",
    "utf16le": "UTF-16LE",
    "utf16be": "UTF-16BE",
    "utf16": "UTF-16 with a byte order mark",
    "base64": "Base64",
    "base64offset": "Base64 at any of the three offsets",
    "windash": "any dash spelling",
    "contains": "any text put around it",
    "startswith": "any text put after it",
    "endswith": "any text put before it",
}
ENCODED: Final = "looked for in encoded form: "


RECORDS: Final = "the records of "
_PLACES: Final = ("the ", "any ", "all ", "Exchange's", "Sysmon's")


class Log(NamedTuple):
    """What people call a log or a kind of event."""

    phrases: tuple[str, ...]
    collected: str


class _Words(NamedTuple):
    fields: Mapping[str, tuple[str, ...]]
    categories: Mapping[str, Log]
    services: Mapping[str, Log]
    everything: Log


@lru_cache(maxsize=1)
def _words() -> _Words:
    fields, logs = _table("fields.yaml"), _table("logs.yaml")
    return _Words(
        {name: tuple(phrases) for name, phrases in fields.items()},
        {name: _log(entry) for name, entry in logs["categories"].items()},
        {name: _log(entry) for name, entry in logs["services"].items()},
        _log(logs["everything"]),
    )


def _table(name: str) -> dict[str, Any]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return table


def _log(entry: Mapping[str, Any]) -> Log:
    return Log(tuple(entry["phrases"]), entry.get("collected", ""))


def field_phrases(field: str, category: str | None) -> tuple[str, ...]:
    """What people call a field of the events of a category, the commonest first; () if they use its own name."""
    fields = _words().fields
    return fields.get(f"{category}/{field}") or fields.get(field, ())


def named_fields() -> tuple[str, ...]:
    """Every field that has phrases; `category/Field` for those of one category."""
    return tuple(_words().fields)


def log_phrases(logsource: LogSource) -> tuple[str, ...]:
    """What people call the events of a logsource: each way to say it."""
    category, product, service = logsource
    words = _words()
    of_category = _phrases(words.categories, category, "events of the category")
    of_service = _phrases(words.services, service, "the log of the service")
    if of_category and of_service:
        phrases = tuple([f"{one}, and only those in {other}" for one in of_category for other in of_service[:1]])
    else:
        phrases = of_category or of_service or words.everything.phrases
    if product in (None, "windows"):
        return phrases
    return tuple([f"{phrase} of the product '{product}'" for phrase in phrases])


def records(phrase: str) -> str:
    """A log, as a place where something can be found."""
    return phrase if phrase.startswith(_PLACES) else f"{RECORDS}{phrase}"


def collected(logsource: LogSource) -> str:
    """What a host must log for a logsource, in the words of a logging profile; "" if nobody knows."""
    words = _words()
    known, name = (
        (words.services, logsource.service) if logsource.category is None else (words.categories, logsource.category)
    )
    return known[name].collected if name is not None and name in known else ""


def _phrases(known: Mapping[str, Log], name: str | None, otherwise: str) -> tuple[str, ...]:
    if name is None:
        return ()
    return known[name].phrases if name in known else (f"{otherwise} '{name}'",)
