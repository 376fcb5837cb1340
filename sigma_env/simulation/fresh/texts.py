"""Written values of rules with new names in them."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from sigma_env.simulation.fresh.kept import EXTENSIONS, KEY_WORDS, PATH_WORDS, VARIABLES, WORDS_OF
from sigma_env.simulation.fresh.renamer import Renamer
from sigma_env.simulation.schema import FieldKind

_PIECE: Final = re.compile(
    r"(?P<guid>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
    r"|(?P<address>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]))"
    r"|(?P<number>\b0[xX][0-9A-Fa-f]+)"
    r"|(?P<protocol>\b(?:https?|ftp)(?=://))"
    r"|(?P<hash>\b(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})\b)"
    r"|(?P<name>[A-Za-z0-9]+)"
)
_PATH_KINDS: Final = frozenset((FieldKind.IMAGE, FieldKind.FILE, FieldKind.DIRECTORY, FieldKind.REGISTRY_KEY))
_BESIDE_BACKSLASH: Final = PATH_WORDS | KEY_WORDS
_SHORTEST_IN_PATHS: Final = 2
_SHORTEST: Final = 3


def renamed_text(
    text: str, kind: FieldKind, renamer: Renamer, renamed: dict[str, str], *, before: str = "", after: str = ""
) -> str:
    """A text with new names; everything that is no name stays where it is.

    Args:
        text: a written value, or a literal of an expression.
        kind: what its field holds.
        renamer: gives the names.
        renamed: gets each old name, in lower case, with its new one.
        before: the character before the text, where it is a part of a larger one.
        after: the character after it.
    """

    def new(found: re.Match[str]) -> str:
        old = found[0]
        match found.lastgroup:
            case "guid" | "hash":
                made = renamer.hexadecimal(old)
            case "address":
                made = renamer.address(old) if _is_public(old) else old
            case "name":
                made = old if _stays(found, kind, before, after) else renamer.name(old)
            case _:
                made = old
        if made != old:
            renamed[old.lower()] = made.lower()
        return made

    return _PIECE.sub(new, text)


def _is_public(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_global
    except ValueError:
        return False


def _stays(found: re.Match[str], kind: FieldKind, before: str, after: str) -> bool:
    text, name = found.string, found[0].lower()
    before = text[found.start() - 1] if found.start() else before
    after = text[found.end() : found.end() + 1] or after
    is_file = after == "."  # `control` names a part of the registry, `control.exe` a program
    shortest = _SHORTEST_IN_PATHS if is_file or kind in _PATH_KINDS else _SHORTEST
    if name.isdigit() or len(name) < shortest:
        return True
    if before == "." and name in EXTENSIONS:
        return True
    if before == after == "%" and name in VARIABLES:
        return True
    if is_file and kind is not FieldKind.VERSION_INFO:
        return False
    if name in WORDS_OF.get(kind, ()):
        return True
    return "\\" in (before, after) and name in _BESIDE_BACKSLASH and kind is not FieldKind.PIPE


def renamed_expression(expression: str, kind: FieldKind, renamer: Renamer, renamed: dict[str, str]) -> str:
    """A regular expression with new names in its plain text; what is no plain text stays."""
    parts, at = [], 0
    for begin, end in _plain_runs(expression):
        before, after = expression[max(0, begin - 1) : begin], expression[end : end + 1]
        new = renamed_text(expression[begin:end], kind, renamer, renamed, before=before, after=after)
        parts += [expression[at:begin], new]
        at = end
    return "".join([*parts, expression[at:]])


def _plain_runs(expression: str) -> Iterator[tuple[int, int]]:
    """Where letters and digits stand for themselves: begins and ends of their runs."""
    for found in _PLAIN.finditer(expression):
        begin, end = found.span()
        if found.lastgroup != "plain" or _BOTH_CASES.fullmatch(expression[max(0, begin - 4) : begin]):
            continue
        if _BOTH_CASES.fullmatch(expression[end : end + 4]):
            continue  # a name of which only a part is plain: `[Pp]rogram[Dd]ata`
        # A character that is repeated is no part of the name.
        yield begin, end - (expression[end : end + 1] in ("?", "*", "+", "{"))


_BOTH_CASES: Final = re.compile(r"\[([A-Z][a-z]|[a-z][A-Z])\]")
_PLAIN: Final = re.compile(
    r"\\[pP]\{[^}]*\}|\\x[0-9A-Fa-f]{2}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|\(\?[a-zA-Z]*[:)]?|\(\?P<\w+>"
    r"|(?P<plain>[A-Za-z0-9]+)"
)
