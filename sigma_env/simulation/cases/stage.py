"""Where a rule's events can take place: the kinds of events that it can match, in turn."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from sigma_env.sigma.rule import And, FieldTest, LogSource, Node, Or, Rule, Selection
from sigma_env.sigma.taxonomy import SECURITY
from sigma_env.simulation.cases.fold import Fold, Folds
from sigma_env.simulation.cases.frame import Frame
from sigma_env.simulation.cases.usage import Usage
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas import Catalogue

_MOST_KINDS: Final = 8
_NEWEST_OF: Final = 4
"""One in so many events is of an older version."""
_SYSMON_TO_SECURITY: Final = 3


class Kind(NamedTuple):
    """One kind of events that a rule can match.

    Attributes:
        frames: its versions that have the rule's fields, newest first.
        weight: how many events it gets, compared with other kinds.
    """

    frames: tuple[Frame, ...]
    weight: float


class Stage:
    """The kinds of events that a rule's logsource selects.

    Args:
        rule: the rule.
        conditions: all of them must be possible.
        catalogue: all kinds of events.
        folds: what the kinds decide.

    Attributes:
        kinds: those that its events are spread over.
        newest: of every kind that it can match, the newest version.
    """

    def __init__(self, rule: Rule, conditions: Sequence[Node], catalogue: Catalogue, folds: Folds) -> None:
        self._folds = folds
        self._category = rule.logsource.category
        self._families = _families(catalogue, rule.logsource)
        self._conditions = conditions
        self._least = 0
        self.newest: list[Frame] = []
        self.kinds = self._kinds(conditions)

    def _kinds(self, conditions: Sequence[Node]) -> list[Kind]:
        found: list[tuple[int, int, Kind]] = []
        for number, family in enumerate(self._families.values()):
            possible = [
                frame for frame in family if all(self._folds.of(frame).truth(node) is not False for node in conditions)
            ]
            if not possible:
                continue
            lacks = [len(_lacking(conditions[0], frame, self._folds.of(frame))) for frame in possible]
            best = min(lacks)
            frames = tuple([frame for frame, lack in zip(possible, lacks, strict=True) if lack == best])
            found.append((best, number, Kind(frames, self._weight(frames[0].schema))))
        if not found:
            return []
        least = min(lack for lack, _, _ in found)
        self._least = least
        kinds = [kind for lack, _, kind in found if lack == least]
        self.newest = [kind.frames[0] for kind in kinds]
        step = max(1, len(kinds) / _MOST_KINDS)
        return [kinds[int(i * step)] for i in range(min(len(kinds), _MOST_KINDS))]

    def _weight(self, schema: EventSchema) -> float:
        return 1.0 if schema.channel == SECURITY and self._category is not None else float(_SYSMON_TO_SECURITY)

    def next_frame(self, usage: Usage, rng: random.Random) -> tuple[int, Frame]:
        """The kind that is next in turn, its number and a version."""
        number = usage.order(self, range(len(self.kinds)), rng, [kind.weight for kind in self.kinds])[0]
        frames = self.kinds[number].frames
        older = len(frames) > 1 and rng.randrange(_NEWEST_OF) == 0
        return number, frames[rng.randrange(1, min(len(frames), 3))] if older else frames[0]

    @property
    def frames(self) -> list[Frame]:
        """Every kind and version that the logsource selects, but for those that lack fields that others have.

        What the rule means on events without a field that it needs, nobody can say: they are not scored.
        """
        return [
            frame
            for family in self._families.values()
            for frame in family
            if len(_lacking(self._conditions[0], frame, self._folds.of(frame))) <= self._least
        ]

    def elsewhere(self, node: Node, truth: bool, rest: Node | None) -> Iterator[Frame]:
        """Newest versions of kinds on which a condition comes out as wanted, and on which the rest is possible."""
        for family in self._families.values():
            fold = self._folds.of(family[0])
            if fold.truth(node) is not (not truth) and (rest is None or fold.truth(rest) is not False):
                yield family[0]


@lru_cache(maxsize=128)
def _families(catalogue: Catalogue, logsource: LogSource) -> Mapping[tuple[str, int, str], tuple[Frame, ...]]:
    """The events that a logsource selects, each with its versions."""
    found: dict[tuple[str, int, str], list[Frame]] = {}
    for schema in catalogue.selectable(logsource):
        found.setdefault(_family_key(schema), []).append(Frame(schema, logsource.category))
    return {key: tuple(frames) for key, frames in found.items()}


def _family_key(schema: EventSchema) -> tuple[str, int, str]:
    return schema.channel.lower(), schema.event_id, schema.provider


def _lacking(node: Node, frame: Frame, fold: Fold) -> frozenset[str]:
    """Fields that a condition tests and that events of a kind lack, where the events' type leaves it a say."""
    if isinstance(node, FieldTest):
        return frozenset((node.field,)) if node.field is not None and frame.is_lacking(node.field) else frozenset()
    if isinstance(node, And | Or):
        if isinstance(node, And) and any(_is_of_other_type(child, frame, fold) for child in node.children):
            return frozenset()
        return frozenset().union(*(_lacking(child, frame, fold) for child in node.children))
    return _lacking(node.child, frame, fold)


def _is_of_other_type(node: Node, frame: Frame, fold: Fold) -> bool:
    while isinstance(node, Selection):
        node = node.child
    is_fixed = isinstance(node, FieldTest) and node.field is not None and node.field in frame.fixed
    return is_fixed and frame.slot(node.field) is None and fold.truth(node) is False  # type: ignore[union-attr,arg-type]
