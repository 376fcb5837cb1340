"""Which distinct values of a column a pattern accepts: the column engine's leaves."""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import re2

from sigma_env.engines.plan import needle_of
from sigma_env.errors import EngineError
from sigma_env.events.column import SEP, Column
from sigma_env.sigma.regex import compile_regex
from sigma_env.sigma.rule import AnyText, Cidr, Compare, Glob, Pattern, Regex, Text, Wildcard

_ESCAPE = re.compile(r"\\.", re.DOTALL)
_META = frozenset("\\^$.|?*+()[]{}")
_LETTER_ESCAPES = frozenset("-/ :,;=\"'#%&@!<>~`_") | _META


_FEW_ROWS = 12
"""From here down a conjunction looks at the values of the rows left instead of searching whole columns."""


def few_candidates(column: Column, domain: int) -> set[int] | None:
    """The values of the rows that are left, if they are so few that looking at each is less work."""
    if column.n_values <= _FEW_ROWS or domain.bit_count() > _FEW_ROWS:
        return None
    rows = []
    while domain:
        low = domain & -domain
        rows.append(low.bit_length() - 1)
        domain ^= low
    return column.codes_in(rows)


def codes_of(pattern: Pattern, column: Column, candidates: Iterable[int] | None = None) -> Sequence[int]:
    """Codes of the values that the pattern accepts, without duplicates.

    Args:
        pattern: any but Null, Exists and FieldRef, which are not about a value.
        column: where to look.
        candidates: if given, codes outside it need not be found, which saves work where it is small.
    """
    if isinstance(pattern, Text):
        return column.find_all(needle_of(pattern), cased=pattern.cased, among=candidates)
    if isinstance(pattern, AnyText):
        return range(column.n_values) if candidates is None else list(candidates)
    if isinstance(pattern, Glob):
        return _glob_codes(pattern, column, candidates)
    if isinstance(pattern, Regex):
        return _regex_codes(pattern, column, candidates)
    if isinstance(pattern, Compare):
        return _compare_codes(pattern, column)
    if isinstance(pattern, Cidr):
        return _cidr_codes(pattern, column)
    raise EngineError(f"the native engine has no leaf for {pattern!r}")


def glob_to_regex(parts: tuple[str | Wildcard, ...]) -> str:
    """The RE2 expression of a wildcard pattern, to be matched against the whole value with flag s."""
    words = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
    return "".join(words[p] if isinstance(p, Wildcard) else re2.escape(p) for p in parts)


@lru_cache(maxsize=256)
def _glob_program(parts: tuple[str | Wildcard, ...]) -> Any:
    return compile_regex(rf"\A{glob_to_regex(parts)}\z", "s")


def _glob_codes(pattern: Glob, column: Column, candidates: Iterable[int] | None) -> list[int]:
    literals = [p for p in pattern.parts if isinstance(p, str)]
    if literals:
        candidates = column.find_all(_glob_anchor(pattern), cased=pattern.cased, among=candidates)
    program = _glob_program(pattern.parts)
    blob, starts = _texts(column, cased=pattern.cased)
    return _search(program, blob, starts, range(column.n_values) if candidates is None else candidates)


def _glob_anchor(pattern: Glob) -> bytes:
    """The longest literal of the pattern as a needle: every value that matches contains it."""
    literals = [(i, part) for i, part in enumerate(pattern.parts) if isinstance(part, str)]
    at, text = max(literals, key=lambda literal: len(literal[1]))
    begins, ends = at == 0, at == len(pattern.parts) - 1
    return (SEP if begins else b"") + text.encode() + (SEP if ends else b"")


def _regex_codes(pattern: Regex, column: Column, candidates: Iterable[int] | None) -> list[int]:
    program = compile_regex(pattern.pattern, pattern.flags)
    literal = required_literal(pattern.pattern)
    # Case folding is only safe to look up where the column has no letters that fold to ASCII ones.
    if len(literal) > 2 and literal.isascii() and column.is_ascii:
        candidates = column.find_all(literal.lower().encode(), among=candidates)
    blob, starts = _texts(column, cased=True)
    if candidates is None:
        if stays_within_values(pattern.pattern):
            return _search_all(program, blob, starts)
        candidates = range(column.n_values)
    return _search(program, blob, starts, candidates)


@lru_cache(maxsize=256)
def stays_within_values(pattern: str) -> bool:
    r"""Whether an expression means the same on joined values as on each: it has no anchor but word boundaries.

    The separator is no valid UTF-8, so nothing in RE2 but `\\C` matches it, and it is no word character.
    """
    without_escapes = _ESCAPE.sub(lambda escape: "^" if escape[0][1] in "AzZCQ" else "", pattern)
    return "$" not in without_escapes and "^" not in without_escapes.replace("[^", "")


