"""Which events a logsource selects, by Sigma's Windows taxonomy (`taxonomy.yaml` beside this file)."""

import difflib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import yaml

from sigma_env.sigma.rule import LogSource

SYSMON: Final = "Microsoft-Windows-Sysmon/Operational"
SECURITY: Final = "Security"

_NO_EVENT_SOURCE: Final = "no_event_source"
# A name of a model may be any text: what is longer is no misspelling, and comparing it costs time.
_LONGEST_COMPARED_NAME: Final = 64


class Target(NamedTuple):
    """Events that a logsource selects: those of `channel` with one of `event_ids`.

    None means any. `channel` has the spelling of Windows; compare it without case. `provider` is
    the Provider_Name that the events must have, beside both.
    """

    channel: str | None
    event_ids: frozenset[int] | None
    provider: str | None = None


class Targets(NamedTuple):
    """All that a logsource selects (the union of `targets`); `note` says why when that is nothing.

    `no_event_source` tells a known category that no event log holds from a name nobody knows.
    """

    targets: tuple[Target, ...]
    note: str | None = None
    no_event_source: bool = False


_EVERYTHING: Final = (Target(None, None),)


class _Taxonomy(NamedTuple):
    categories: Mapping[str, tuple[Target, ...] | None]
    services: Mapping[str, tuple[Target, ...]]
    providers: Mapping[str, str]
    security_providers: tuple[tuple[range, str], ...]
    sysmon_event_types: Mapping[int, frozenset[str]]
    category_event_types: Mapping[str, frozenset[str]]


@lru_cache(maxsize=1)
def _taxonomy() -> _Taxonomy:
    text = Path(__file__).with_name("taxonomy.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return _Taxonomy(
        categories={
            name: None
            if rows == _NO_EVENT_SOURCE
            else tuple(Target(channel, frozenset(row["event_ids"])) for row in rows for channel in row["channels"])
            for name, rows in table["categories"].items()
        },
        services={
            name: tuple(Target(channel, None) for channel in channels) for name, channels in table["services"].items()
        },
        providers={channel.lower(): provider for channel, provider in table["providers"].items()},
        security_providers=tuple(
            (range(row["first"], row["last"] + 1), row["provider"]) for row in table["security_providers"]
        ),
        sysmon_event_types={event_id: frozenset(values) for event_id, values in table["sysmon_event_types"].items()},
        category_event_types={
            category: frozenset(values) for category, values in table["category_event_types"].items()
        },
    )


def categories() -> tuple[str, ...]:
    """Every category that the taxonomy knows, also those without an event source."""
    return tuple(_taxonomy().categories)


def services() -> tuple[str, ...]:
    """Every service that the taxonomy knows."""
    return tuple(_taxonomy().services)


@lru_cache(maxsize=512)
def select(logsource: LogSource) -> Targets:
    """The events that `logsource` selects by itself, before the rule's detection.

    Category and service intersect; no product means windows; a product other than windows and a
    name that the taxonomy lacks select nothing, and the note says so. A logsource with neither
    category nor service selects every Windows event (one `Target` with channel None).
    """
    category, product, service = logsource
    if product not in (None, "windows"):
        return Targets((), f"product '{product}' has no Windows events; write 'product: windows'")
    table = _taxonomy()
    if category is not None and category not in table.categories:
        return Targets((), _unknown("category", category, table.categories, table.services))
    if service is not None and service not in table.services:
        return Targets((), _unknown("service", service, table.services, table.categories))
    of_category = _EVERYTHING if category is None else table.categories[category]
    of_service = _EVERYTHING if service is None else table.services[service]
    if of_category is None:
        note = f"category '{category}' has no event source: only ETW has these events, no event log holds them"
        return Targets((), note, no_event_source=True)
    both = tuple(
        target for one in of_category for other in of_service if (target := _intersect(one, other)) is not None
    )
    if not both:
        return Targets((), f"category '{category}' and service '{service}' have no event in common; leave one out")
    return Targets(both)


def _intersect(one: Target, other: Target) -> Target | None:
    channel = one.channel or other.channel
    if one.channel and other.channel and one.channel.lower() != other.channel.lower():
        return None
    event_ids = one.event_ids if other.event_ids is None else other.event_ids
    if one.event_ids is not None and other.event_ids is not None:
        event_ids = one.event_ids & other.event_ids
        if not event_ids:
            return None
    return Target(channel, event_ids, one.provider or other.provider)


def _unknown(kind: str, name: str, known: Mapping[str, object], of_other_kind: Mapping[str, object]) -> str:
    shown = name if len(name) <= _LONGEST_COMPARED_NAME else f"{name[:_LONGEST_COMPARED_NAME]}…"
    note = f"unknown {kind} '{shown}' selects no event"
    if name in of_other_kind:
        other_kind = "service" if kind == "category" else "category"
        return f"{note}; '{name}' is a {other_kind}"
    near = difflib.get_close_matches(name, known, n=1) if len(name) <= _LONGEST_COMPARED_NAME else []
    return f"{note}; the nearest is '{near[0]}'" if near else note


@lru_cache(maxsize=512)
def fixed_fields(channel: str, event_id: int) -> Mapping[str, frozenset[str]]:
    """Fields whose value follows from an event's type: field → every value that it can have.

    Always `Channel` and `EventID`; `Provider_Name` where the channel has one provider; Sysmon's
    `EventType`. A field that is not listed can have any value, or be absent.
    """
    table = _taxonomy()
    fixed = {"Channel": frozenset((channel,)), "EventID": frozenset((str(event_id),))}
    lowered = channel.lower()
    provider = table.providers.get(lowered)
    if lowered == SECURITY.lower():
        provider = next((name for ids, name in table.security_providers if event_id in ids), None)
    if provider is not None:
        fixed["Provider_Name"] = frozenset((provider,))
    if lowered == SYSMON.lower() and event_id in table.sysmon_event_types:
        fixed["EventType"] = table.sysmon_event_types[event_id]
    return MappingProxyType(fixed)


def event_types(category: str) -> frozenset[str] | None:
    """Sysmon EventTypes that `category` means, where its EventID also brings others; else None.

    `registry_add` and `registry_delete` both select EventID 12. An event with another EventType
    contradicts such a category.
    """
    return _taxonomy().category_event_types.get(category)
