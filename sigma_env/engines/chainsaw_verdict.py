"""Rules that the Chainsaw program is not given: it reads logs as they are, so also what no rule may read of them.

Sysmon's RuleName is often the name of the attack: a rule that reads it would tell which events a configuration
labelled. The native engine hides it; from the program it can only be kept by not running rules that ask for it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sigma_env.errors import EngineError
from sigma_env.sigma.chainsaw_fields import OF_VERDICT, is_verdict_path, plain_field
from sigma_env.sigma.rule import Rule

_VERDICT: Final = re.compile(r"\bRuleName\b")
_FIELD: Final = "from"


def names_of_verdict(mapping: Path) -> frozenset[str]:
    """The fields that a mapping file makes of RuleName; that of release 2.16.4 has none.

    Raises:
        EngineError: the file cannot be read, or is no YAML.
    """
    try:
        table = yaml.load(mapping.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise EngineError(f"{mapping}: Chainsaw's mapping file cannot be read: {error}") from error
    entries = (entry for entry in _mappings(table) if _FIELD in entry)
    return frozenset(
        str(entry[_FIELD])
        for entry in entries
        if any(_VERDICT.search(str(value)) for key, value in entry.items() if key != _FIELD)
    )


def why_refused(rule: Rule, named: frozenset[str]) -> str | None:
    """Why a rule is not run; None if it is.

    Args:
        rule: as it was written; names of fields stand in its selections, and may stand in its condition.
        named: what the mapping makes of RuleName.
    """
    names = _names(rule.document.get("detection"))
    return next((f"field '{n}': {OF_VERDICT}" for n in names if is_verdict_path(n) or plain_field(n) in named), None)


def _names(detection: Any) -> Iterator[str]:
    """What stands for fields in a detection, without modifiers."""
    for mapping in _mappings(detection):
        for key, value in mapping.items():
            yield str(key).partition("|")[0]
            if key == "condition":
                yield from map(str, value if isinstance(value, list) else (value,))


def _mappings(node: Any) -> Iterator[Mapping[Any, Any]]:
    """Every mapping of a document."""
    if isinstance(node, Mapping):
        yield node
        for child in node.values():
            yield from _mappings(child)
    elif isinstance(node, list):
        for child in node:
            yield from _mappings(child)
