"""Wrong versions of one task's rule: shortcuts that score like it, mutants that the events do not tell from it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from sigma_env.events.volatile import volatile_fields
from sigma_env.scoring.quality.equivalence import same_meaning
from sigma_env.scoring.quality.kinds import Kind, kinds
from sigma_env.scoring.quality.subject import Subject
from sigma_env.sigma.rule import Node
from sigma_env.simulation.sloppy import LIKE_THE_RULE, UNGATED, Sloppy, from_example, mutants, shortcuts

_RAREST_TRIED: Final = 3


class Version(NamedTuple):
    """A wrong version of a rule and the IoU that it gets."""

    kind: str
    title: str
    iou: float


class Tally(NamedTuple):
    """Mutants of one kind: made, told from the rule (IoU below 0.9), and proven to mean the same.

    Kinds that are only reported are not looked into further: none of them counts as equivalent.
    """

    made: int = 0
    killed: int = 0
    equivalent: int = 0

    def __add__(self, other: object) -> "Tally":
        """The counts of both."""
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*(a + b for a, b in zip(self, other, strict=True)))


class Shortcuts(NamedTuple):
    """The shortcuts of one task.

    Attributes:
        best: by kind, the one with the highest IoU; proven equivalents are not among them.
        equivalent: how many mean the same as the rule, which makes them no shortcuts.
    """

    best: Mapping[str, Version]
    equivalent: int


class Mutants(NamedTuple):
    """The mutants of one task: counts by kind, and those of gated kinds that are neither killed nor equivalent."""

    tallies: Mapping[str, Tally]
    alive: tuple[Version, ...]


class Judge:
    """Tells whether versions of one task's rule mean the same as the rule.

    Args:
        subject: the task.
        simulated: see `kinds`.
    """

    def __init__(self, subject: Subject, *, simulated: bool) -> None:
        self._subject, self._simulated = subject, simulated

    @cached_property
    def _kinds(self) -> list[Kind]:
        selected = sorted(self._subject.variants.selected.bits)
        store = self._subject.yardstick.store
        return list(kinds(self._subject.cut, store, selected, simulated=self._simulated))

    def equivalent(self, condition: Node) -> bool:
        """Whether a condition surely means what the disclosed rule means."""
        if not self._subject.same_where_it_counts(condition):
            return False
        return same_meaning(condition, self._subject.cut.condition, self._kinds)


def find_shortcuts(subject: Subject, judge: Judge) -> Shortcuts:
    """The best shortcut of each kind."""
    best: dict[str, Version] = {}
    equivalent = 0
    for sloppy in (*shortcuts(subject.cut), *_from_examples(subject)):
        condition = sloppy.rule.condition
        iou = subject.iou(condition)
        if iou >= LIKE_THE_RULE and judge.equivalent(condition):
            equivalent += 1
        elif sloppy.kind not in best or iou > best[sloppy.kind].iou:
            best[sloppy.kind] = Version(sloppy.kind, sloppy.title, iou)
    return Shortcuts(best, equivalent)


def find_mutants(subject: Subject, judge: Judge) -> Mutants:
    """Which mutants of the disclosed part the task's events tell from the rule."""
    tallies: dict[str, Tally] = {}
    alive: list[Version] = []
    for sloppy in mutants(subject.cut):
        condition = sloppy.rule.condition
        iou = subject.iou(condition)
        killed = iou < LIKE_THE_RULE
        equivalent = not killed and sloppy.kind not in UNGATED and judge.equivalent(condition)
        tallies[sloppy.kind] = tallies.get(sloppy.kind, Tally()) + Tally(1, int(killed), int(equivalent))
        if not (killed or equivalent or sloppy.kind in UNGATED):
            alive.append(Version(sloppy.kind, sloppy.title, iou))
    return Mutants(tallies, tuple(alive))


def _from_examples(subject: Subject) -> Iterator[Sloppy]:
    """For each visible event, the rules that ask for one of its rarest values and nothing else."""
    store, view = subject.yardstick.store, subject.rule.logsource.category
    for ref in subject.task.visible:
        row = store.row(ref)
        partition = store.partition_of(row)
        volatile = volatile_fields(partition.channel)
        counted: list[tuple[int, str, str]] = []
        for name in partition.cells(row - partition.base, view):
            column = partition.column(name, view)
            if column is not None and name not in volatile:
                for code in sorted(column.codes_in((row - partition.base,))):
                    counted.append((column.rows_with([code]).bit_count(), name, column.value(code)))
        for _, name, text in sorted(counted)[:_RAREST_TRIED]:
            yield from_example(subject.cut, name, text)
