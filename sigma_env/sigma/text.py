"""Texts of rules: wildcards and escapes, and the patterns that they are."""

import base64
import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import product
from typing import Final, TypeAlias

from sigma_env.sigma.errors import InvalidRule, TooComplex
from sigma_env.sigma.rule import AnyText, Glob, Pattern, Text, Wildcard

Parts: TypeAlias = tuple[str | Wildcard, ...]
"""A text cut at its wildcards; the literals between them are plain."""

MANY: Final = Wildcard.MANY
ONE: Final = Wildcard.ONE

_SPECIAL: Final = re.compile(r"\\([*?\\])|([*?])")
_NEEDS_CUT: Final = re.compile(r"[*?\\]")
_DASH: Final = re.compile(r"\B[-/]\b")
_DASHES: Final = ("-", "/", "\u2013", "\u2014", "\u2015")
_MOST_DASHES: Final = 3
_BYTE_ORDER_MARK: Final = "\ufeff"
_ANY_TEXT: Final = AnyText()


def has_special(text: str) -> bool:
    """Whether a text holds a wildcard or an escape, so that it needs `parse_text`."""
    return _NEEDS_CUT.search(text) is not None


def parse_text(text: str) -> Parts:
    r"""Cut a text at its wildcards. `\*`, `\?` and `\\` stand for the second character; other backslashes are plain."""
    parts: list[str | Wildcard] = []
    literal = ""
    at = 0
    for special in _SPECIAL.finditer(text):
        literal += text[at : special.start()]
        at = special.end()
        if special[1]:
            literal += special[1]
            continue
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(MANY if special[2] == "*" else ONE)
    literal += text[at:]
    if literal:
        parts.append(literal)
    return tuple(parts)


def has_wildcard(parts: Parts) -> bool:
    """Whether any part is a wildcard."""
    return any(isinstance(part, Wildcard) for part in parts)


def length(parts: Parts) -> int:
    """Characters of a text, a wildcard counted as one."""
    return sum(len(part) if isinstance(part, str) else 1 for part in parts)


def pattern_of(parts: Parts, cased: bool) -> Pattern:
    """The simplest pattern that says `parts` over the whole value."""
    merged: list[str | Wildcard] = []
    for part in _joined(parts):
        if isinstance(part, str):
            merged.append(part if cased else part.lower())
        elif part is ONE or not merged or merged[-1] is not MANY:
            merged.append(part)
    match merged:
        case []:
            return Text("equals", "", cased)
        case [str(text)]:
            return Text("equals", text, cased)
        case [Wildcard.MANY]:
            return _ANY_TEXT
        case [str(text), Wildcard.MANY]:
            return Text("startswith", text, cased)
        case [Wildcard.MANY, str(text)]:
            return Text("endswith", text, cased)
        case [Wildcard.MANY, str(text), Wildcard.MANY]:
            return Text("contains", text, cased)
    return Glob(tuple(merged), cased)


def number_text(number: int | float) -> str:
    """Decimal text of a number: no exponent, no fraction where it is whole.

    Raises:
        InvalidRule: It is infinite, not a number, or beyond the range of a double.
    """
    try:
        if float(number) == int(number):
            return str(int(number))
    except (OverflowError, ValueError):
        raise InvalidRule("the number is infinite, no number or too large; write a decimal number") from None
    return str(number) if isinstance(number, int) else format(Decimal(repr(number)), "f")


def windash(parts: Parts) -> list[Parts]:
    r"""Every spelling of the dashes that begin a word (`\B[-/]\b`).

    Raises:
        InvalidRule: There are more than three such dashes.
    """
    pieces: list[tuple[str | Wildcard, ...]] = []
    dashes = 0
    for part in parts:
        if isinstance(part, Wildcard):
            pieces.append((part,))
            continue
        at = 0
        for dash in _DASH.finditer(part):
            pieces.append((part[at : dash.start()],))
            pieces.append(_DASHES)
            dashes += 1
            at = dash.end()
        pieces.append((part[at:],))
    if dashes == 0:
        return [parts]
    if dashes > _MOST_DASHES:
        raise InvalidRule(f"windash serves three dashes in a value, not {dashes}; split it into several values")
    return [_joined(spelling) for spelling in product(*pieces)]


def _joined(pieces: Iterable[str | Wildcard]) -> Parts:
    """`pieces` without two neighbouring literals."""
    parts: list[str | Wildcard] = []
    for piece in pieces:
        if isinstance(piece, str) and parts and isinstance(parts[-1], str):
            parts[-1] += piece
        elif piece:
            parts.append(piece)
    return tuple(parts)


def utf16(parts: Parts, encoding: str) -> Parts:
    """The bytes of a text in UTF-16, each as the character of that number, as event logs show them.

    Raises:
        InvalidRule: A character has bytes above 127, so that it has no such form.
    """
    try:
        return tuple(
            part if isinstance(part, Wildcard) else part.encode(encoding, "surrogatepass").decode() for part in parts
        )
    except UnicodeDecodeError:
        raise InvalidRule("the UTF-16 modifiers take ASCII text only") from None


def with_byte_order_mark(parts: Parts) -> Parts:
    """A text after the UTF-16 byte order mark."""
    return (_BYTE_ORDER_MARK, *parts)


def encode_base64(parts: Parts, marked: bool) -> Parts:
    """The Base64 text of a text. `marked`: it begins with a UTF-16 byte order mark.

    Raises:
        InvalidRule: The text has wildcards.
    """
    return (base64.b64encode(_bytes(parts, marked)).decode(),)


def encode_base64_offsets(parts: Parts, marked: bool) -> list[Parts]:
    """The Base64 texts of a text at each of the three places it can have in a longer one.

    What depends on the bytes around it is cut off.

    Raises:
        InvalidRule: The text has wildcards.
    """
    data = _bytes(parts, marked)
    return [
        (base64.b64encode(b" " * offset + data)[start : (None, -3, -2)[(len(data) + offset) % 3]].decode(),)
        for offset, start in enumerate((0, 2, 3))
    ]


def _bytes(parts: Parts, marked: bool) -> bytes:
    if has_wildcard(parts):
        raise InvalidRule("the Base64 modifiers take text without wildcards; escape them, or place 'contains' after")
    text = "".join(part for part in parts if isinstance(part, str))
    if marked and text.startswith(_BYTE_ORDER_MARK):
        return b"\xff\xfe" + text[1:].encode("utf-8", "surrogatepass")
    return text.encode("utf-8", "surrogatepass")


def checked(texts: Iterable[Parts], most_texts: int, most_characters: int) -> list[Parts]:
    """The distinct texts, in order.

    Raises:
        TooComplex: There are too many, or one is too long.
    """
    distinct = list(dict.fromkeys(texts))
    if len(distinct) > most_texts:
        raise TooComplex(f"the modifiers turn a value into {len(distinct)} patterns; at most {most_texts}")
    longest = max(map(length, distinct))
    if longest > most_characters:
        raise TooComplex(f"a value of {longest} characters; at most {most_characters}")
    return distinct
