"""What every engine is: rules × store → the events that each rule matches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sigma_env.events.content import Unreadable
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import Rule


class Unsupported(NamedTuple):
    """The engine cannot run this rule, alone or in a batch; `reason` says why, for a person."""

    reason: str


class Matches:
    """The events of one store that a rule matches, as one bit set per partition.

    Attributes:
        bits: partition index → integer whose bit r says that the partition's row r matches; no zeros.
    """

    __slots__ = ("bits",)

    def __init__(self, bits: Mapping[int, int]) -> None:
        self.bits = bits

    @classmethod
    def from_rows(cls, store: EventStore, rows: Iterable[int]) -> "Matches":
        """Makes it from global row numbers, in any order."""
        bits: dict[int, int] = {}
        for row in rows:
            partition = store.partition_of(row)
            bits[partition.index] = bits.get(partition.index, 0) | 1 << (row - partition.base)
        return cls(bits)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self.bits.values())

    def __bool__(self) -> bool:
        return bool(self.bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matches) and dict(self.bits) == dict(other.bits)

    def __hash__(self) -> int:
        return hash(frozenset(self.bits.items()))

    def __repr__(self) -> str:
        return f"Matches({len(self)} events in {len(self.bits)} partitions)"

    def __and__(self, other: "Matches") -> "Matches":
        return Matches({p: both for p, b in self.bits.items() if (both := b & other.bits.get(p, 0))})

    def __or__(self, other: "Matches") -> "Matches":
        bits = dict(self.bits)
        for partition, more in other.bits.items():
            bits[partition] = bits.get(partition, 0) | more
        return Matches(bits)

    def __sub__(self, other: "Matches") -> "Matches":
        return Matches({p: left for p, b in self.bits.items() if (left := b & ~other.bits.get(p, 0))})

    def rows(self, store: EventStore) -> npt.NDArray[np.int64]:
        """Global row numbers, ascending; int64, shape (len(self),)."""
        found = [store.partitions[index].base + bit_positions(bits) for index, bits in sorted(self.bits.items())]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs (partition index, row in the partition), ascending."""
        for index, bits in sorted(self.bits.items()):
            for row in bit_positions(bits):
                yield index, int(row)


def bit_positions(bits: int) -> npt.NDArray[np.int64]:
    """The positions of the ones of a bit set, ascending; int64."""
    data = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(data, bitorder="little"))


class Engine(Protocol):
    """Runs rules on a store.

    Attributes:
        name: as users choose it, such as "native".
        semantics: the meaning that it gives to rules, such as "sigma".
        version: changes whenever the same rule on the same store may match other events; part of every truth's key.
    """

    name: str
    semantics: str
    version: str

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        """One result per rule, in order.

        Raises:
            EngineError: the engine failed for a reason that is not a rule's.
        """
        ...


@runtime_checkable
class ReadsLogs(Protocol):
    """An engine that reads the log files itself, and so may fail to read some that the store could."""

    @property
    def unread(self) -> Sequence[Unreadable]:
        """What it could not read in any run so far."""
        ...
