"""Texts that an expression or a wildcard pattern accepts and that begin, end or are made with given words as well."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Glob, Regex, Wildcard
from sigma_env.simulation.values import regex_syntax as syntax
from sigma_env.simulation.values.filler import word
from sigma_env.simulation.values.literal import Need, accepts, cut_like
from sigma_env.simulation.values.regex_syntax import ALPHABET, Chars, Choice, Place, Repeat, Tree, UnreadRegex, Word
from sigma_env.simulation.values.regex_text import tree_of

_STEPS: Final = 1_000
"""How many parts of a tree are tried for one text."""
_ATTEMPTS: Final = 4
_TEXTS: Final = 30
"""How many texts of one walk are looked at."""
_MORE: Final = 12
"""Repeats are at most this many more than they must be."""
_ANY: Final = Chars(frozenset(ALPHABET) - {"\n"}, named=False)


class Words(NamedTuple):
    """What a text holds beside the pattern, in any casing.

    Attributes:
        head: how it begins; '' if that is open.
        tail: how it ends; '' if that is open.
        inner: what stands in it.
    """

    head: str
    tail: str
    inner: tuple[str, ...]


def write_jointly(need: Need, words: Words, rng: random.Random) -> str | None:
    """A text that satisfies a Regex or Glob and has the words in their places; None if none was found.

    The pattern's tree is gone through with every choice that the words rule out taken back; words that may stand
    anywhere go where the pattern leaves open what stands there.

    Args:
        need: the pattern.
        words: what else must be.
        rng: chooses.
    """
    tree = _tree_of(need)
    if tree is None:
        return None
    for attempt in range(_ATTEMPTS):
        backwards = bool(words.tail) and (not words.head or attempt % 2 == 1)
        writer = _Writer(words, rng, backwards=backwards, plain=attempt < 2)
        for text in islice(writer.texts(tree), _TEXTS):
            if _has(text.lower(), words) and accepts(need.pattern, text, text.lower()):
                return text
    return None


def _has(lower: str, words: Words) -> bool:
    ends = lower.startswith(words.head.lower()) and lower.endswith(words.tail.lower())
    return ends and all(piece.lower() in lower for piece in words.inner)


def _tree_of(need: Need) -> Tree | None:
    pattern = need.pattern
    if isinstance(pattern, Regex):
        try:
            tree = tree_of(pattern.pattern, pattern.flags)
        except UnreadRegex:
            return None
        return _framed(tree)
    if not isinstance(pattern, Glob):
        return None
    parts: list[Tree] = []
    for part in cut_like(pattern, need.written):
        if isinstance(part, str):
            parts += [Word(char, not pattern.cased) for char in part]
        else:
            parts.append(_ANY if part is Wildcard.ONE else Repeat(_ANY, 0, None))
    return syntax.Sequence(tuple(parts))


def _framed(tree: Tree) -> Tree:
    """The tree of an expression with what may stand before and behind it."""
    parts = tree.parts if isinstance(tree, syntax.Sequence) else (tree,)
    before = () if parts[:1] == (Place("begin"),) else (Repeat(_ANY, 0, None),)
    behind = () if parts[-1:] == (Place("end"),) else (Repeat(_ANY, 0, None),)
    return syntax.Sequence((*before, *parts, *behind))


class _Writer:
    """Writes one text, from its begin or from its end."""

    def __init__(self, words: Words, rng: random.Random, *, backwards: bool, plain: bool) -> None:
        self._rng, self._backwards, self._plain = rng, backwards, plain
        self._written = words.tail[::-1] if backwards else words.head
        self._lead = self._written.lower()
        self._inner = [piece[::-1] if backwards else piece for piece in words.inner]
        self._steps = _STEPS

    def texts(self, tree: Tree) -> Iterator[str]:
        """Texts of the tree, each with the words at the side where it was begun."""
        for text in self._after("", [tree], tuple(self._inner)):
            if len(text) >= len(self._lead):
                yield text[::-1] if self._backwards else text

    def _after(self, text: str, trees: Sequence[Tree], inner: tuple[str, ...]) -> Iterator[str]:
        """What can stand from here on: `trees` in turn, `inner` wherever there is room."""
        self._steps -= 1
        if self._steps < 0:
            return
        if not trees:
            if not inner:
                yield text
            return
        tree, *rest = trees
        match tree:
            case Word(char, folded):
                yield from self._characters(text, (char, char.swapcase()) if folded else (char,), rest, inner)
            case Chars(among, named):
                yield from self._characters(text, self._some(text, among, named=named), rest, inner)
            case syntax.Sequence(parts):
                yield from self._after(text, [*(parts[::-1] if self._backwards else parts), *rest], inner)
            case Choice(options):
                for option in self._rng.sample(options, len(options)):
                    yield from self._after(text, [option, *rest], inner)
            case Repeat():
                yield from self._repeated(text, tree, rest, inner)
            case Place():
                yield from self._after(text, rest, inner)

    def _characters(
        self, text: str, chars: Sequence[str], rest: Sequence[Tree], inner: tuple[str, ...]
    ) -> Iterator[str]:
        wanted = self._lead[len(text)] if len(text) < len(self._lead) else None
        if wanted is not None and self._written[len(text)] in chars:
            chars = (self._written[len(text)],)
        for char in chars:
            if wanted is None or char.lower() == wanted:
                yield from self._after(text + char, rest, inner)

    def _some(self, text: str, among: frozenset[str], *, named: bool) -> list[str]:
        """A few characters of a class, the one that is wanted here first."""
        if len(text) < len(self._lead):
            wanted = self._written[len(text)]
            return [char for char in dict.fromkeys((wanted, wanted.lower(), wanted.upper())) if char in among]
        usable = sorted(char for char in among if char.isalnum() and char.isascii()) or sorted(among)
        lower = [char for char in usable if char.islower()]
        return self._rng.sample(lower if lower and not named else usable, min(2, len(lower or usable)))

    def _repeated(self, text: str, tree: Repeat, rest: list[Tree], inner: tuple[str, ...]) -> Iterator[str]:
        body, least, most = tree
        if isinstance(body, Chars) and not body.named:
            yield from self._in_the_open(text, tree, body.among, rest, inner)
            return
        if isinstance(body, Chars) and len(text) >= len(self._lead):
            for piece, others in self._fitting(text, body.among, inner):
                if most is None or len(piece) <= most:
                    padded = [body] * max(0, least - len(piece))
                    yield from self._after(text + piece, [*padded, *rest], others)
        left = max(0, len(self._lead) - len(text))
        top = least + max(left, 2 if self._plain else 4)
        counts = list(range(least, min(top if most is None else min(most, top), least + left + _MORE) + 1))
        self._rng.shuffle(counts)
        if left:
            counts.sort(reverse=True)
        for count in counts:
            yield from self._after(text, [body] * count + rest, inner)

    def _in_the_open(
        self, text: str, tree: Repeat, among: frozenset[str], rest: list[Tree], inner: tuple[str, ...]
    ) -> Iterator[str]:
        """Where anything may stand: what is wanted, or a word, or nothing."""
        lead = self._lead[len(text) :]
        plain = word(self._rng)
        options = [(lead[:n], inner) for n in range(len(lead), 0, -1)]
        if not lead:
            following = rest[0].char.lower() if rest and isinstance(rest[0], Word) else ""
            for piece, others in self._fitting(text, among, inner):
                if following and piece[-1:].lower() == following:
                    options.append((piece[:-1], others))
                options.append((piece, others))
            options += [("".join(inner), ())] if len(inner) > 1 else []
        inside = bool(text) and any(not isinstance(part, Place) for part in rest)
        options += [(plain, inner), ("", inner)] if inside else [("", inner), (plain, inner)]
        for filler, left in options:
            held = len(filler) >= tree.least and (tree.most is None or len(filler) <= tree.most)
            if held and all(char in among for char in filler):
                yield from self._after(text + filler, rest, left)

    def _fitting(
        self, text: str, among: frozenset[str], inner: tuple[str, ...]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The wanted words that can stand next, without what of their begin stands there; and those left then."""
        lower = text.lower()
        for piece in self._rng.sample(inner, len(inner)):
            low = piece.lower()
            shared = next((n for n in range(len(piece) - 1, 0, -1) if lower.endswith(low[:n])), 0)
            if all(char in among for char in piece[shared:]):
                yield piece[shared:], tuple([other for other in inner if other is not piece])
