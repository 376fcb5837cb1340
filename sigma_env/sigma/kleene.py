"""Kleene's three-valued logic, where None is open: neither known to be true nor known to be false."""

from collections.abc import Iterable


def negation(truth: bool | None) -> bool | None:
    """Not."""
    return None if truth is None else not truth


def conjunction(truths: Iterable[bool | None]) -> bool | None:
    """And: false if any is false."""
    result: bool | None = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def disjunction(truths: Iterable[bool | None]) -> bool | None:
    """Or: true if any is true."""
    result: bool | None = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            result = None
    return result
