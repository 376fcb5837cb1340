"""The condition of a rule as one text, and what it counts behind its bar."""

import re
from typing import Any, Final

from sigma_env.sigma.chainsaw_detection import check_path
from sigma_env.sigma.chainsaw_tree import Aggregate
from sigma_env.sigma.chainsaw_values import NotLoaded
from sigma_env.sigma.switches import Switch

_COUNT: Final = re.compile(r"count\(([^()\s]*)\)(?:\s+by\s+(\S+))?\s+(>=|<=|>|<|=)\s+([0-9]{1,18})(?:\s|\Z)")
_COMPARISONS: Final[dict[str, Any]] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq"}


def condition_text(written: Any) -> str:
    """The one condition of a rule.

    Raises:
        NotLoaded: there is not just one.
    """
    if isinstance(written, list) and len(written) == 1:
        written = written[0]
    if not isinstance(written, str):
        raise NotLoaded("condition must be a string")
    return written


def split_aggregate(text: str) -> tuple[str, str | None]:
    """A condition and what stands behind its first bar."""
    proper, bar, rest = text.partition(" | ")
    return proper, rest if bar else None


def aggregate_of(written: Any, on: frozenset[Switch]) -> Aggregate | None:
    """What a condition counts.

    Raises:
        NotLoaded: it counts in a way that is not served.
    """
    if isinstance(written, list) and len(written) != 1:
        return None
    text = split_aggregate(condition_text(written))[1]
    if text is None:
        return None
    if Switch.COUNT not in on:
        raise NotLoaded("aggregations are not served")
    name = text.strip().partition("(")[0]
    if name != "count":
        raise NotLoaded(f"unsupported agg function - {name.split()[0] if name.split() else ''}")
    found = _COUNT.match(text.strip())
    if found is None:
        raise NotLoaded(f"invalid agg condition - {text}")
    fields = tuple(field for field in (found[1], found[2]) if field)
    for field in fields:
        check_path(field, on)
    return Aggregate(fields, _COMPARISONS[found[3]], int(found[4]))
