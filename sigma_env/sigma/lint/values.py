"""Checks of written values: those that a field can't hold, and those that YAML or Sigma reads otherwise than they look.

The lists are short on purpose: they hold what is sure.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from yaml.nodes import Node, ScalarNode

from sigma_env.sigma.errors import InvalidRule
from sigma_env.sigma.lint.checks import Finding, Place, found
from sigma_env.sigma.lint.constraints import exact_texts
from sigma_env.sigma.lint.places import Placed, scalars
from sigma_env.sigma.lint.selected import demands_of_logsource
from sigma_env.sigma.rule import FieldTest, Rule, Text, Value
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.text import number_text

FULL_PATHS: Final = frozenset(
    {"Image", "ParentImage", "SourceImage", "TargetImage", "ImageLoaded", "NewProcessName", "ParentProcessName"}
)
"""Fields in which Sysmon and Windows write a full path."""

_FILE_NAME: Final = re.compile(r"\\?[^\\/:*?]+\.(?:exe|dll|com|scr|sys|ocx|cpl)\Z")
_BOOLEANS: Final = frozenset({"true", "false"})
_BOOLEANS_OR_NONE: Final = _BOOLEANS | {"-", ""}
# Sysmon's names, those of 4688 (integrity SIDs, which Windows may render), and what stands for none.
_INTEGRITY: Final = frozenset(
    {"untrusted", "low", "medium", "medium plus", "mediumplus", "high", "system", "protected", "protected process"}
    | {"appcontainer", "-", "?", ""}
)
_INTEGRITY_SID: Final = re.compile(r"s-1-16-[0-9]+\Z|%%[0-9]+\Z")
# Windows' LOGON32 and SECURITY_LOGON_TYPE: 0 is the system's own, 1 and 6 are not in use.
_LOGON_TYPES: Final = frozenset(str(number) for number in range(14))

ENUMERATED: Final = {
    "IntegrityLevel": (_INTEGRITY, "Low, Medium, High, System, or a SID S-1-16-…"),
    "LogonType": (_LOGON_TYPES, "a number from 0 to 13, such as 3 for network and 10 for RDP"),
    "Initiated": (_BOOLEANS_OR_NONE, "true or false"),
    "Signed": (_BOOLEANS_OR_NONE, "true or false"),
    "SourceIsIpv6": (_BOOLEANS_OR_NONE, "true or false"),
    "DestinationIsIpv6": (_BOOLEANS_OR_NONE, "true or false"),
}
"""Field → its values, lower-cased, and how to say them. Only of Sysmon's events and Security's."""

_FIXED_BY_LOGSOURCE: Final = ("EventType", "Channel", "Provider_Name")
_NUMERIC_MODIFIERS: Final = frozenset({"gt", "gte", "lt", "lte"})
_CHECKED_CHANNELS: Final = frozenset({"security", "microsoft-windows-sysmon/operational"})
# Two backslashes in front, then a name, then the first separator.
_TWO_IN_FRONT: Final = re.compile(r"\*?\\\\(?![\\*?])[^\\]+(\\+)?")


def check_values(rule: Rule, placed: Placed) -> Iterator[Finding]:
    """Finds values that the field can't hold, and UNC paths with too few backslashes."""
    targets = select(rule.logsource).targets
    is_known = bool(targets) and all((t.channel or "").lower() in _CHECKED_CHANNELS for t in targets)
    outer = demands_of_logsource(rule.logsource)
    fixed = {name: texts for name in _FIXED_BY_LOGSOURCE if (texts := exact_texts(outer, name)) is not None}
    for test in placed:
        for i, value in enumerate(test.values):
            if "re" not in test.modifiers and isinstance(value.written, str):
                yield from _unc(value.written, test, placed.of(test, i))
            if test.field is None or "fieldref" in test.modifiers:
                continue
            problem = _event_id(test, value) or _image(test, value)
            if not problem and is_known and test.field in ENUMERATED:
                problem = _enumerated(test.field, value)
            if not problem and test.field in fixed:
                problem = _fixed(test.field, value, fixed[test.field])
            if problem:
                yield found(*problem, placed.of(test, i))


def check_yaml(root: Node, document: Any) -> Iterator[Finding]:
    """Finds unquoted values of the detection that YAML reads as something else than what is written."""
    detection = document.get("detection")
    node = next((value for key, value in root.value if key.value == "detection"), None)
    if node is None:
        return
    for scalar, value, at in scalars(node, detection, ("detection",)):
        if len(at) > 2 and not scalar.style and not _is_compared(at) and _read_otherwise(scalar, value):
            shown = str(value).lower() if isinstance(value, bool) else number_text(value)
            yield found("yaml-value", f"{scalar.value} without quotes is {shown}", at, f"write '{scalar.value}'")


def _is_compared(at: Place) -> bool:
    """Whether a value is compared as a number, whatever way it is written in."""
    return any(not _NUMERIC_MODIFIERS.isdisjoint(str(step).split("|")[1:]) for step in at)


def _read_otherwise(scalar: ScalarNode, value: Any) -> bool:
    if isinstance(value, bool):
        return scalar.value.lower() not in _BOOLEANS
    if not isinstance(value, int | float):
        return False
    try:
        return number_text(value) != str(scalar.value)
    except InvalidRule:  # the parser refuses the rule for it
        return False


def _equal_text(value: Value) -> str | None:
    """The one text, lower-cased, that a value equals; None if it may be several."""
    if len(value.alternatives) != 1:
        return None
    [pattern] = value.alternatives
    return pattern.text.lower() if isinstance(pattern, Text) and pattern.op == "equals" else None


_Problem = tuple[str, str]


def _event_id(test: FieldTest, value: Value) -> _Problem | None:
    text = _equal_text(value)
    if test.field != "EventID" or text is None or (text.isascii() and text.isdecimal()):
        return None
    return "event-id-text", f"EventID is a number, never '{value.written}'"


def _image(test: FieldTest, value: Value) -> _Problem | None:
    if test.field not in FULL_PATHS or len(value.alternatives) != 1:
        return None
    [pattern] = value.alternatives
    if not isinstance(pattern, Text) or pattern.op not in ("equals", "startswith"):
        return None
    if not _FILE_NAME.match(pattern.text.lower()):
        return None
    return "image-without-path", f"{test.field} is a full path, and never begins with '{value.written}'"


def _enumerated(field: str, value: Value) -> _Problem | None:
    text = _equal_text(value)
    known, say = ENUMERATED[field]
    if text is None or text in known or (field == "IntegrityLevel" and _INTEGRITY_SID.match(text)):
        return None
    return "impossible-value", f"{field} is never '{value.written}'; it is {say}"


def _fixed(field: str, value: Value, known: frozenset[str]) -> _Problem | None:
    text = _equal_text(value)
    if text is None or text in known:
        return None
    return (
        "impossible-value",
        f"{field} is never '{value.written}' under this logsource; it is {', '.join(sorted(known))}",
    )


def _unc(written: str, test: FieldTest, at: Place) -> Iterator[Finding]:
    """A text that begins with two backslashes, and does not double those that follow: no escaping was meant."""
    if "endswith" in test.modifiers:
        return
    match = _TWO_IN_FRONT.match(written)
    if match and (match[1] is None or len(match[1]) == 1):
        yield found("unc-path", f"'{written:.100}' means '{written.replace(chr(92) * 2, chr(92), 1):.100}'", at)
