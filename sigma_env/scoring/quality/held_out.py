"""Sloppy strategies that the simulator does not aim at: whether its events tell them from the rule anyway.

Each strategy may try several rules; the best of them counts, which is more than a player could know.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from sigma_env.engines.base import bit_positions
from sigma_env.engines.plan import needle_of
from sigma_env.events.column import Column
from sigma_env.events.store import Partition
from sigma_env.events.volatile import volatile_fields
from sigma_env.scoring.quality.subject import Subject
from sigma_env.scoring.quality.versions import Judge, Version
from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection, Text, Value
from sigma_env.simulation.sloppy import LIKE_THE_RULE

_QUOTED: Final = re.compile(r"`+ ?([^`]+?) ?`+|\"([^\"]+)\"|«([^»]+)»")
_TECHNICAL: Final = re.compile(r"[^\s\"'`«»(),;]*[\\/.:_=%$@-][^\s\"'`«»(),;]*[^\s\"'`«»(),;.:]")
_SHORTEST_WORD: Final = 4
_MOST_WORDS: Final = 40
_EXAMPLES: Final = 2
_FEWEST_SHARED: Final = 5


def held_out(subject: Subject, judge: Judge) -> dict[str, Version]:
    """The best rule of each strategy."""
    best: dict[str, Version] = {}
    for strategy, conditions in STRATEGIES.items():
        best[strategy] = Version(strategy, "", 0.0)
        for title, condition in conditions(subject):
            iou = subject.iou(condition)
            if iou > best[strategy].iou and not (iou >= LIKE_THE_RULE and judge.equivalent(condition)):
                best[strategy] = Version(strategy, title, iou)
    return best


def two_most_frequent_literals(subject: Subject) -> Iterator[tuple[str, Node]]:
    """The two values of the rule that are found in most of the true events, both required; each in its own line."""
    found: list[tuple[int, str, Node]] = []
    for test in _asked_for(subject.cut.condition):
        for value in test.values:
            alone = test._replace(values=(value,), all=False)
            share = len(subject.variants.matches(alone) & subject.scored)
            found.append((share, f"{test.field or 'keywords'}: {value.written!r}", alone))
    found.sort(key=lambda one: -one[0])
    if len(found) > 1:
        (_, first, one), (_, second, other) = found[:2]
        yield f"{first} and {second}", And((one, other))


def _asked_for(node: Node, negated: bool = False) -> Iterator[FieldTest]:
    """Lines that must hold, or of which one must."""
    if isinstance(node, FieldTest):
        if negated == node.negated:
            yield node
    elif isinstance(node, Selection | Not):
        yield from _asked_for(node.child, negated != isinstance(node, Not))
    else:
        for child in node.children:
            yield from _asked_for(child, negated)


def request_words(subject: Subject) -> Iterator[tuple[str, Node]]:
    """What the request quotes or spells like a path, switch or name, searched for anywhere: any of it, or all of it.

    Words that occur in no event are left out of "all", as somebody would who looks at the results.
    """
    tests = []
    for word in technical_words(subject.task.request):
        test = FieldTest(None, (), (Value(word, (Text("contains", word.lower()),)),))
        if subject.variants.matches(test):
            tests.append(test)
    if tests:
        titles = ", ".join(str(test.values[0].written) for test in tests)
        yield f"any of: {titles}", Or(tuple(tests))
        yield f"all of: {titles}", And(tuple(tests))


def technical_words(request: str) -> list[str]:
    """The words of a request that look like something to search for."""
    quoted = [next(filter(None, found)) for found in _QUOTED.findall(request)]
    plain = _TECHNICAL.findall(_QUOTED.sub(" ", request))
    words = dict.fromkeys(word.strip() for word in (*quoted, *plain))
    return [word for word in words if len(word) >= _SHORTEST_WORD][:_MOST_WORDS]


class _Shared(NamedTuple):
    """Something that all examples have in common, and how many events of their kind have it."""

    events: int
    title: str
    test: FieldTest


def fitted_to_examples(subject: Subject) -> Iterator[tuple[str, Node]]:
    """What two positives have in common: its rarest part, the two and three rarest, and all of it.

    The positives are those that the request shows; where it shows fewer than two of one kind, two that it does not.
    """
    found = _examples(subject)
    if found is None:
        return
    partition, rows = found
    shared = sorted(_shared(partition, rows), key=lambda one: (one.events, one.title))
    for size in sorted({1, 2, 3, len(shared)}):
        if size <= len(shared):
            chosen = shared[:size]
            yield " and ".join(one.title for one in chosen), And(tuple([one.test for one in chosen]))


def _examples(subject: Subject) -> tuple[Partition, list[int]] | None:
    store = subject.yardstick.store
    by_partition: dict[int, list[int]] = {}
    for row in map(store.row, subject.task.visible):
        partition = store.partition_of(row)
        by_partition.setdefault(partition.index, []).append(row - partition.base)
    most = max(by_partition.values(), key=len, default=[])
    if len(most) < _EXAMPLES:
        by_partition = {index: bit_positions(bits).tolist() for index, bits in sorted(subject.scored.bits.items())}
        most = max(by_partition.values(), key=len)
    index = next(index for index, rows in by_partition.items() if rows is most)
    return (store.partitions[index], most[:_EXAMPLES]) if len(most) >= _EXAMPLES else None


def _shared(partition: Partition, rows: list[int]) -> Iterator[_Shared]:
    volatile = volatile_fields(partition.channel)
    for name in dict.fromkeys(info.name for info in partition.infos):
        column = None if name in volatile else partition.column(name)
        if column is None or column.is_multi:
            continue
        codes = [int(column.codes[row]) for row in rows]
        if any(not 0 <= code < column.n_values for code in codes):
            continue
        texts = [column.lower_value(code) for code in codes]
        common = _common(texts)
        if common is not None:
            test = FieldTest(name, (), (Value(common.text, (common,)),))
            yield _Shared(_count(column, common), f"{name}|{common.op}: {common.text!r}", test)


def _common(texts: list[str]) -> Text | None:
    first = texts[0]
    if all(text == first for text in texts):
        return Text("equals", first)
    ending = "\\" + first.rpartition("\\")[2]
    if len(ending) > _FEWEST_SHARED and all(text.endswith(ending) for text in texts):
        return Text("endswith", ending)
    words = [word for word in first.split() if len(word) >= _FEWEST_SHARED]
    held = [word for word in words if all(word in text for text in texts)]
    return Text("contains", max(held, key=len)) if held else None


def _count(column: Column, pattern: Text) -> int:
    return column.rows_with(column.find_all(needle_of(pattern))).bit_count()


STRATEGIES: Final[dict[str, Callable[[Subject], Iterable[tuple[str, Node]]]]] = {
    "two_most_frequent_literals": two_most_frequent_literals,
    "request_words": request_words,
    "fitted_to_examples": fitted_to_examples,
}
