"""What a field of an event is to hold: a text, or for unnamed `Data` several, that satisfy all that is asked of it.

A rule's line holds on `Data` if any of its elements satisfies it, and fails if none does. So each thing that is asked
for is put into the element that looks most like it, and what is forbidden is taken out of all of them.
"""

import random
import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from sigma_env.sigma.rule import Pattern
from sigma_env.simulation.cases.frame import slot_name
from sigma_env.simulation.cases.work import Demand, Work, later_text
from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.schema import FieldSpec
from sigma_env.simulation.values import Need, misses, solve
from sigma_env.simulation.values.literal import plain_text, satisfies

_NEAR_TEXTS: Final = 4
_WORDS: Final = re.compile(r"[a-z0-9]+")
_PROSE: Final = 3
"""Words from which on a text can hold more than one thing."""


class Texts:
    """Finds what fields of one event can hold.

    Args:
        work: the event; it is not changed.
        rng: chooses what is open.
    """

    def __init__(self, work: Work, rng: random.Random) -> None:
        self._work, self._rng = work, rng

    def solved(self, spec: FieldSpec, demands: Sequence[Demand]) -> FieldValue | None:
        """A value of a field that satisfies demands, near to the one that it has; None if none is found."""
        require = [demand.need for demand in demands if demand.need is not None]
        forbid = [pattern for demand in demands for pattern in demand.forbid]
        origin = self._work.origin.get(slot_name(spec))
        value = self._work.values.get(slot_name(spec))
        if isinstance(value, tuple):
            return self._elements(value, origin if isinstance(origin, tuple) else value, require, forbid)
        natural = self._natural(spec)
        return self._text(spec, natural, origin if isinstance(origin, str) else natural, require, forbid)

    def _natural(self, spec: FieldSpec) -> str:
        if spec.name == "User" and "User" not in self._work.values:
            found = self._work.texts("User")
            return (found[0] if found else None) or "-"
        value = self._work.values.get(slot_name(spec))
        return value if isinstance(value, str) else later_text(spec, self._rng)

    def _elements(
        self, before: tuple[str, ...], origin: tuple[str, ...], require: Sequence[Need], forbid: Sequence[Pattern]
    ) -> tuple[str, ...] | None:
        """The unnamed values with as few of them changed as that takes."""
        specs = [spec for spec in self._work.frame.schema.fields if spec.name is None]
        texts = list(before)
        held: list[list[Need]] = [[] for _ in texts]
        missing: list[Need] = []
        for need in require:
            at = next((at for at, text in enumerate(texts) if satisfies(text, (need,), ())), None)
            (missing if at is None else held[at]).append(need)
        for need in missing:
            for at in self._likeliest(need, texts, held):
                text = self._text(specs[at], texts[at], origin[at], [*held[at], need], forbid)
                if text is not None:
                    texts[at] = text
                    held[at].append(need)
                    break
            else:
                return None
        for at, text in enumerate(texts):
            allowed = self._text(specs[at], text, origin[at], held[at], forbid)
            if allowed is None:
                return None
            texts[at] = allowed
        return tuple(texts)

    def _likeliest(self, need: Need, texts: Sequence[str], held: Sequence[Sequence[Need]]) -> list[int]:
        """The elements in the order in which they are tried.

        First those that share words with what is asked for; of others a long text that holds something else already,
        then those that hold nothing yet, from one on that the scene decides.
        """
        words = set(_WORDS.findall(need.written.lower()))
        first = self._work.scene.number

        def rank(at: int) -> tuple[int, int, int]:
            there = _WORDS.findall(texts[at].lower())
            fits = 1 if not held[at] else 0 if len(there) >= _PROSE else 2
            return -len(words.intersection(there)), fits, (at - first) % len(texts)

        return sorted(range(len(texts)), key=rank)

    def _text(
        self, spec: FieldSpec, natural: str, origin: str, require: Sequence[Need], forbid: Sequence[Pattern]
    ) -> str | None:
        starts = (natural,) if origin == natural else (natural, origin)
        for start in starts if forbid else ():
            found = self._missed(start, spec, require, forbid)
            if found is not None:
                return found
        return solve(require, forbid, spec, self._rng, natural)

    def _missed(self, text: str, spec: FieldSpec, require: Sequence[Need], forbid: Sequence[Pattern]) -> str | None:
        """A text near one that satisfies all but what is forbidden."""
        broken = next((pattern for pattern in forbid if not satisfies(text, (), (pattern,))), None)
        if broken is None or not satisfies(text, require, ()):
            return None
        near = misses(text, Need(broken, plain_text(broken)), spec, self._rng, forbid, require)
        found = list(islice(near, self._rng.randrange(_NEAR_TEXTS) + 1))
        return found[-1] if found else None
