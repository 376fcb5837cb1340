"""Choices that a scene's number makes: the same on every machine, and cheap enough for every field of every event."""

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

_T = TypeVar("_T")

_MASK = (1 << 64) - 1
# Multipliers of SplitMix64 (Steele, Lea and Flood 2014).
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def salt(purpose: str) -> int:
    """A number that stands for what is chosen, so that a scene's choices do not hang together."""
    return crc32(purpose.encode()) * 0x9E3779B97F4A7C15 & _MASK


def mixed(number: int, salted: int) -> int:
    """A number of 32 bits that depends on all bits of both.

    Args:
        number: of the scene.
        salted: what `salt` gives.
    """
    x = (number ^ number >> 30 ^ salted) * _FIRST & _MASK
    return (x ^ x >> 27) * _SECOND >> 31 & 0xFFFFFFFF


def pick(options: Sequence[_T], number: int, salted: int) -> _T:
    """One of the options; see `mixed`."""
    return options[mixed(number, salted) % len(options)]
