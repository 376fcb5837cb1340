"""What SARIF 2.1.0 demands of a log, as far as `sigma-env lint` writes one.

The standard's schema allows no property that it does not name, in any object; so does this, for the properties that
are written here. Beyond the schema: rules are referred to by their place, and places lie within their files.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, sections 3.13 to 3.52.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

Check: TypeAlias = Callable[[Any], bool]

LEVELS = frozenset({"none", "note", "warning", "error"})
_URI = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?#\[\]-]|%[0-9A-Fa-f]{2})+")
_GITHUB_RESULTS = 25_000


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _from_one(value: Any) -> bool:
    return type(value) is int and value >= 1


def _index(value: Any) -> bool:
    return type(value) is int and value >= 0


def _uri(value: Any) -> bool:
    """A URI or a relative reference by RFC 3986: no other characters, and no colon that would make a scheme."""
    if not _text(value) or not _URI.fullmatch(value):
        return False
    parts = urlsplit(value)
    return bool(parts.scheme) or not (value.startswith("/") or ":" in value.partition("/")[0])


def _line_ends(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(one, str) and one for one in value)


def _one_of(*values: str) -> Check:
    return lambda value: value in values


OBJECTS: Mapping[str, Mapping[str, Check | str | list[str]]] = {
    "log": {"$schema": _uri, "version": _one_of("2.1.0"), "runs": ["run"]},
    "run": {
        "tool": "tool",
        "newlineSequences": _line_ends,
        "columnKind": _one_of("utf16CodeUnits", "unicodeCodePoints"),
        "results": ["result"],
    },
    "tool": {"driver": "driver"},
    "driver": {"name": _text, "version": _text, "rules": ["rule"]},
    "rule": {"id": _text, "shortDescription": "message", "help": "message", "defaultConfiguration": "configuration"},
    "configuration": {"level": _one_of(*LEVELS)},
    "result": {
        "ruleId": _text,
        "ruleIndex": _index,
        "level": _one_of(*LEVELS),
        "message": "message",
        "locations": ["location"],
    },
    "message": {"text": _text},
    "location": {"physicalLocation": "physicalLocation"},
    "physicalLocation": {"artifactLocation": "artifactLocation", "region": "region"},
    "artifactLocation": {"uri": _uri},
    "region": {"startLine": _from_one, "startColumn": _from_one},
}
"""Object → property → what it must be: a check, an object, or a list of objects. All of them are written always."""


def faults(log: Any, folder: Path) -> list[str]:
    """What is wrong with a log, each fault with its place; empty if nothing is.

    Args:
        log: the log, read.
        folder: what relative references are relative to.
    """
    found = _shape(log, "log", "$")
    return found or [fault for run in log["runs"] for fault in _references(run, folder)]


def _shape(value: Any, name: str, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at} is no {name}"]
    expected = OBJECTS[name]
    found = [f"{at} lacks {key}" for key in expected.keys() - value.keys()]
    found += [f"{at} has {key}" for key in value.keys() - expected.keys()]
    for key in expected.keys() & value.keys():
        kind, inner, place = expected[key], value[key], f"{at}.{key}"
        if isinstance(kind, str):
            found += _shape(inner, kind, place)
        elif isinstance(kind, list):
            if not isinstance(inner, list):
                found.append(f"{place} is no list")
                continue
            for i, one in enumerate(inner):
                found += _shape(one, kind[0], f"{place}[{i}]")
        elif not kind(inner):
            found.append(f"{place} is {inner!r}")
    return found


def _references(run: Any, folder: Path) -> list[str]:
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = [f"rule {one} stands twice" for one in {*rules} if rules.count(one) > 1]
    if len(run["results"]) > _GITHUB_RESULTS:
        found.append(f"{len(run['results'])} results; forges take {_GITHUB_RESULTS}")
    for i, result in enumerate(run["results"]):
        index = result["ruleIndex"]
        if index >= len(rules) or rules[index] != result["ruleId"]:
            found.append(f"result {i}: {result['ruleId']} is not rule {index}")
        if not result["locations"]:
            found.append(f"result {i} has no location")
        for location in result["locations"]:
            fault = _misplaced(location["physicalLocation"], run["newlineSequences"], folder)
            if fault:
                found.append(f"result {i}: {fault}")
    return found


def file_of(uri: str, folder: Path) -> Path:
    """The file that a relative reference or a file: URI names."""
    return folder / unquote(urlsplit(uri).path, errors="surrogateescape")


def _misplaced(place: Any, line_ends: list[str], folder: Path) -> str | None:
    uri, region = place["artifactLocation"]["uri"], place["region"]
    path = file_of(uri, folder)
    if not path.is_file():
        return f"there is no file {uri}"
    lines = re.split("|".join(map(re.escape, line_ends)), path.read_bytes().decode("utf-8", "replace"))
    line, column = region["startLine"], region["startColumn"]
    if line > len(lines) or column > len(lines[line - 1]) + 1:
        return f"{uri} has no line {line}, column {column}"
    return None
