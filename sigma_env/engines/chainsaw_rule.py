"""A rule as a file for Chainsaw: the meaning as it was written, under a name of ours.

Chainsaw reads YAML 1.2, and this package YAML 1.1, so a rule's text is not passed on but written again from what was
read: every text in double quotes, which both read alike, and the whole rule on one line, because Chainsaw cuts a file
at every `---` before a line's end, wherever it stands.
"""

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from sigma_env.errors import EngineError
from sigma_env.sigma.rule import Rule

BOUND_BY_ID: Final = "4a3a2b96-d7fc-4cb9-80e4-4a545fe95f46"
"""The rule that a precondition of Chainsaw's mapping selects by its id, which must therefore stay."""

_NAME: Final = "sigma-env rule "
_PLAIN: Final = r"\x20-\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_UNSAFE: Final = re.compile(f"[^{_PLAIN}]")
_LONGEST_IMPLICIT_KEY: Final = 1_000


def title_of(place: int) -> str:
    """The title under which a rule runs: unlike any that Chainsaw's mapping excludes, and printed with each match."""
    return f"{_NAME}{place}"


def place_of(title: object) -> int | None:
    """The number of the rule that has a title of ours; None for any other."""
    number = title.removeprefix(_NAME) if isinstance(title, str) and title.startswith(_NAME) else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def rule_text(rule: Rule, place: int) -> str:
    """The rule as YAML 1.2, with the header that Chainsaw demands.

    Args:
        rule: what to write.
        place: its number in the batch.

    Raises:
        EngineError: the rule comes from a cache that keeps no texts; without them Chainsaw would refuse it.
    """
    if not rule.document:
        name = rule.meta.title or rule.meta.id or "a rule"
        raise EngineError(
            f"'{name}' was loaded without its text, which the chainsaw engine needs; load it from its file"
        )
    header = {
        "title": title_of(place),
        "id": rule.meta.id if rule.meta.id == BOUND_BY_ID else f"sigma-env-{place}",
        "description": "one rule of a batch",
        "status": "stable",
        "level": "medium",
    }
    document = {key: rule.document[key] for key in ("logsource", "detection") if key in rule.document}
    return _flow({**header, **document}) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _key(value: Any) -> str:
    text = _scalar(value)
    # YAML looks for the colon of a key that is not marked as one in 1,024 characters only.
    return f"? {text} " if len(text) > _LONGEST_IMPLICIT_KEY else text


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    text = value.isoformat() if isinstance(value, date) else str(value)
    return f'"{_UNSAFE.sub(_escaped, text)}"'


def _float(value: float) -> str:
    if math.isfinite(value):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"
