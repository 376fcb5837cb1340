"""Required patterns as pieces of text to be put together: how it begins, what stands in it, how it ends."""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from sigma_env.sigma.rule import Cidr, Compare, Exists, Glob, Null, Regex, Text, TextOp, Wildcard
from sigma_env.simulation.values.filler import between, character
from sigma_env.simulation.values.jointly import Words, write_jointly
from sigma_env.simulation.values.literal import Need, cut_like
from sigma_env.simulation.values.regex_text import write_text

Place = Literal["whole", "head", "tail", "inner"]
_PLACES: dict[TextOp, Place] = {"equals": "whole", "startswith": "head", "endswith": "tail", "contains": "inner"}


class Goal(NamedTuple):
    """What a text consists of, all of it in the author's casing.

    Attributes:
        whole: the whole text, if a pattern says it.
        head: how it begins; '' if that is open.
        tail: how it ends; '' if that is open.
        inner: what else stands in it, in any order; nothing that another piece holds.
        networks: CIDR blocks that hold it.
        bounds: comparisons that it satisfies as a number.
    """

    whole: str | None
    head: str
    tail: str
    inner: tuple[str, ...]
    networks: tuple[str, ...] = ()
    bounds: tuple[Compare, ...] = ()


def goal_of(require: Sequence[Need], rng: random.Random, *, jointly: bool = False) -> Goal | None:
    """The pieces of some patterns; what they leave open inside of a pattern is filled; None if nothing can be all.

    `jointly`: a text of one pattern is looked for that has in it what the others ask for; else they stand side by side.
    Needs without a pattern about one text (Exists, a reference to another field) ask for nothing here.
    """
    fixed = _fixed_goal(tuple(require))
    if fixed is None and jointly and (joint := _jointly(require, rng)) is not None:
        return Goal(joint, "", "", ())
    return fixed if fixed is not None else _goal(require, rng)


@lru_cache(maxsize=8192)
def _fixed_goal(require: tuple[Need, ...]) -> Goal | None:
    """The goal if no pattern leaves anything open inside."""
    if any(isinstance(need.pattern, Glob | Regex) for need in require):
        return None
    return _goal(require, None)


def _goal(require: Sequence[Need], rng: random.Random | None) -> Goal | None:
    """The same; without `rng` only for patterns that leave nothing open."""
    found: dict[Place, list[str]] = {"whole": [], "head": [], "tail": [], "inner": []}
    networks: list[str] = []
    bounds: list[Compare] = []
    for need in require:
        pattern = need.pattern
        if isinstance(pattern, Cidr):
            networks.append(pattern.network)
        elif isinstance(pattern, Compare):
            bounds.append(pattern)
        elif isinstance(pattern, Null) or (isinstance(pattern, Exists) and not pattern.present):
            return None
        elif isinstance(pattern, Text | Glob | Regex):
            piece = _piece(need, rng)
            if piece is None:
                return None
            found[piece[0]].append(piece[1])
    head, tail = max(found["head"], key=len, default=""), max(found["tail"], key=len, default="")
    whole = found["whole"][-1] if found["whole"] else None
    return Goal(whole, head, tail, _needed(found["inner"], head, tail), tuple(networks), tuple(bounds))


def _jointly(require: Sequence[Need], rng: random.Random) -> str | None:
    """A text of a pattern that leaves something open which has what the others ask for in it, now and then."""
    opened = [need for need in require if isinstance(need.pattern, Glob | Regex)]
    if len(require) < 2:
        return None
    places: dict[Place, list[str]] = {"whole": [], "head": [], "tail": [], "inner": []}
    for need in require:
        if isinstance(need.pattern, Text):
            places[_PLACES[need.pattern.op]].append(need.written)
    if places["whole"]:
        return places["whole"][0]
    head, tail = max(places["head"], key=len, default=""), max(places["tail"], key=len, default="")
    return write_jointly(rng.choice(opened), Words(head, tail, _needed(places["inner"], head, tail)), rng)


def _piece(need: Need, rng: random.Random | None) -> tuple[Place, str] | None:
    """What a pattern about words asks for, and where it must stand; None if no text was found."""
    pattern, written = need
    if isinstance(pattern, Text):
        return _PLACES[pattern.op], written
    if rng is None:
        return None
    if isinstance(pattern, Glob):
        begins, ends, text = _filled(cut_like(pattern, written), rng)
    elif isinstance(pattern, Regex) and (found := write_text(pattern, rng)) is not None:
        text, begins, ends = found
    else:
        return None
    return ("whole" if begins and ends else "head" if begins else "tail" if ends else "inner"), text


def _needed(inner: Sequence[str], head: str, tail: str) -> tuple[str, ...]:
    """The pieces that no other piece holds."""
    if not inner:
        return ()
    lower = [piece.lower() for piece in inner]
    ends = (head.lower(), tail.lower())
    kept = []
    for at, piece in enumerate(inner):
        low = lower[at]
        if any(low in end for end in ends):
            continue
        if any(
            (low in other and low != other) or (low == other and i < at) for i, other in enumerate(lower) if i != at
        ):
            continue
        kept.append(piece)
    return tuple(kept)


def _filled(parts: Sequence[object], rng: random.Random) -> tuple[bool, bool, str]:
    """A wildcard pattern with its inside filled, and whether it is fixed to the text's begin and end."""
    begins, ends = parts[0] is not Wildcard.MANY, parts[-1] is not Wildcard.MANY
    text = ""
    for at, part in enumerate(parts):
        after = next((p for p in parts[at + 1 :] if isinstance(p, str)), "")
        if isinstance(part, str):
            text += part
        elif part is Wildcard.ONE:
            text += character(text, after, rng)
        elif 0 < at < len(parts) - 1:
            text += between(text, after, rng)
    return begins, ends, text


def in_text(piece: str, lower: str) -> bool:
    """Whether a lower-case text already holds a piece, whatever its casing."""
    return piece.lower() in lower
