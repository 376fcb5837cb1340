"""Which fields the events of a type have (`event_fields.json` beside this file).

`python -m sigma_env.simulation.schemas.field_table` makes the table of public logs and the event schemas; it holds
names only. Of what is not in it nothing is known.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sigma_env.sigma.taxonomy import SECURITY

_PROCESS_CREATION = "process_creation"
_NEW_PROCESS = 4688
# Of an event that was only seen with unnamed data, newer versions of Windows may name it.
_UNNAMED = frozenset({"Data", "Binary"})


class _Table(NamedTuple):
    system: frozenset[str]
    always_in_4688: frozenset[str]
    process_creation_in_4688: frozenset[str]
    events: Mapping[tuple[str, int, str], frozenset[str]]


@lru_cache(maxsize=1)
def _table() -> _Table:
    table: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return _Table(
        frozenset(table["system"].split()),
        frozenset(table["always_in_4688"].split()),
        frozenset(table["process_creation_in_4688"].split()),
        {
            (channel.lower(), event_id, provider.lower()): frozenset(names.split())
            for channel, event_id, provider, names in table["events"]
        },
    )


def system_fields() -> frozenset[str]:
    """Names of System's elements and attributes, which every event may have."""
    return _table().system


def process_creation_aliases() -> frozenset[str]:
    """Names that stand for a Security 4688's own under the category process_creation."""
    return _table().process_creation_in_4688


def known_events() -> frozenset[tuple[str, int, str]]:
    """Channel (in lower case), EventID and provider (in lower case) of all events whose fields are known."""
    return frozenset(_table().events)


@lru_cache(maxsize=2048)
def fields_of(channel: str, event_id: int, provider: str, category: str | None = None) -> frozenset[str] | None:
    """The fields that events of a type may have, by the names that rules use; None if that is not known.

    Args:
        channel: compared without case.
        event_id: of the events.
        provider: their Provider_Name, compared without case.
        category: of the rule's logsource: under process_creation a Security 4688 has its fields too.
    """
    table = _table()
    names = table.events.get((channel.lower(), event_id, provider.lower()))
    if names is None or names <= _UNNAMED:
        return None
    if event_id == _NEW_PROCESS and channel.lower() == SECURITY.lower():
        names |= table.always_in_4688
        if category == _PROCESS_CREATION:
            names |= table.process_creation_in_4688
    return names | table.system
