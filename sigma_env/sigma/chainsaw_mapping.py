"""Which events and values Chainsaw's shipped mapping gives a rule (`chainsaw_mapping.yaml` beside this file)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sigma_env.sigma.rule import LogSource


class Selected(NamedTuple):
    """Events that a precondition lets through: of a provider, with any of these EventIDs (None: all)."""

    provider: str
    event_ids: frozenset[int] | None


class ChainsawMapping(NamedTuple):
    """The mapping.

    Attributes:
        system: field → element or attribute of System.
        event_data: fields that are values of EventData under their own name.
        whole_numbers: those of `event_data` whose text is read as a number.
        categories: preconditions by category.
        services: preconditions by service; they override those by category.
        rule_ids: preconditions by a rule's id; they override both.
        excluded_titles: titles of rules that are never run.
    """

    system: Mapping[str, str]
    event_data: frozenset[str]
    whole_numbers: frozenset[str]
    categories: Mapping[str, tuple[Selected, ...]]
    services: Mapping[str, tuple[Selected, ...]]
    rule_ids: Mapping[str, tuple[Selected, ...]]
    excluded_titles: frozenset[str]

    def precondition(self, logsource: LogSource, rule_id: str) -> tuple[Selected, ...] | None:
        """Of which events a rule sees any; None if it sees all. Names are compared with their case."""
        found = self.categories.get(logsource.category) if logsource.category is not None else None
        if logsource.service is not None:
            found = self.services.get(logsource.service, found)
        return self.rule_ids.get(rule_id, found)


@lru_cache(maxsize=1)
def chainsaw_mapping() -> ChainsawMapping:
    """The mapping, read once."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    categories: dict[str, tuple[Selected, ...]] = {
        name: (Selected(table["sysmon"], frozenset(ids)),) for name, ids in table["categories"].items()
    }
    for name, also in table["also"].items():
        categories[name] += (Selected(also["provider"], frozenset(also["event_ids"])),)
    return ChainsawMapping(
        system=table["system"],
        event_data=frozenset(table["event_data"]),
        whole_numbers=frozenset(table["whole_numbers"]),
        categories=categories,
        services={name: (Selected(provider, None),) for name, provider in table["services"].items()},
        rule_ids={key: tuple(Selected(p, None) for p in providers) for key, providers in table["rule_ids"].items()},
        excluded_titles=frozenset(table["excluded_titles"]),
    )