def _search_all(program: Any, blob: bytes, starts: Sequence[int]) -> list[int]:
    """Codes of all values with a match, searching them as one text."""
    found: list[int] = []
    begin, end = 1, len(blob)
    while begin < end:
        match = program.search(blob, begin)
        if match is None or match.start() == end:  # an empty match behind the last separator
            break
        code = bisect_right(starts, match.start()) - 1
        found.append(code)
        begin = starts[code + 1]
    return found


def _texts(column: Column, *, cased: bool) -> tuple[bytes, Sequence[int]]:
    return (column.text, column.cased_starts) if cased else (column.lower, column.lower_starts)


def _search(program: Any, blob: bytes, starts: Sequence[int], candidates: Iterable[int]) -> list[int]:
    search = program.search
    return [c for c in candidates if search(blob[starts[c] : starts[c + 1] - 1]) is not None]


@lru_cache(maxsize=256)
def required_literal(pattern: str) -> str:
    """The longest text that every match of the expression surely contains (without regard to case), or ''.

    Reads only what is certain: runs of plain characters outside groups and classes that no
    quantifier makes optional, in an expression without alternation at its top.
    """
    best, run, depth, i = "", "", 0, 0
    while i < len(pattern):
        char, step = pattern[i], 1
        literal = ""
        if char == "\\":
            step = 2
            escaped = pattern[i + 1 : i + 2]
            literal = escaped if escaped in _LETTER_ESCAPES and escaped else ""
            if escaped.isalnum() and escaped not in "dDwWsSbBAzntrfv":
                return ""  # \Q, \x, \p, octal: not worth reading
        elif char == "[":
            step = _class_end(pattern, i) - i
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|":
            if depth == 0:
                return ""
        elif char not in _META:
            literal = char
        if depth or not literal:
            best, run = max(best, run, key=len), ""
            if char == "{" and depth == 0:
                step = max(pattern.find("}", i) - i + 1, 1)
        elif pattern[i + step : i + step + 1] in ("?", "*", "{"):
            best, run = max(best, run, key=len), ""
        else:
            run += literal
        i += step
    return max(best, run, key=len)


def _class_end(pattern: str, begin: int) -> int:
    i = begin + 1
    if pattern[i : i + 1] == "^":
        i += 1
    if pattern[i : i + 1] == "]":
        i += 1
    while i < len(pattern) and pattern[i] != "]":
        if pattern[i] == "\\":
            i += 1
        elif pattern.startswith("[:", i) and (close := pattern.find(":]", i)) > 0:
            i = close + 1
        i += 1
    return i + 1


def parse_number(text: str) -> int | float | None:
    """The number that a value is, decimal or 0x, as gt, gte, lt and lte read it; None for other text."""
    body = text.strip()
    sign, digits = (-1, body[1:]) if body[:1] == "-" else (1, body)
    if len(digits) > 400 or not digits.isascii():
        return None
    try:
        if digits[:2].lower() == "0x":
            return sign * int(digits[2:], 16) if digits[2:].isalnum() else None
        if digits.isdigit():
            return sign * int(digits)
        if digits[:1].isdigit() or digits[:1] == ".":
            return sign * float(digits) if "_" not in digits else None
    except ValueError:
        pass
    return None


def compare(op: str, left: int | float, right: int | float) -> bool:
    """`left op right` for gt, gte, lt, lte."""
    if op == "gt":
        return left > right
    if op == "gte":
        return left >= right
    return left < right if op == "lt" else left <= right


def _compare_codes(pattern: Compare, column: Column) -> list[int]:
    op, number = pattern
    return [c for c, n in enumerate(_numbers(column)) if n is not None and compare(op, n, number)]


def _numbers(column: Column) -> list[int | float | None]:
    return _per_value(column, "numbers", parse_number)


def _per_value(column: Column, key: str, function: Any) -> list[Any]:
    """`function` of each value, kept with the column: columns live as long as their store."""
    kept: list[Any] | None = column.__dict__.get(key)
    if kept is None:
        kept = column.__dict__[key] = [function(column.lower_value(c)) for c in range(column.n_values)]
    return kept


def parse_address(text: str) -> tuple[int, int] | None:
    """(version, number) of an IP address; IPv4-mapped ones count as IPv4, zone ids are dropped; None for other text."""
    if len(text) > 64:
        return None
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return (4, int(mapped)) if mapped is not None else (address.version, int(address))


@lru_cache(maxsize=256)
def parse_network(text: str) -> tuple[int, int, int]:
    """(version, first address, last address) of a CIDR block; an IPv4-mapped block counts as IPv4."""
    network = ipaddress.ip_network(text, strict=False)
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.version == 6 and first >> 32 == 0xFFFF and last >> 32 == 0xFFFF:
        return 4, first & 0xFFFFFFFF, last & 0xFFFFFFFF
    return network.version, first, last


def _cidr_codes(pattern: Cidr, column: Column) -> list[int]:
    version, first, last = parse_network(pattern.network)
    addresses = _per_value(column, "addresses", parse_address)
    return [c for c, a in enumerate(addresses) if a is not None and a[0] == version and first <= a[1] <= last]
