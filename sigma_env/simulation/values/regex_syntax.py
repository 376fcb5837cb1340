"""RE2 expressions as trees, for writing texts that they match."""

import re
import string
from typing import Literal, NamedTuple, TypeAlias

from sigma_env.errors import SigmaEnvError

_DIGITS = frozenset(string.digits)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_SPACE = frozenset(" \t\n\r\f")
ALPHABET = "".join(map(chr, range(32, 127))) + "\t\r\n"
"""What is chosen from where an expression only says what a character is not."""
_ANY = frozenset(ALPHABET)
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_POSIX = {
    "alpha": frozenset(string.ascii_letters),
    "digit": _DIGITS,
    "alnum": frozenset(string.ascii_letters + string.digits),
    "upper": frozenset(string.ascii_uppercase),
    "lower": frozenset(string.ascii_lowercase),
    "space": _SPACE | {"\v"},
    "blank": frozenset(" \t"),
    "punct": frozenset(string.punctuation),
    "word": _WORD,
    "xdigit": frozenset(string.hexdigits),
    "ascii": _ANY,
    "cntrl": frozenset("\t\r\n"),
    "graph": _ANY - _SPACE,
    "print": _ANY - frozenset("\t\r\n"),
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]*))?([:)])")
_NAME = re.compile(r"\?P?<[^>]*>")


class Chars(NamedTuple):
    """One character out of `among`; `named` if the expression says which, not which not."""

    among: frozenset[str]
    named: bool = True


class Word(NamedTuple):
    """A literal character; `folded` if its case does not count."""

    char: str
    folded: bool


class Place(NamedTuple):
    """A place: the begin or end of the text or of a line, or (not) a word's boundary."""

    kind: Literal["begin", "end", "line_begin", "line_end", "boundary", "inside"]


class Sequence(NamedTuple):
    """One after the other."""

    parts: "tuple[Tree, ...]"


class Choice(NamedTuple):
    """One of several."""

    options: "tuple[Tree, ...]"


class Repeat(NamedTuple):
    """`body` at least `least` times; `most` None if there is no bound."""

    body: "Tree"
    least: int
    most: int | None


Tree: TypeAlias = Chars | Word | Place | Sequence | Choice | Repeat


class UnreadRegex(SigmaEnvError):
    """The expression has a part that this reader does not know, such as a Unicode class."""


def parse(expression: str, flags: str = "") -> Tree:
    """The tree of an expression that RE2 accepts.

    Args:
        expression: as written.
        flags: a subset of "ims".

    Raises:
        UnreadRegex: a part is not known here; the message quotes it.
    """
    return _Reader(expression, frozenset(flags)).read()


class _Reader:
    def __init__(self, text: str, flags: frozenset[str]) -> None:
        self._text, self._at, self._flags = text, 0, flags

    def read(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._text):
            raise self._unread()
        return tree

    def _unread(self) -> UnreadRegex:
        return UnreadRegex(f"regular expression: {self._text[self._at : self._at + 20]!r} is not known; write it plain")

    def _choice(self) -> Tree:
        options = [self._sequence()]
        while self._text.startswith("|", self._at):
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self) -> Tree:
        parts: list[Tree] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            part = self._repeated(self._one())
            if isinstance(part, Sequence):
                parts += part.parts
            else:
                parts.append(part)
        return Sequence(tuple(parts))

    def _repeated(self, body: Tree) -> Tree:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in "*+?":
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
                self._at += 1
            elif found := _COUNT.match(self._text, self._at):
                least = int(found[1])
                most = (int(found[3]) if found[3] else None) if found[2] else least
                self._at = found.end()
            else:
                break
            if self._text.startswith("?", self._at):
                self._at += 1  # lazy: the same texts
            body = Repeat(body, least, most)
        return body

    def _one(self) -> Tree:
        char = self._text[self._at]
        self._at += 1
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        if char == ".":
            return Chars(_ANY if "s" in self._flags else _ANY - {"\n"}, named=False)
        if char in "^$":
            begins = char == "^"
            if "m" in self._flags:
                return Place("line_begin" if begins else "line_end")
            return Place("begin" if begins else "end")
        return Word(char, "i" in self._flags)

    def _group(self) -> Tree:
        outer = self._flags
        if found := _FLAGS.match(self._text, self._at):
            self._flags = (outer | frozenset(found[1])) - frozenset(found[2] or "")
            self._at = found.end()
            if found[3] == ")":
                return Sequence(())  # the flags hold to the end of the group that this stands in
        elif found := _NAME.match(self._text, self._at):
            self._at = found.end()
        elif self._text.startswith("?", self._at):
            raise self._unread()
        tree = self._choice()
        self._flags = outer
        self._at += 1
        return tree if not isinstance(tree, Sequence) or len(tree.parts) != 1 else tree.parts[0]

    def _escape(self) -> Tree:
        char = self._text[self._at]
        self._at += 1
        if char in "bB":
            return Place("boundary" if char == "b" else "inside")
        if char in "Az":
            return Place("begin" if char == "A" else "end")
        if char == "Q":
            end = self._text.find("\\E", self._at)
            quoted = self._text[self._at : end if end >= 0 else None]
            self._at = end + 2 if end >= 0 else len(self._text)
            return Sequence(tuple(Word(c, "i" in self._flags) for c in quoted))
        found = self._escaped_class(char)
        if found is not None:
            return found
        return Word(self._escaped_char(char), "i" in self._flags)

    def _escaped_class(self, char: str) -> Chars | None:
        if char.lower() in _CLASSES:
            among = _CLASSES[char.lower()]
            return Chars(among) if char.islower() else Chars(_ANY - among, named=False)
        if char in "pPC":
            self._at -= 2
            raise self._unread()
        return None

    def _escaped_char(self, char: str) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            found = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})").match(self._text, self._at)
            if found is None:
                raise self._unread()
            self._at = found.end()
            return chr(int(found[1] or found[2], 16))
        if char in string.digits:
            found = re.compile(r"[0-7]{0,2}").match(self._text, self._at)
            assert found is not None  # it can be empty
            self._at = found.end()
            return chr(int(char + found[0], 8))
        return char

    def _set(self) -> Tree:
        negated = self._text.startswith("^", self._at)
        self._at += negated
        among: set[str] = set()
        first = True
        while first or not self._text.startswith("]", self._at):
            first = False
            among |= self._member()
        self._at += 1
        if "i" in self._flags:
            among |= {c.lower() for c in among} | {c.upper() for c in among}
        return Chars(_ANY - among, named=False) if negated else Chars(frozenset(among))

    def _member(self) -> frozenset[str]:
        if self._text.startswith("[:", self._at):
            name, _, _ = self._text[self._at + 2 :].partition(":]")
            self._at += len(name) + 4
            known = _POSIX.get(name.lstrip("^"))
            if known is None:
                raise self._unread()
            return _ANY - known if name.startswith("^") else known
        low = self._set_char()
        if isinstance(low, frozenset):
            return low
        if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
            self._at += 1
            high = self._set_char()
            if isinstance(high, str):
                return frozenset(map(chr, range(ord(low), min(ord(high), ord(low) + 512) + 1)))
            return frozenset({low, "-"}) | high
        return frozenset(low)

    def _set_char(self) -> str | frozenset[str]:
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            return char
        char = self._text[self._at]
        self._at += 1
        found = self._escaped_class(char)
        return self._escaped_char(char) if found is None else found.among
