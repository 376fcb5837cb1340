"""Broken log sources: what is missing from the logs though the rule can still match."""

import random
from typing import Final

from sigma_env.sigma.event_fields import fields_of
from sigma_env.sigma.rule import FieldTest, Node, Not, Or, Rule, Selection
from sigma_env.sigma.taxonomy import Target, fixed_fields, select
from sigma_env.sigma.tree import fields_of as fields_in
from sigma_env.simulation.plan import Outage

_OFTEN_EMPTY: Final = (
    "OriginalFileName", "Product", "Company", "Description", "FileVersion", "CurrentDirectory", "ParentCommandLine",
    "ParentUser", "Hashes", "Signature", "SourceUser", "TargetUser", "SourceHostname", "DestinationHostname",
    "IpAddress", "WorkstationName", "ProcessName",
)  # fmt: skip
"""Fields that misconfigured hosts, old Sysmon versions and lossy collectors leave empty."""


def break_source(rule: Rule, rng: random.Random) -> Outage | None:
    """Choose what is missing: a channel that the rule can do without, or a field that it need not have.

    Such a field is one that the rule names beside another one that is enough, or does not name at all.

    Returns:
        None if the rule needs all that its events have.
    """
    channels = _spare_channels(rule)
    fields = _alternative_fields(rule.condition) or _spare_fields(rule)
    if channels and (not fields or rng.random() < 0.5):
        return Outage(channels=(rng.choice(channels),))
    return Outage(blank_fields=(rng.choice(fields),)) if fields else None


def _spare_channels(rule: Rule) -> list[str]:
    """Channels without which another one still has every field that the rule names."""
    targets = select(rule.logsource).targets
    able = [target for target in targets if _has_fields(target, rule)]
    names = {target.channel: None for target in targets if target.channel is not None}
    return [name for name in names if any(target.channel != name for target in able)]


def _has_fields(target: Target, rule: Rule) -> bool:
    return fields_in(rule.condition) <= _fields(target, rule)


def _fields(target: Target, rule: Rule) -> frozenset[str]:
    """Fields of the events of a target, as far as they are known."""
    if target.channel is None:
        return frozenset()
    found: frozenset[str] = frozenset()
    for event_id in sorted(target.event_ids or ()):
        for provider in sorted(fixed_fields(target.channel, event_id).get("Provider_Name", ())):
            found |= fields_of(target.channel, event_id, provider, rule.logsource.category) or frozenset()
    return found


def known_fields(rule: Rule) -> list[str]:
    """Fields of the rule's events that lossy collectors lose, as far as the events are known."""
    known = frozenset().union(*(_fields(target, rule) for target in select(rule.logsource).targets))
    return [name for name in _OFTEN_EMPTY if name in known]


def _spare_fields(rule: Rule) -> list[str]:
    named = fields_in(rule.condition)
    return [name for name in known_fields(rule) if name not in named]


def _alternative_fields(node: Node) -> list[str]:
    """Often empty fields that stand in an `or` beside a line of another field, outside of every `not`."""
    if isinstance(node, Selection):
        return _alternative_fields(node.child)
    if isinstance(node, FieldTest | Not):
        return []
    found = [name for child in node.children for name in _alternative_fields(child)]
    if isinstance(node, Or):
        lines = [child.child if isinstance(child, Selection) else child for child in node.children]
        fields = [line.field for line in lines if isinstance(line, FieldTest)]
        found += [name for name in fields if name in _OFTEN_EMPTY and set(fields) != {name}]
    return list(dict.fromkeys(found))
