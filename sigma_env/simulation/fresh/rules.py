"""Rules with new names: the same logic about programs, files, keys and switches that nobody has seen."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from sigma_env.sigma.files import LoadedRule, parse_rule_text
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.simulation.fresh.kept import STRUCTURE, renamed_kind
from sigma_env.simulation.fresh.renamer import Renamer
from sigma_env.simulation.fresh.texts import renamed_expression, renamed_text
from sigma_env.simulation.requests.grammar import grammar_text, grammar_words
from sigma_env.simulation.schema import FieldKind

DISTINCTIVE: Final = 6
"""Characters from which on an old name may not occur in a fresh rule's title and description."""

_META: Final = ("status", "author", "date", "modified", "license", "tags", "level")
_KEPT_VALUES: Final = frozenset(("cidr", "fieldref", "exists", "gt", "gte", "lt", "lte", "expand"))
_NAME: Final = re.compile(r"[A-Za-z0-9]+")


class Fresh(NamedTuple):
    """A rule with new names.

    Attributes:
        text: its YAML.
        loaded: the same, parsed.
        renamed: old names → new ones, both in lower case.
    """

    text: str
    loaded: LoadedRule
    renamed: Mapping[str, str]


def freshened(document: Mapping[str, Any], rule: Rule, renamer: Renamer, path: Path) -> Fresh:
    """Replaces the names in a rule's detection, and in its title and description.

    Names are runs of letters and digits in file names, folders, command lines, registry keys, pipes, domains and the
    like, hashes, GUIDs, public addresses and ports. What Windows' own structure needs stays (see `kept`), and so do
    numbers, choices and accounts. Author, licence and tags stay; links go, and the title or description if it still
    names what the rule is about.

    Args:
        document: the rule's whole document.
        rule: the same, parsed.
        renamer: gives the new names.
        path: names the result.
    """
    renamed: dict[str, str] = {}
    detection = _Detection(rule.logsource, renamer, renamed)
    fresh_detection = {
        name: definition if name in ("condition", "timeframe") else detection.definition(definition)
        for name, definition in document["detection"].items()
    }
    title = _prose(str(document.get("title") or ""), renamed)
    description = _prose(str(document.get("description") or ""), renamed)
    fresh: dict[str, Any] = {
        **({"title": title} if title else {}),
        "id": _id(f"{rule.meta.id}|{fresh_detection}"),
        **({"related": [{"id": rule.meta.id, "type": "derived"}]} if rule.meta.id else {}),
        **({"description": description} if description else {}),
        **{key: document[key] for key in _META if key in document},
        "logsource": dict(document["logsource"]),
        "detection": fresh_detection,
    }
    text = to_yaml(fresh)
    [loaded] = parse_rule_text(text, path)
    return Fresh(text, loaded, renamed)


def _id(contents: str) -> str:
    return str(UUID(bytes=blake2b(contents.encode(), digest_size=16).digest(), version=4))


class _Detection:
    """Renames the values of one rule's detection."""

    def __init__(self, logsource: LogSource, renamer: Renamer, renamed: dict[str, str]) -> None:
        self._logsource, self._renamer, self._renamed = logsource, renamer, renamed

    def definition(self, definition: Any) -> Any:
        """A selection: a map, a list of maps, or keywords."""
        if isinstance(definition, Mapping):
            return {key: self._line(str(key), values) for key, values in definition.items()}
        if isinstance(definition, list):
            return [self.definition(item) for item in definition]
        return self._value(definition, FieldKind.TEXT, ())

    def _line(self, key: str, values: Any) -> Any:
        field, *modifiers = key.split("|")
        kind = renamed_kind(self._logsource, field or None)
        if kind is None or _KEPT_VALUES.intersection(modifiers):
            return values
        if isinstance(values, list):
            return [self._value(value, kind, modifiers) for value in values]
        return self._value(values, kind, modifiers)

    def _value(self, value: Any, kind: FieldKind, modifiers: Any) -> Any:
        if kind is FieldKind.PORT and (isinstance(value, int) or str(value).isdigit()):
            new = self._renamer.port(int(value))
            self._renamed[str(value)] = str(new)
            return new if isinstance(value, int) else str(new)
        if not isinstance(value, str):
            return value
        rename = renamed_expression if "re" in modifiers else renamed_text
        return rename(value, kind, self._renamer, self._renamed)


def _prose(text: str, renamed: Mapping[str, str]) -> str:
    """A title or description with the new names; "" if old ones are still in it."""

    def new(found: re.Match[str]) -> str:
        old = found[0]
        made = renamed.get(old.lower())
        if made is None or old.lower() in grammar_words():
            return old
        return made if old.islower() else made.upper() if old.isupper() else made[0].upper() + made[1:]

    fresh = _NAME.sub(new, text)
    return "" if _still_names(fresh, renamed) else fresh


def _still_names(text: str, renamed: Mapping[str, str]) -> bool:
    """Whether a text has an old name, or a word or two neighbouring ones that are part of one (`Process Hacker`)."""
    words = [word.lower() for word in _NAME.findall(text)]
    telling = [word for word in words if is_distinctive(word)]
    telling += ["".join(two) for two in pairwise(words) if not grammar_words().issuperset(two)]
    squashed = "".join(words)
    old = [name for name in renamed if is_distinctive(name)]
    return any(name in squashed for name in old) or any(
        word in name for word in telling if len(word) >= DISTINCTIVE for name in old
    )


def is_distinctive(name: str) -> bool:
    """Whether an old name, in lower case, tells which rule it is from.

    It does if it is long, no ordinary word, and not kept in other places as part of Windows' own structure.
    """
    return len(name) >= DISTINCTIVE and name not in grammar_text() and name not in STRUCTURE
