"""Which event types a part of a rule is about, and which fields they have."""

import difflib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sigma_env.sigma.event_fields import fields_of
from sigma_env.sigma.lint.constraints import Demand, demands, exact_texts
from sigma_env.sigma.rule import And, FieldTest, LogSource, Node, Not, Or, Selection, Text
from sigma_env.sigma.taxonomy import fixed_fields, select

_MOST_TYPES = 500


class Part(NamedTuple):
    """A test or a negation in its surroundings.

    Attributes:
        node: it.
        required: what holds of every event on which it matters.
        negated: it stands under an odd number of `not`.
    """

    node: FieldTest | Not
    required: tuple[Demand, ...]
    negated: bool


def parts_of(node: Node, required: tuple[Demand, ...], negated: bool = False) -> Iterator[Part]:
    """Every test and negation of a rule, from the outside in."""
    if isinstance(node, Selection):
        yield from parts_of(node.child, required, negated)
    elif isinstance(node, And | Or):
        for i, child in enumerate(node.children):
            others = node.children[:i] + node.children[i + 1 :] if isinstance(node, And) else ()
            extended = required + tuple(demand for other in others for demand in demands(other))
            yield from parts_of(child, extended, negated)
    elif isinstance(node, Not):
        yield Part(node, required, negated)
        yield from parts_of(node.child, required, not negated)
    else:
        yield Part(node, required, negated)


def demands_of_logsource(logsource: LogSource) -> tuple[Demand, ...]:
    """What a logsource demands: its EventIDs, and the fields that they fix."""
    targets = select(logsource).targets
    if not targets or any(target.event_ids is None or target.channel is None for target in targets):
        return ()
    fixed = [fixed_fields(target.channel or "", i) for target in targets for i in sorted(target.event_ids or ())]
    names = [name for name in fixed[0] if all(name in other for other in fixed)]
    return tuple(
        Demand(name, tuple(Text("equals", text.lower()) for other in fixed for text in sorted(other[name])))
        for name in names
    )


def event_types(logsource: LogSource, required: Iterable[Demand]) -> list[tuple[str, int]] | None:
    """The (channel, EventID) pairs on which a part matters; None if these are not all known."""
    required = list(required)
    texts = exact_texts(required, "EventID")
    wanted = None if texts is None else frozenset(int(text) for text in texts if text.isdecimal() and len(text) < 10)
    pairs: list[tuple[str, int]] = []
    for channel, event_ids, _ in select(logsource).targets:
        ids = wanted if event_ids is None else event_ids if wanted is None else event_ids & wanted
        if ids is None or channel is None:
            return None
        pairs += [(channel, event_id) for event_id in sorted(ids)]
    return pairs if len(pairs) <= _MOST_TYPES else None


def known_fields(logsource: LogSource, required: Iterable[Demand]) -> frozenset[str] | None:
    """Every field that an event on which a part matters may have; None if that is not known of all event types.

    A service may have several channels, of which most machines have one: an EventID known of one is known.
    """
    required = tuple(required)
    pairs = event_types(logsource, required)
    if not pairs:
        return None
    providers = exact_texts(required, "Provider_Name")
    by_id: dict[int, frozenset[str]] = {}
    for channel, event_id in pairs:
        names = by_id.setdefault(event_id, frozenset())
        for provider in providers or fixed_fields(channel, event_id).get("Provider_Name", frozenset()):
            names |= fields_of(channel, event_id, provider, logsource.category) or frozenset()
        by_id[event_id] = names
    return frozenset().union(*by_id.values()) if all(by_id.values()) else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant."""
    by_lower = {other.lower(): other for other in sorted(known)}
    near = difflib.get_close_matches(name.lower()[:64], by_lower, n=1, cutoff=0.7)
    return by_lower[near[0]] if near else None
