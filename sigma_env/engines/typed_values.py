"""What the values of a column are to tests that keep text, numbers, booleans and null apart."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from sigma_env.engines.patterns import codes_of, compare, required_literal
from sigma_env.errors import EngineError
from sigma_env.events.column import BOOL, FLOAT, INT, TEXT, Column, pack_bits
from sigma_env.sigma.chainsaw_regex import in_class, unicode_form
from sigma_env.sigma.chainsaw_tree import BoolIs, FieldCheck, NullIs, NumberIs, TypedPattern
from sigma_env.sigma.rule import Pattern, Regex, Text


def beyond_ascii(column: Column) -> frozenset[int]:
    """Codes of the values with letters whose case a search without regard to case ignores and Chainsaw does not."""
    known: frozenset[int] | None = column.__dict__.get("beyond_ascii")
    if known is None:
        known = frozenset[int]()
        if not column.is_ascii:
            known = frozenset(code for code in range(column.n_values) if not column.value(code).isascii())
        column.__dict__["beyond_ascii"] = known
    return known


def holds(pattern: Text, column: Column, code: int) -> bool:
    """Whether a lower-cased literal is in a value whose case is ignored in ASCII only, as `bytes.lower` does."""
    starts = column.cased_starts
    value, text = column.text[starts[code] : starts[code + 1] - 1].lower(), pattern.text.encode()
    if pattern.op == "equals":
        return value == text
    if pattern.op == "startswith":
        return value.startswith(text)
    return value.endswith(text) if pattern.op == "endswith" else text in value


_UNICODE_CLASS: Final = re.compile(r"\\([dwsDWS])")


def pattern_codes(pattern: Pattern, column: Column, among: set[int] | None) -> Sequence[int]:
    """Codes of the values that a pattern of a test for text accepts; see `codes_of`."""
    return _regex_codes(pattern, column, among) if isinstance(pattern, Regex) else codes_of(pattern, column, among)


def _regex_codes(pattern: Regex, column: Column, among: set[int] | None) -> list[int]:
    """Codes of the values that an expression accepts; its Unicode form is only looked at where ASCII's differs."""
    codes = list(codes_of(pattern, column, among))
    classes = {name.lower() for name in _UNICODE_CLASS.findall(pattern.pattern)}
    if not classes:
        return codes
    differing = _differing(column)
    differ = frozenset[int]().union(*(differing[name] for name in classes))
    if not differ:
        return codes
    kept = [code for code in codes if code not in differ]
    asked: Iterable[int] = differ if among is None else differ & among
    literal = required_literal(pattern.pattern)
    if literal and literal.isascii() and not pattern.flags and "(?" not in pattern.pattern.replace("(?:", ""):
        asked = column.find_all(literal.lower().encode(), among=asked)
    if not asked:
        return kept
    return kept + list(codes_of(pattern._replace(pattern=unicode_form(pattern.pattern)), column, asked))


def _differing(column: Column) -> dict[str, frozenset[int]]:
    r"""By class, `d`, `w` and `s`, the codes of the values with characters that only Unicode's class has."""
    known: dict[str, frozenset[int]] | None = column.__dict__.get("differing")
    if known is None:
        texts = {code: column.value(code) for code in beyond_ascii(column)}
        if b"\x0b" in column.lower:
            texts |= {code: column.value(code) for code in column.find_any((b"\x0b",))}
        characters = {char for text in texts.values() for char in set(text) if not char.isascii() or char == "\x0b"}
        known = column.__dict__["differing"] = {
            name: frozenset(code for code, text in texts.items() if not some.isdisjoint(text)) if some else frozenset()
            for name in "dws"
            for some in [{char for char in characters if in_class(char, name)}]
        }
    return known


def only_text(column: Column, codes: Iterable[int]) -> list[int]:
    """Those of the codes whose values are text."""
    if _is_all_text(column):
        return list(codes)
    kinds = column.parts.kinds
    return [code for code in codes if kinds[code] == TEXT]


def _is_all_text(column: Column) -> bool:
    known = column.__dict__.get("all_text")
    if known is None:
        known = column.__dict__["all_text"] = not column.parts.kinds.any()
    return bool(known)


def rows_with_text(column: Column) -> int:
    """Bit set of the rows that hold text, or several values: a list of none is no text either, but no row has one."""
    if _is_all_text(column) and not column.is_multi:
        return column.rows_filled
    rows: int | None = column.__dict__.get("text_rows")
    if rows is None:
        rows = column.rows_with(np.flatnonzero(column.parts.kinds == TEXT).tolist())
        rows |= _rows_with_several(column)
        column.__dict__["text_rows"] = rows
    return rows


def _rows_with_several(column: Column) -> int:
    """Bit set of the rows with several values: an array, which is no number, boolean or null."""
    offsets = column.parts.offsets
    return 0 if offsets is None else pack_bits(np.diff(offsets) > 1)


def value_rows(test: FieldCheck, column: Column) -> int:
    """Bit set of the rows with a value that one of the typed patterns accepts, and no other value."""
    rows = 0
    for pattern in test.patterns:
        rows |= column.rows_with(_value_codes(pattern, column))
    return rows & ~_rows_with_several(column) if rows and column.is_multi else rows


def _value_codes(pattern: TypedPattern, column: Column) -> list[int]:
    if isinstance(pattern, NullIs):
        return [column.null_code]
    typed = _typed_values(column)
    if isinstance(pattern, BoolIs):
        return [code for code, kind, value in typed if kind == BOOL and value == pattern.value]
    if isinstance(pattern, NumberIs):
        wanted = FLOAT if isinstance(pattern.number, float) else INT
        op, number = pattern
        if op == "eq":
            return [code for code, kind, value in typed if kind == wanted and value == number]
        return [code for code, kind, value in typed if kind == wanted and compare(op, value, number)]
    raise EngineError(f"{pattern!r} is no typed value")


def _typed_values(column: Column) -> list[tuple[int, int, int | float]]:
    """(code, kind, value) of all that is no text."""
    known: list[tuple[int, int, int | float]] | None = column.__dict__.get("typed")
    if known is None:
        kinds = column.parts.kinds
        known = [(code, int(kinds[code]), column.typed_value(code)) for code in np.flatnonzero(kinds).tolist()]  # type: ignore[misc]
        column.__dict__["typed"] = known
    return known
