"""New names for old ones: one mapping for all rules of a dataset."""

import random
import re
from collections.abc import Iterable
from typing import Final

_CONSONANTS: Final = "bcdfghjklmnprstvwz"
_VOWELS: Final = "aeiou"
_DIGITS: Final = "0123456789abcdef"
_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_FIRST_OCTETS: Final = (45, 77, 91, 138, 185, 193)
_TRIES: Final = 200
_SUBSTRING_FROM: Final = 5
"""Characters from which on a new name may not even be part of a known one; shorter ones are part of anything."""


class Renamer:
    """Gives each name one new one, which occurs in none of the known texts.

    New names have the length, the casing and the digits of the old ones. The same names in the same order give the
    same new ones.

    Args:
        known: texts, such as all rules of a collection, in which no new name may occur.
        seed: another seed gives other names.
    """

    def __init__(self, known: Iterable[str], seed: int) -> None:
        words: set[str] = set()
        for text in known:
            words.update(word.lower() for word in _WORD.findall(text))
        self._seed = seed
        self._taken = words
        self._joined = "\n".join(sorted(words))
        self._new: dict[str, str] = {}

    def name(self, old: str) -> str:
        """The new name for a run of letters and digits, in its casing."""
        key = old.lower()
        new = self._new.get(key)
        if new is None:
            new = self._new[key] = self._made(key)
            self._taken.add(new)
        return "".join(n.upper() if o.isupper() else n for o, n in zip(old, new, strict=True))

    def hexadecimal(self, old: str) -> str:
        """New hexadecimal digits for old ones, in their casing; everything else, such as dashes, stays."""
        rng = random.Random(f"{self._seed}|hexadecimal|{old.lower()}")
        made = "".join(rng.choice(_DIGITS) if c.isalnum() else c for c in old)
        return made.upper() if any(map(str.isupper, old)) else made

    def port(self, old: int) -> int:
        """Another port, with as many digits, that no known text names."""
        least, most = (10 ** (len(str(old)) - 1), 10 ** len(str(old)) - 1)
        rng = random.Random(f"{self._seed}|port|{old}")
        for _ in range(_TRIES):
            new = rng.randint(max(100, least), max(999, min(65_000, most)))
            if str(new) not in self._taken:
                return new
        return old

    def address(self, old: str) -> str:
        """Another public IPv4 address."""
        rng = random.Random(f"{self._seed}|address|{old}")
        return ".".join(str(part) for part in (rng.choice(_FIRST_OCTETS), *rng.choices(range(11, 250), k=3)))

    def _made(self, key: str) -> str:
        rng = random.Random(f"{self._seed}|name|{key}")
        for _ in range(_TRIES):
            new = _pronounceable(key, rng)
            if new not in self._taken and (len(new) < _SUBSTRING_FROM or new not in self._joined):
                return new
        while (new := "".join(rng.choice(_CONSONANTS) if c.isalpha() else c for c in key)) in (key, ""):
            pass
        return new


def _pronounceable(old: str, rng: random.Random) -> str:
    """Letters in the place of letters, a vowel mostly after a consonant; digits stay."""
    made, was_vowel, consonants = "", rng.random() < 0.7, 0
    for character in old:
        if character.isdigit():
            made += character
            continue
        is_vowel = not was_vowel and (consonants > 1 or rng.random() < 0.8)
        made += rng.choice(_VOWELS if is_vowel else _CONSONANTS)
        consonants = 0 if is_vowel else consonants + 1
        was_vowel = is_vowel
    return made
