"""Small changes to words that leave them looking like words of the same kind."""

import random
import re
import string
from collections.abc import Iterator
from typing import Final

from sigma_env.simulation.values.siblings import SIBLINGS
from sigma_env.simulation.values.vocabulary import words_like

_RUN: Final = re.compile(r"program files(?: \(x86\))?|local service|network service|[^\W_]+", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\.([A-Za-z][A-Za-z0-9]{1,4})(?=$|[\s\"'\\])")
_FAMILIES: Final = (
    ("exe", "com", "scr", "dll", "sys"),
    ("dll", "ocx", "cpl", "exe"),
    ("ps1", "psm1", "psd1", "txt"),
    ("bat", "cmd", "txt"),
    ("vbs", "vbe", "txt"),
    ("js", "jse", "json"),
    ("doc", "docx", "docm", "rtf"),
    ("xls", "xlsx", "xlsm", "csv"),
    ("zip", "7z", "rar", "cab"),
    ("txt", "log", "csv", "xml"),
    ("dmp", "mdmp", "log"),
    ("png", "jpg", "bmp"),
    ("lnk", "url", "txt"),
)
_DOMAINS: Final = frozenset(
    (
        "com",
        "net",
        "org",
        "io",
        "in",
        "ru",
        "co",
        "me",
        "cc",
        "xyz",
        "site",
        "top",
        "dev",
        "app",
        "link",
        "pw",
        "to",
        "info",
    )
)
_DOMAIN_SIBLINGS: Final = ("net", "org", "com", "info", "biz")
_CAMEL: Final = re.compile(r"(?<=[a-z])[A-Z][a-z]+$")
_CAMEL_ENDS: Final = (
    "Name", "Type", "Path", "Value", "List", "Item", "Data", "Info", "Log", "State", "Mode", "Level", "Service",
    "Server", "Client", "Host", "User", "Policy", "Settings", "File", "Folder", "String", "Task", "Event", "Key",
)  # fmt: skip
_DRIVES: Final = ("D", "E", "F")
_ENDINGS: Final = ("er", "ing", "ed", "list", "log", "info", "set", "ex", "al", "or", "ion", "able", "s", "mon")
_STEM_TAILS: Final = ("64", "2", "32", "Helper", "Svc", "Update", "Tool", "Host", "Setup", "UI")
_STEM_HEADS: Final = ("my", "win", "net", "sub", "pro", "sys", "app", "open")
_WIDER: Final = ("Ex", "s", "2", "Data", "Info")


def edits(literal: str, at_end: bool, rng: random.Random) -> Iterator[str]:
    """Changed forms of a literal that keep its begin (`at_end`) or its end.

    Shortened at the changed side, the literal is still in most of them.
    """
    runs = [(found.start(), found.end()) for found in _RUN.finditer(literal)]
    if not runs:
        yield from _plain_edits(literal, at_end, rng)
        return
    begin, end = runs[-1 if at_end else 0]
    head, run, tail = literal[:begin], literal[begin:end], literal[end:]
    if len(run) == 1 and tail[:1] == ":":
        yield from (f"{head}{drive}{tail}" for drive in _DRIVES if drive != run.upper())
        return
    others = SIBLINGS.get(run.lower()) if not _is_domain(head, run, literal) else None
    if others is not None:
        yield f"{head}{_cased_like(run, rng.choice(others))}{tail}"
    if at_end:
        extension = _EXTENSION.search(literal)
        if extension is not None and extension.end() == len(literal):
            yield from _extension_edits(literal, extension.start(), rng)
        for changed in _tail_changed(run, rng):
            yield f"{head}{changed}{tail}"
        if tail:
            yield f"{head}{run}{rng.choice(_WIDER).lower()}{tail}"
    else:
        named = others is None or _EXTENSION.search(literal) is not None  # no word of Windows' own
        if head and named and len(run) > 2:
            yield f"{head}{_cased_like(run, rng.choice(_STEM_HEADS).capitalize())}{run}{tail}"
        for changed in _head_changed(run, rng) if named else ():
            yield f"{head}{changed}{tail}"
        if head[:-1].strip():
            yield f"{run}{tail}"
    if len(runs) > 2:
        middle, stop = rng.choice(runs[1:-1])
        yield literal[:middle] + next(_tail_changed(literal[middle:stop], rng)) + literal[stop:]


def _is_domain(head: str, run: str, literal: str) -> bool:
    """Whether the last word of a name of a host is its top-level domain, which reads like a word."""
    return head.endswith(".") and run.lower() in _DOMAINS and "\\" not in literal


def sibling_edits(literal: str, rng: random.Random) -> Iterator[str]:
    """The literal with one of its words replaced by one that often stands in its place."""
    runs = [(found.start(), found.end()) for found in _RUN.finditer(literal)]
    for begin, end in rng.sample(runs, len(runs)):
        run = literal[begin:end]
        others = SIBLINGS.get(run.lower())
        if others is not None:
            yield literal[:begin] + _cased_like(run, rng.choice(others)) + literal[end:]


def _cased_like(word: str, other: str) -> str:
    return other.lower() if word.islower() else other.upper() if word.isupper() and len(word) > 1 else other


def _begun_like(run: str, other: str) -> str:
    return other.capitalize() if run[:1].isupper() else other


def broken(literal: str, rng: random.Random) -> Iterator[str]:
    """The literal with one character left out or made another, anywhere: for what no rule of words explains."""
    for at in rng.sample(range(len(literal)), min(len(literal), 10)):
        yield literal[:at] + literal[at + 1 :]
        yield literal[:at] + ("x" if literal[at] != "x" else "z") + literal[at + 1 :]


def _extension_edits(literal: str, dot: int, rng: random.Random) -> Iterator[str]:
    """Another extension, and another name with the same begin."""
    extension = literal[dot + 1 :].lower()
    others = [e for family in _FAMILIES if family[0] == extension for e in family[1:]] or ["txt", "dat", "tmp"]
    stem = literal[:dot]
    if extension in _DOMAINS and "\\" not in literal:
        yield f"{stem}.{rng.choice([name for name in _DOMAIN_SIBLINGS if name != extension])}"
        return
    if stem and stem[-1].isalnum():
        yield f"{stem}{_cased_like(stem.rpartition(chr(92))[2], rng.choice(_STEM_TAILS))}{literal[dot:]}"
    yield f"{stem}.{rng.choice(others)}"


def _tail_changed(run: str, rng: random.Random) -> Iterator[str]:
    """Runs of letters and digits with the same begin."""
    if run.isdigit():
        yield from swap_edits(run, True, rng)
        return
    camel = _CAMEL.search(run)
    if camel is not None and rng.random() < 0.6:
        yield run[: camel.start()] + rng.choice([end for end in _CAMEL_ENDS if end != camel[0]])
    kin = words_like(run.lower(), at_begin=True)
    yield from (_cased_like(run, _begun_like(run, other)) for other in rng.sample(kin, min(len(kin), 3)))
    if run[-1:] in "sS" and len(run) > 4:
        yield run[:-1]
    if len(run) >= 5 and not kin:
        for ending in rng.sample(_ENDINGS, 2):
            kept = run[: max(3, len(run) - rng.choice((1, 2, 3)))]
            yield kept + (ending.upper() if run.isupper() else ending)
    for _ in range(2):
        yield run[:-1] + _other(run[-1], rng)
    if len(run) <= 2:
        yield run + _other(run[-1], rng)


def _head_changed(run: str, rng: random.Random) -> Iterator[str]:
    """Runs of letters and digits with the same end."""
    if run.isdigit():
        yield from swap_edits(run, False, rng)
        return
    kin = words_like(run.lower(), at_begin=False)
    yield from (_cased_like(run, _begun_like(run, other)) for other in rng.sample(kin, min(len(kin), 3)))
    if len(run) < 4:
        yield _other(run[0], rng) + run[1:]
    if len(run) > 6:
        yield rng.choice(("re", "un", "in", "ex", "de")) + run[rng.choice((2, 3)) :]


def _other(char: str, rng: random.Random) -> str:
    """Another character of the same sort."""
    if char.isdigit():
        return rng.choice([digit for digit in string.digits if digit != char])
    if char.isascii():
        others = "bcdfghklmnprstvwz"
        chosen = rng.choice([letter for letter in others if letter != char.lower()])
        return chosen.upper() if char.isupper() else chosen
    return rng.choice(string.ascii_lowercase)


def _plain_edits(literal: str, at_end: bool, rng: random.Random) -> Iterator[str]:
    """Changes to a literal without letters and digits."""
    kept = literal[:-1] if at_end else literal[1:]
    yield kept
    filler = rng.choice(("a", "1", "x"))
    yield f"{kept}{filler}" if at_end else f"{filler}{kept}"
    if len(literal) > 1:
        yield literal[0] + filler + literal[1:]
    yield filler


def swap_edits(literal: str, at_end: bool, rng: random.Random) -> Iterator[str]:
    """The literal with digits changed at one side."""
    places = [i for i, char in enumerate(literal) if char.isdigit()]
    if not places:
        yield from edits(literal, at_end, rng)
        return
    order = places[::-1] if at_end else places
    for place in order[:3]:
        yield literal[:place] + _other(literal[place], rng) + literal[place + 1 :]
    yield literal + rng.choice(string.digits) if at_end else rng.choice("123456789") + literal


def number_edits(literal: str, at_end: bool, rng: random.Random) -> Iterator[str]:
    """A number or an address with a digit changed, hexadecimal digits where it has them."""
    body = 2 if literal[:2].lower() == "0x" else 0
    places = [i for i in range(body, len(literal)) if literal[i] in string.hexdigits]
    digits = string.digits if all(char in string.digits + ".:" for char in literal) else "0123456789abcdef"
    order = places[::-1] if at_end else places
    for place in order[:4]:
        usable = [d for d in digits if d != literal[place].lower() and (d != "0" or place > body)]
        yield literal[:place] + rng.choice(usable) + literal[place + 1 :]
    if at_end:
        yield literal + rng.choice(digits)
    else:
        yield f"{literal[:body]}{rng.choice('123456789')}{literal[body:]}"


def hex_edits(literal: str, at_end: bool, rng: random.Random) -> Iterator[str]:
    """A hash or identifier of the same length with other hexadecimal digits at one side."""
    name, equals, value = literal.rpartition("=")
    places = [i for i, char in enumerate(value) if char in string.hexdigits]
    if not places:
        yield from edits(literal, at_end, rng)
        return
    for count in (1, 4, len(places) // 2 or 1, len(places)):
        chars = list(value)
        for place in places[-count:] if at_end else places[:count]:
            usable = [d for d in "0123456789ABCDEF" if d != chars[place].upper()]
            new = rng.choice(usable)
            chars[place] = new.lower() if chars[place].islower() else new
        yield name + equals + "".join(chars)
