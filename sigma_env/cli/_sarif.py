"""Findings as SARIF 2.1.0, which forges show beside the lines of a change.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sigma_env.sigma.lint.checks import CHECKS, Reported

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LINE_ENDS = ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"]
"""Where YAML counts a line; what SARIF takes for granted is the first two."""


def sarif_text(reported: Sequence[Reported]) -> str:
    """The report: every check of our own, and those of pySigma that found something, and the findings."""
    others = {one.finding.check: one.finding for one in reported if one.finding.check not in CHECKS}
    rules = [_rule(check.id, check.finds, check.fix, check.level.value) for check in CHECKS.values()]
    rules += [
        _rule(name, f"pySigma: {name.partition('/')[2]}", finding.fix, finding.level.value)
        for name, finding in sorted(others.items())
    ]
    number = {rule["id"]: i for i, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "sigma-env lint", "version": version("sigmaforge"), "rules": rules}},
        "newlineSequences": _LINE_ENDS,
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, number[one.finding.check]) for one in reported],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(name: str, finds: str, fix: str, level: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": finds},
        "help": {"text": fix},
        "defaultConfiguration": {"level": level},
    }


def _result(one: Reported, index: int) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": _uri(one.path)},
        "region": {"startLine": one.line, "startColumn": one.column},
    }
    return {
        "ruleId": one.finding.check,
        "ruleIndex": index,
        "level": one.finding.level.value,
        "message": {"text": f"{one.finding.message} — {one.finding.fix}"},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: Path) -> str:
    """A relative path as a relative reference, an absolute one as a file: URI."""
    # Its bytes, because a name need not be UTF-8.
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
