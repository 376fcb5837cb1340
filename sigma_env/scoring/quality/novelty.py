"""Values of unnamed fields that stand in a task's true events and nowhere else: whoever knows them knows the answer."""

from typing import Final, NamedTuple

from sigma_env.engines.base import Matches, bit_positions
from sigma_env.events.column import SEP
from sigma_env.events.store import EventStore
from sigma_env.events.volatile import volatile_fields
from sigma_env.scoring.quality.subject import Subject
from sigma_env.scoring.quality.unnamed import has_keywords, unnamed_columns

_EXAMPLES: Final = 3
_SHOWN_OF_A_VALUE: Final = 120


class Novelty(NamedTuple):
    """The values of a task's unnamed fields that do not pass.

    Attributes:
        values: distinct (field, value) pairs in the scored true events.
        novel: how many of them no other event of the dataset has in that field.
        examples: a few of those.
    """

    values: int
    novel: int
    examples: tuple[str, ...]


class NoveltyFinder:
    """Finds novel values in one store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._counts: dict[tuple[str, str], int] = {}
        self._homes: dict[str, list[int]] = {}
        for partition in store.partitions:
            for name in dict.fromkeys(info.name for info in partition.infos):
                self._homes.setdefault(name, []).append(partition.index)

    def of(self, subject: Subject) -> Novelty | None:
        """The novelty of a task's true events; None if the rule looks into every field."""
        if has_keywords(subject.rule):
            return None
        seen = 0
        novel: dict[tuple[str, str], None] = {}
        for index, bits in sorted(subject.scored.bits.items()):
            partition = self._store.partitions[index]
            volatile = volatile_fields(partition.channel)
            rows = bit_positions(bits).tolist()
            for column in unnamed_columns(subject.rule, partition):
                if column.name not in volatile:
                    texts = list(dict.fromkeys(column.lower_value(code) for code in sorted(column.codes_in(rows))))
                    seen += len(texts)
                    novel.update(((column.name, t), None) for t in texts if self._is_novel(column.name, t, subject))
        shown = tuple(f"{field}: {text[:_SHOWN_OF_A_VALUE]}" for field, text in list(novel)[:_EXAMPLES])
        return Novelty(seen, len(novel), shown)

    def _is_novel(self, field: str, text: str, subject: Subject) -> bool:
        """Whether only events that the reference matches have a value in a field."""
        true = subject.true
        count = self._counts.get((field, text))
        if count is None:
            found = self._rows_with(field, text)
            count = self._counts[field, text] = len(found)
        if count > len(true):  # most values are everywhere
            return False
        return not self._rows_with(field, text) - true

    def _rows_with(self, field: str, text: str) -> Matches:
        needle = SEP + text.encode() + SEP
        bits: dict[int, int] = {}
        for index in self._homes[field]:
            column = self._store.partitions[index].column(field)
            if column is not None and (rows := column.rows_with(column.find_all(needle))):
                bits[index] = rows
        return Matches(bits)
