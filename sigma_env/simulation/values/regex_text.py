"""Texts that RE2 expressions match."""

import random
import re
import string
from functools import lru_cache
from typing import NamedTuple

from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import Regex
from sigma_env.simulation.values.regex_syntax import (
    Chars,
    Choice,
    Place,
    Repeat,
    Sequence,
    Tree,
    UnreadRegex,
    Word,
    parse,
)

_ATTEMPTS = 40
_MORE = 3
"""Repeats are at most this many more than they must be."""
_LONGEST = 6_000
_DIGIT = Chars(frozenset(string.digits))
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_OCTETS = {1: (1, 9), 2: (10, 99), 3: (100, 250)}
_PREFERRED = (string.ascii_lowercase, string.digits, string.ascii_uppercase)


class Written(NamedTuple):
    """A text of an expression.

    Attributes:
        text: what the expression matches.
        begins: nothing may stand before it.
        ends: nothing may stand after it.
    """

    text: str
    begins: bool
    ends: bool


def write_text(pattern: Regex, rng: random.Random) -> Written | None:
    """A text that the expression matches, short where it leaves that open; None if none was found.

    An expression that may stand anywhere gets a text that does not depend on what is around it, except for word
    boundaries at its ends.
    """
    try:
        tree = tree_of(pattern.pattern, pattern.flags)
    except UnreadRegex:
        return None
    program = compile_regex(pattern.pattern, pattern.flags)
    for attempt in range(_ATTEMPTS):
        writer = _Writer(rng, plain=attempt < 2)
        writer.write(tree)
        found = writer.result()
        if found is None:
            continue
        found = found._replace(text=_with_addresses(found.text, rng))
        for text in (found.text, f"{found.text}a", f"a{found.text}"):  # `\\B` at an end wants a letter behind it
            if program.search(text) is not None:
                return found._replace(text=text)
    return None


def _with_addresses(text: str, rng: random.Random) -> str:
    """The text with what is written like an IPv4 address made one, of as many digits."""

    def octet(digits: re.Match[str]) -> str:
        text = digits[0]
        if int(text) < 256 and (text[0] != "0" or text == "0"):
            return text
        return str(rng.randint(*_OCTETS[len(text)]))

    return _ADDRESS.sub(lambda found: re.sub(r"\d+", octet, found[0]), text)


@lru_cache(maxsize=512)
def tree_of(expression: str, flags: str) -> Tree:
    """`parse`, kept for the next time."""
    return parse(expression, flags)


class _Writer:
    """Writes one text; `plain`: the fewest repeats, no unusual characters."""

    def __init__(self, rng: random.Random, *, plain: bool) -> None:
        self._rng, self._plain = rng, plain
        self._out: list[str] = []
        self._begin: int | None = None
        self._end: int | None = None
        self._filler: set[int] = set()
        """Where characters stand that the expression says nothing of."""
        self._word_ends = False

    def result(self) -> Written | None:
        text = "".join(self._out)
        length = len(self._out)
        if (self._begin or 0) != 0 or (self._end is not None and self._end != length):
            return None  # something stands before a begin or after an end
        return Written(text, self._begin is not None, self._end is not None)

    def write(self, tree: Tree) -> None:
        match tree:
            case Word(char, folded):
                self._word_ends = False
                self._out.append(char if not folded or self._rng.random() < 0.8 else char.swapcase())
            case Chars(among, named):
                if not named:
                    self._filler.add(len(self._out))
                self._out.append(self._pick(among, named=named))
            case Sequence(parts):
                for at, part in enumerate(parts):
                    if isinstance(part, Chars) and "C" in part.among and parts[at + 1 : at + 2] == (Word(":", False),):
                        self._out.append("C")  # a drive
                    else:
                        self.write(part)
            case Choice(options):
                self.write(self._rng.choice(options))
            case Repeat():
                self._repeat(tree)
            case Place(kind):
                self._place(kind)

    def _repeat(self, tree: Repeat) -> None:
        room = _MORE if tree.most is None else min(tree.most - tree.least, _MORE)
        times = tree.least
        if isinstance(tree.body, Chars) and not tree.body.named:
            times += min(room, max(0, 4 - tree.least))  # `.+`: a word, not a letter
        elif not self._plain or tree.least == 0 or tree.body == _DIGIT:
            times += self._rng.randint(0, 1 if self._plain and tree.body != _DIGIT else room)
        for _ in range(times):
            if len(self._out) > _LONGEST:
                break
            self.write(tree.body)

    def _pick(self, among: frozenset[str], *, named: bool) -> str:
        if self._word_ends and not named and " " in among:
            self._word_ends = False
            return " "
        if " " in among and named and among <= frozenset(" \t\r\n\f\v"):
            return " "
        if not named or len(among) > 20:
            for alphabet in _PREFERRED[: 1 if not named else 3]:
                usable = [char for char in alphabet if char in among]
                if len(usable) > 5 and (not named or self._rng.random() < 0.6):
                    return self._rng.choice(usable)
        return self._rng.choice(_sorted(among)) if among else ""

    def _place(self, kind: str) -> None:
        at = len(self._out)
        if kind == "begin" or (kind == "line_begin" and at == 0):
            self._begin = at if self._begin is None else self._begin
        elif kind == "end":
            self._end = at if self._end is None else self._end
        elif kind == "boundary" and at:
            if at - 1 in self._filler:
                self._out[-1] = " "
            else:
                self._word_ends = _is_word(self._out[-1])
        elif kind in ("line_begin", "line_end") and self._out and self._out[-1] != "\n":
            self._out.append("\n")


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


@lru_cache(maxsize=512)
def _sorted(among: frozenset[str]) -> list[str]:
    return sorted(among)
