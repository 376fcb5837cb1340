"""One field of one partition: a dictionary of distinct values, searchable as one text, and a code per row.

The values, lower-cased, stand in one byte string with a separator before, between and after them, so that
"contains x" over thousands of values is one `bytes.find(x)`, "starts with x" is `find(SEP + x)`, "equals x" is
`find(SEP + x + SEP)`. The separator is the byte 0xFF, which no UTF-8 text holds. Values are sorted, so like
values are neighbours, and a table of trigrams says in which of up to 64 blocks a needle can be at all.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

SEP = b"\xff"
ABSENT = -1
TEXT, INT, FLOAT, BOOL = range(4)

Scalar: TypeAlias = str | int | float | bool | None
Cell: TypeAlias = "Scalar | list[Scalar]"
"""What a row holds: a value, None for null, or a list for a repeated element. A missing field is no cell."""

_INDEX_FROM_BYTES = 16_384
_BLOCKS = 64
_MIN_BLOCK_BYTES = 2_048
_ALL_BLOCKS = (1 << _BLOCKS) - 1
_HASH_FACTOR = 2_654_435_761
_TRIGRAMS_LOOKED_UP = 12
_FEW = 8


def render(value: str | int | float | bool) -> tuple[str, int]:
    """The text under which a value is compared, and its kind (TEXT, INT, FLOAT or BOOL)."""
    if isinstance(value, str):
        return _well_formed(value), TEXT
    if isinstance(value, bool):
        return ("true" if value else "false"), BOOL
    if isinstance(value, int):
        return str(value), INT
    return repr(value), FLOAT


def _well_formed(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which UTF-8 cannot hold (only JSON events can have them)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


class ColumnParts(NamedTuple):
    """A column as plain buffers: what a store saves.

    Attributes:
        codes: int32, shape (rows,) or, with `offsets`, (offsets[-1],): index of the value, ABSENT, or
            `null_code` (= number of values) for null.
        offsets: int32, shape (rows + 1,), or None: row r holds codes[offsets[r]:offsets[r + 1]].
        kinds: uint8, shape (values,).
        text: the values in their own case, separated; a view of a mapped file if the store is one.
        starts: int64, shape (values + 1,): where value i begins in `text`; it ends at starts[i + 1] - 1.
        lower: the values lower-cased, separated; the same object as `text` where that is already lower case.
        lower_starts: like `starts`, for `lower`.
        trigrams: uint64, shape (2**k,), or None: bit b of slot h says that some trigram of hash h is in block b.
    """

    codes: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32] | None
    kinds: npt.NDArray[np.uint8]
    text: bytes | memoryview
    starts: npt.NDArray[np.int64]
    lower: bytes | memoryview
    lower_starts: npt.NDArray[np.int64]
    trigrams: npt.NDArray[np.uint64] | None


class Column:
    """A field of a partition, ready to be searched. Immutable; safe to share between threads."""

    __slots__ = ("__dict__", "_index", "_shift", "lower_starts", "n_rows", "n_values", "name", "parts")

    def __init__(self, name: str, parts: ColumnParts) -> None:
        self.name = name
        self.parts = parts
        self.lower_starts: Sequence[int] = np.ascontiguousarray(parts.lower_starts).data
        self.n_values = len(parts.kinds)
        self.n_rows = len(parts.codes) if parts.offsets is None else len(parts.offsets) - 1
        self._index: Sequence[int] | None = None
        self._shift = 0
        if parts.trigrams is not None:
            self._index = np.ascontiguousarray(parts.trigrams).data
            self._shift = 32 - (len(parts.trigrams).bit_length() - 1)

    @property
    def null_code(self) -> int:
        """The code of null: one past the last value."""
        return self.n_values

    @property
    def is_multi(self) -> bool:
        """Whether some row holds several values."""
        return self.parts.offsets is not None

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        """See `ColumnParts.codes`."""
        return self.parts.codes

    @cached_property
    def element_rows(self) -> npt.NDArray[np.int32] | None:
        """int32, shape of `codes`: the row of each element of a multi-valued column; None if single-valued."""
        offsets = self.parts.offsets
        if offsets is None:
            return None
        return np.repeat(np.arange(self.n_rows, dtype=np.int32), np.diff(offsets))

    @cached_property
    def _postings(self) -> tuple[npt.NDArray[np.int32], Sequence[int], Sequence[int]]:
        """(rows, the same as a sequence, bounds): rows of code c, null's too, are rows[bounds[c]:bounds[c + 1]]."""
        order = np.argsort(self.codes, kind="stable")
        bounds = np.searchsorted(self.codes[order], np.arange(self.n_values + 2))
        rows = (order if self.element_rows is None else self.element_rows[order]).astype(np.int32)
        return rows, rows.data, np.ascontiguousarray(bounds, np.int64).data

    def rows_with(self, codes: Sequence[int]) -> int:
        """Bit set of the rows that hold any of `codes`; duplicates do no harm."""
        if not codes:
            return 0
        rows, row_at, bounds = self._postings
        if len(codes) <= _FEW and (count := sum(bounds[c + 1] - bounds[c] for c in codes)) <= _FEW and count:
            bits = 0
            for code in codes:
                for i in range(bounds[code], bounds[code + 1]):
                    bits |= 1 << row_at[i]
            return bits
        flags = np.zeros(self.n_rows, np.bool_)
        if len(codes) == 1:
            flags[rows[bounds[codes[0]] : bounds[codes[0] + 1]]] = True
        else:
            wanted = np.zeros(self.n_values + 2, np.bool_)  # the last slot is where ABSENT, -1, points
            wanted[np.asarray(codes)] = True
            if self.element_rows is None:
                flags = wanted[self.codes]
            else:
                flags[self.element_rows[wanted[self.codes]]] = True
        return pack_bits(flags)

    @cached_property
    def rows_filled(self) -> int:
        """Bit set of the rows with at least one value that is not null."""
        return self._rows_below(self.n_values)

    @cached_property
    def rows_present(self) -> int:
        """Bit set of the rows in which the field stands, be it null."""
        return self._rows_below(self.n_values + 1)

    def _rows_below(self, limit: int) -> int:
        there = (self.codes >= 0) & (self.codes < limit)
        if self.element_rows is not None:
            flags = np.zeros(self.n_rows, np.bool_)
            flags[self.element_rows[there]] = True
            there = flags
        return pack_bits(there)

    def codes_in(self, rows: Sequence[int]) -> set[int]:
        """Codes of the values, null left out, that stand in the given rows."""
        codes, offsets, limit = self.codes, self.parts.offsets, self.n_values
        if offsets is None:
            return {c for r in rows if 0 <= (c := int(codes[r])) < limit}
        return {c for r in rows for c in codes[offsets[r] : offsets[r + 1]].tolist() if 0 <= c < limit}

    @cached_property
    def lower(self) -> bytes:
        """`ColumnParts.lower` in this process's memory, where `bytes.find` can search it."""
        return bytes(self.parts.lower)

    @cached_property
    def text(self) -> bytes:
        """`ColumnParts.text`, likewise."""
        return self.lower if self.parts.text is self.parts.lower else bytes(self.parts.text)

    def value(self, code: int) -> str:
        """The text of a value in its own case."""
        starts = self.cased_starts
        return str(self.parts.text[starts[code] : starts[code + 1] - 1], "utf-8")

    def typed_value(self, code: int) -> Scalar:
        """The value as the event held it; None for null."""
        if code == self.n_values:
            return None
        text, kind = self.value(code), self.parts.kinds[code]
        if kind == TEXT:
            return text
        if kind == BOOL:
            return text == "true"
        return int(text) if kind == INT else float(text)

    def lower_value(self, code: int) -> str:
        """The lower-cased text of a value."""
        return str(self.parts.lower[self.lower_starts[code] : self.lower_starts[code + 1] - 1], "utf-8")

    @cached_property
    def is_ascii(self) -> bool:
        """Whether every value is plain ASCII, so that simple and full case folding agree."""
        return self.lower.replace(SEP, b"").isascii()

    def cells(self, row: int) -> list[str | None]:
        """The values of a row as compared: [] if absent, None for null, else rendered text."""
        return [None if code == self.n_values else self.value(code) for code in self._codes_of(row)]

    def _codes_of(self, row: int) -> list[int]:
        offsets = self.parts.offsets
        if offsets is None:
            code = self._code_at[row]
            return [] if code == ABSENT else [code]
        return [code for code in self.codes[offsets[row] : offsets[row + 1]].tolist() if code != ABSENT]

    @cached_property
    def _code_at(self) -> Sequence[int]:
        return np.ascontiguousarray(self.codes).data

    def typed_cells(self, row: int) -> list[Scalar]:
        """The values of a row with the types that the event gave them: [] if absent, None for null."""
        return [self.typed_value(code) for code in self._codes_of(row)]

    def find_all(self, needle: bytes, *, cased: bool = False, among: Iterable[int] | None = None) -> list[int]:
        """Codes of the values in whose separated form `needle` occurs, each once.

        Args:
            needle: encoded text, lower-cased unless `cased`; with SEP in front or behind it is anchored there.
            cased: search the values in their own case.
            among: if given, look at these codes only.
        """
        return self.find_any_cased((needle,), among) if cased else self.find_any((needle,), among)

    def find_any(self, needles: Iterable[bytes], among: Iterable[int] | None = None) -> list[int]:
        """Codes of the values in which any of the needles occurs; a code may come twice. See `find_all`."""
        if among is not None:
            return _look_at(self.lower, self.lower_starts, needles, among)
        if self._index is None:
            return _scan(self.lower, self.lower_starts, needles)
        found: list[int] = []
        for needle in needles:
            found += self._scan_blocks(needle) if len(needle) > 2 else _scan(self.lower, self.lower_starts, (needle,))
        return found

    def find_any_cased(self, needles: Iterable[bytes], among: Iterable[int] | None = None) -> list[int]:
        """Like `find_any`, in the values' own case."""
        if among is not None:
            return _look_at(self.text, self.cased_starts, needles, among)
        return _scan(self.text, self.cased_starts, needles)

    @cached_property
    def cased_starts(self) -> Sequence[int]:
        """`ColumnParts.starts` as a sequence of Python integers."""
        return np.ascontiguousarray(self.parts.starts).data

    @cached_property
    def _block_bounds(self) -> list[int]:
        return [int(b) for b in block_bounds(self.parts.lower_starts)]

    def _scan_blocks(self, needle: bytes) -> list[int]:
        index, shift = self._index, self._shift
        assert index is not None
        blocks = _ALL_BLOCKS
        last = len(needle) - 2
        for i in range(0, last, 1 + last // _TRIGRAMS_LOOKED_UP):
            trigram = needle[i] << 16 | needle[i + 1] << 8 | needle[i + 2]
            blocks &= index[(trigram * _HASH_FACTOR & 0xFFFFFFFF) >> shift]
            if not blocks:
                return []
        bounds = self._block_bounds
        found: list[int] = []
        while blocks:
            low = (blocks & -blocks).bit_length() - 1
            high = low + 1
            while blocks >> high & 1:  # neighbouring blocks are searched in one go
                high += 1
            blocks &= -1 << high
            # A block begins with the separator before its first value, which is also its neighbour's last byte.
            end = bounds[min(high, len(bounds) - 1)]
            found += _scan(self.lower, self.lower_starts, (needle,), bounds[low] - 1, end)
        return found


def pack_bits(flags: npt.NDArray[np.bool_]) -> int:
    """An integer whose bit r is flags[r]."""
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _scan(
    blob: bytes, starts: Sequence[int], needles: Iterable[bytes], begin: int = 0, end: int | None = None
) -> list[int]:
    """Codes of the values in `blob[begin:end]` that hold a needle, searching all of it for each."""
    found: list[int] = []
    find = blob.find
    if end is None:
        end = len(blob)
    for needle in needles:
        if not needle or needle == SEP:  # begins or ends every value, and the blob
            found += range(len(starts) - 1)
            continue
        at = find(needle, begin, end)
        while at >= 0:
            # An anchored needle begins on the separator, one before the value that it is in.
            code = bisect_right(starts, at + (needle[:1] == SEP)) - 1
            found.append(code)
            at = find(needle, starts[code + 1] - 1, end)
    return found


def _look_at(blob: bytes, starts: Sequence[int], needles: Iterable[bytes], among: Iterable[int]) -> list[int]:
    """Those of the codes whose values hold a needle."""
    find = blob.find
    spans = [(code, starts[code] - 1, starts[code + 1]) for code in among]
    return [code for needle in needles for code, begin, end in spans if find(needle, begin, end) >= 0]


def block_bounds(starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the blocks of the trigram index begin, and the end: values are never cut."""
    size = int(starts[-1])
    blocks = max(1, min(_BLOCKS, size // _MIN_BLOCK_BYTES))
    wanted = np.arange(blocks + 1) * size // blocks
    bounds: npt.NDArray[np.int64] = starts[np.searchsorted(starts, wanted, side="left").clip(0, len(starts) - 1)]
    return bounds


def _trigram_index(lower: bytes, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64] | None:
    if len(lower) < _INDEX_FROM_BYTES:
        return None
    bits = min(17, max(12, len(lower).bit_length() - 3))
    index = np.zeros(1 << bits, np.uint64)
    bounds = block_bounds(starts)
    for block in range(len(bounds) - 1):  # block by block: the trigrams of all would take 16 times the text
        data = np.frombuffer(lower, np.uint8)[bounds[block] - 1 : bounds[block + 1]].astype(np.uint32)
        trigrams = data[:-2] << 16 | data[1:-1] << 8 | data[2:]
        index[(trigrams * np.uint32(_HASH_FACTOR)) >> np.uint32(32 - bits)] |= np.uint64(1 << block)
    return index


def _join(values: Sequence[bytes]) -> tuple[bytes, npt.NDArray[np.int64]]:
    starts = np.ones(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)) + 1, out=starts[1:])
    starts[1:] += 1
    return (SEP + SEP.join(values) + SEP if values else SEP), starts


def assemble(
    keys: Sequence[tuple[str, int]], codes: npt.NDArray[np.int32], offsets: npt.NDArray[np.int32] | None
) -> ColumnParts:
    """Makes a column whose values were numbered in any order.

    Args:
        keys: the distinct values as `render` gives them.
        codes: as in `ColumnParts`, into `keys`; len(keys) is null, ABSENT is absent.
        offsets: as in `ColumnParts`.
    """
    # Python orders strings by code point, which is the order of their UTF-8 bytes too.
    folded = [text.lower() for text, _ in keys]
    order = sorted(range(len(keys)), key=lambda i: (folded[i], *keys[i]))
    sorted_code = np.empty(len(keys) + 2, np.int32)
    sorted_code[order] = np.arange(len(keys), dtype=np.int32)
    sorted_code[len(keys)] = len(keys)
    sorted_code[ABSENT] = ABSENT
    text, starts = _join([keys[i][0].encode() for i in order])
    lower, lower_starts = _join([folded[i].encode() for i in order])
    if lower == text:
        lower, lower_starts = text, starts
    elif np.array_equal(starts, lower_starts):
        lower_starts = starts
    kinds = np.fromiter((keys[i][1] for i in order), np.uint8, len(keys))
    trigrams = _trigram_index(lower, lower_starts)
    return ColumnParts(sorted_code[codes], offsets, kinds, text, starts, lower, lower_starts, trigrams)


def build_parts(n_rows: int, rows: Sequence[int], cells: Sequence[Cell]) -> ColumnParts:
    """Makes a column of `n_rows` rows.

    Args:
        n_rows: how many rows the partition has.
        rows: ascending row numbers that have a cell; all others are absent.
        cells: the cell of each of `rows`.
    """
    code_of: dict[tuple[str, int] | None, int] = {}
    lists = [cell if isinstance(cell, list) else [cell] for cell in cells]
    keys = [None if e is None else render(e) for elements in lists for e in elements]
    for key in keys:
        if key is not None:
            code_of.setdefault(key, len(code_of))
    distinct = [key for key in code_of if key is not None]
    code_of[None] = len(distinct)
    coded = np.fromiter((code_of[key] for key in keys), np.int32, len(keys))
    where = np.asarray(rows, np.int64)
    if any(isinstance(cell, list) for cell in cells):
        offsets = np.zeros(n_rows + 1, np.int32)
        offsets[where + 1] = [len(elements) for elements in lists]
        return assemble(distinct, coded, np.cumsum(offsets, dtype=np.int32))
    codes = np.full(n_rows, ABSENT, np.int32)
    codes[where] = coded
    return assemble(distinct, codes, None)
