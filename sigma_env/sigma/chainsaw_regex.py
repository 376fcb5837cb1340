"""Rust's regular expressions as RE2's, and the text searches that inner wildcards become."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import Regex, Text

_ANY: Final = ".*"
_CLASSES: Final = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}",
    "s": r"\s\x0b\x{85}\p{Z}",
}
_WILDCARD: Final = frozenset("*?")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NOT_RUST: Final = frozenset("QECZ123456789")


@lru_cache(maxsize=256)
def is_rust_regex(pattern: str) -> bool:
    """Whether Rust's crate `regex` takes an expression."""
    return _NOT_RUST.isdisjoint(_ESCAPE.findall(pattern)) and _compiles(pattern)


@lru_cache(maxsize=256)
def unicode_form(pattern: str) -> str:
    r"""The expression with Unicode's classes, as Rust has them: `\d` is any decimal digit. Word boundaries are ASCII's.

    Where that would be too large for RE2, it is the expression itself.
    """
    translated = _with_unicode_classes(pattern)
    return translated if translated == pattern or _compiles(translated) else pattern


def in_class(char: str, name: str) -> bool:
    r"""Whether a character is in Unicode's `\d`, `\w` or `\s` (name `d`, `w`, `s`), as `unicode_form` writes them."""
    category = unicodedata.category(char)
    if name == "s":
        return category[0] == "Z" or char in "\t\n\x0b\f\r\x85"
    return category == "Nd" or (name == "w" and (category[0] in "LM" or category in ("Nl", "Pc")))


@lru_cache(maxsize=256)
def strips_badly(pattern: str) -> bool:
    """Whether an expression is none any more once one `.*` is cut off its beginning and one off its end."""
    stripped = pattern.removeprefix(_ANY).removesuffix(_ANY)
    return stripped != pattern and not is_rust_regex(stripped)


def _compiles(pattern: str) -> bool:
    try:
        compile_regex(pattern, "")  # as it is asked for when it is run, so that it is kept once
    except RuleError:
        return False
    return True


def _with_unicode_classes(pattern: str) -> str:
    out: list[str] = []
    within = False
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\" and i + 1 < len(pattern):
            out.append(_escape(pattern[i + 1], within))
            i += 2
            continue
        if char == "[" and not within:
            within = True
            if pattern[i + 1 : i + 2] == "^":
                out.append("[")
                char, i = "^", i + 1
            if pattern[i + 1 : i + 2] == "]":
                out.append(char)
                char, i = "]", i + 1
        elif char == "[" and pattern.startswith("[:", i) and (end := pattern.find(":]", i)) > 0:
            char, i = pattern[i : end + 2], end + 1
        elif char == "]":
            within = False
        out.append(char)
        i += 1
    return "".join(out)


def _escape(char: str, within: bool) -> str:
    members = _CLASSES.get(char)
    if members is not None:
        return members if within else f"[{members}]"
    members = _CLASSES.get(char.lower())
    if members is not None and char.isupper() and not within:
        return f"[^{members}]"
    return f"\\{char}"


def literal_search(value: str) -> Text | Regex:
    r"""What a plain value with inner wildcards becomes: itself as text, searched for with its case.

    In a run of neighbouring wildcards every second one repeats a full stop; backslashes do not end a run.
    """
    out: list[str] = []
    place = 0
    repeats = False
    for char in value:
        if char in _WILDCARD:
            place += 1
            repeats = repeats or place % 2 == 0
            out.append(rf"\{char}" if place % 2 else rf"\.{char}")
        else:
            if char != "\\":
                place = 0
            out.append(char if char.isalnum() or char == "_" or not char.isascii() else f"\\{char}")
    return Regex("".join(out)) if repeats else Text("contains", value, True)
