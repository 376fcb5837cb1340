"""Which fields say nothing about what happened; the list and its reasons are in `volatile.yaml` beside this file."""

from functools import lru_cache
from pathlib import Path

import yaml


def volatile_fields(channel: str) -> frozenset[str]:
    """The volatile fields of a channel's events, as the events name them; the channel is compared without case."""
    everywhere, in_channel = _lists()
    return everywhere | in_channel.get(channel.lower(), frozenset())


@lru_cache(maxsize=1)
def _lists() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    text = Path(__file__).with_name("volatile.yaml").read_text(encoding="utf-8")
    lists = yaml.load(text, Loader=yaml.CSafeLoader)
    in_channel = {channel.lower(): frozenset(names) for channel, names in lists["in_channel"].items()}
    return frozenset(lists["everywhere"]), in_channel
