"""The words of composed rules, in two halves that share nothing: what is learnt in training names nothing held out.

Each word belongs to one half by its own hash, whatever the seed. No word of one half is part of a word of the other,
and a text that is put together of one half's words is checked for words of the other that arise where two meet.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import yaml

Half = Literal["training", "held_out"]
"""Which rules a word belongs to."""

HALVES: Final[tuple[Half, ...]] = get_args(Half)

_STEMS: Final = 6_000
_SHORTEST_STEM: Final = 5
_LONGEST_STEM: Final = 7
_UNMET_OF: Final = 5


class Vocabulary(NamedTuple):
    """The words of one half.

    Attributes:
        half: whose words these are.
        stems: invented names, lower-case.
        unmet: every fifth invented name of training, none of the other half: for tasks whose names no pair has.
        words: English ones, lower-case.
        programs: real ones, without extension.
        folders: beginnings, middles and whole paths of real folders, with a backslash at the end.
        keys: parts of real registry keys, between backslashes.
        foreign: words of the other half.
        lengths: how long those are.
    """

    half: Half
    stems: tuple[str, ...]
    unmet: tuple[str, ...]
    words: tuple[str, ...]
    programs: tuple[str, ...]
    folders: tuple[str, ...]
    keys: tuple[str, ...]
    foreign: frozenset[str]
    lengths: tuple[int, ...]

    def holds_foreign(self, text: str) -> bool:
        """Whether a text holds, in any casing and anywhere, a word of the other half."""
        text, foreign = text.lower(), self.foreign
        for length in self.lengths:
            for at in range(len(text) - length + 1):
                if text[at : at + length] in foreign:
                    return True
        return False


@lru_cache(maxsize=1)
def stock() -> Mapping[str, Any]:
    """The table `stock.yaml` beside this file."""
    text = Path(__file__).with_name("stock.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return table


@lru_cache(maxsize=2)
def vocabulary(half: Half) -> Vocabulary:
    """The words of a half."""
    [other] = [each for each in HALVES if each != half]
    words = {each: tuple(word for word in stock()["words"] if half_of(word) == each) for each in HALVES}
    stems = {each: tuple(stem for stem in _stems() if half_of(stem) == each) for each in HALVES}
    foreign = frozenset((*words[other], *stems[other]))
    unmet = frozenset(stem for stem in stems["training"] if _hash(stem) // len(HALVES) % _UNMET_OF == 0)
    return Vocabulary(
        half,
        tuple(stem for stem in stems[half] if stem not in unmet),
        tuple(stem for stem in stems[half] if stem in unmet),
        words[half],
        tuple(program for program in stock()["programs"] if half_of(program) == half),
        tuple(stock()["folders"][half]),
        tuple(stock()["keys"][half]),
        foreign,
        tuple(sorted({len(word) for word in foreign})),
    )


def half_of(word: str) -> Half:
    """Which half a word belongs to."""
    return HALVES[_hash(word) % len(HALVES)]


def _hash(word: str) -> int:
    return blake2b(word.lower().encode(), digest_size=1).digest()[0]


@lru_cache(maxsize=1)
def _stems() -> tuple[str, ...]:
    """Invented names, none of which is part of another, of a word, or of anything else that rules are made of."""
    parts = [stock()[name] for name in ("onsets", "vowels", "middles", "vowels", "endings")]
    every = ["".join(syllables) for syllables in product(*parts)]
    chosen = random.Random("stems").sample(every, 2 * _STEMS)
    usable = [stem for stem in dict.fromkeys(chosen) if _SHORTEST_STEM <= len(stem) <= _LONGEST_STEM]
    taken = "\n".join(_strings(stock())).lower()
    parts_of_others = frozenset((*usable, *stock()["words"]))
    free = [stem for stem in usable if stem not in taken and not parts_of_others.intersection(_parts(stem))]
    return tuple(free[:_STEMS])


def _strings(table: object) -> Iterator[str]:
    if isinstance(table, str):
        yield table
    elif isinstance(table, Mapping):
        for value in table.values():
            yield from _strings(value)
    elif isinstance(table, Sequence):
        for value in table:
            yield from _strings(value)


def _parts(text: str) -> Iterator[str]:
    """The texts that are part of one but not all of it."""
    for at in range(len(text)):
        yield from (text[at:end] for end in range(at + 1, len(text) + 1) if end - at < len(text))
