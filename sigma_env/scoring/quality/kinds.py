"""What the kind of an event decides about a rule's lines, before anything is known of the event."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from sigma_env.engines.evaluator import value_holds
from sigma_env.events.store import EventStore
from sigma_env.scoring.folding import FIXED_FIELDS
from sigma_env.sigma.rule import Exists, FieldRef, Null, Pattern, Regex, Rule, Text, Value
from sigma_env.sigma.taxonomy import SYSMON, event_types
from sigma_env.simulation.cases.fold import Fold
from sigma_env.simulation.cases.frame import DATA, Frame
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas import cannot_hold, catalogue, rendered
from sigma_env.simulation.schemas.plausible import PSEUDO_PROCESSES

_WORD: Final = re.compile("[A-Za-z=]*")
_GROUP: Final = re.compile(r"\([^()]*\)")
_LETTER: Final = re.compile("[g-wy]")
_PSEUDO: Final = frozenset(name.lower() for name in PSEUDO_PROCESSES)
_OPEN: Final = (Null, Exists, FieldRef)


class Kind:
    """One kind of event.

    Args:
        frame: the schema as the rule's category sees it; None for events of no known schema.
        fixed: what System's fields surely hold in events of no known schema.
    """

    def __init__(self, frame: Frame | None, fixed: dict[str, str] | None = None) -> None:
        self._frame = frame
        self._fold = None if frame is None else Fold(frame)
        self._fixed = fixed or {}
        # An event whose only data are unnamed: what a keyword finds, it finds there or in System.
        self._is_unnamed = frame is not None and frame.schema.is_classic

    def field_of(self, field: str | None, value: Value) -> str | None:
        """The field in which a line looks; keywords look into the unnamed data if System cannot hold the value."""
        if field is not None or not self._is_unnamed or self._frame is None:
            return field
        fixed = self._frame.fixed.values()
        # Bytes, numbers and times cannot hold it either, and computers are named by their company, not by rules.
        is_text = all(_LETTER.search(_required(p)) for p in value.alternatives)
        return DATA if is_text and not any(value_holds(p, text) for p in value.alternatives for text in fixed) else None

    def truth(self, field: str | None, value: Value) -> bool | None:
        """What a written value comes to; None if that is open."""
        if field is None:
            return None
        if self._never(field, value):
            return False
        if self._fold is not None:
            truth = self._fold.of_value(field, value)
            choices = self.choices(field) if truth is None and field in FIXED_FIELDS else None
            if choices is None or any(isinstance(p, _OPEN) for p in value.alternatives):
                return truth
            truths = {any(value_holds(p, text) for p in value.alternatives) for text in choices}
            return truths.pop() if len(truths) == 1 else None
        text = self._fixed.get(field)
        if text is None or any(isinstance(p, _OPEN) for p in value.alternatives):
            return None
        return any(value_holds(p, text) for p in value.alternatives)

    def _never(self, field: str, value: Value) -> bool:
        """Whether a field cannot hold any of the texts that a value asks for, each from its beginning to its end."""
        spec = None if self._frame is None else self._frame.slot(field)
        texts = [p.text if isinstance(p, Text) and p.op == "equals" else None for p in value.alternatives]
        if spec is None or spec.name is None or not texts:
            return False
        return all(text and _cannot_hold(spec, text) for text in texts)

    def choices(self, field: str | None) -> tuple[str, ...] | None:
        """Every text that a field can hold, if it is one of a few."""
        if self._frame is None or field is None:
            return None
        spec, category = self._frame.slot(field), self._frame.category
        if spec is None or spec.kind is not FieldKind.ENUM:
            return None
        schema = self._frame.schema
        if field == "EventType" and schema.event_id == 12 and schema.channel == SYSMON and category is not None:
            # The other events of the kind count for no task of this category.
            return tuple(sorted(event_types(category) or spec.choices))
        return spec.choices

    def is_single(self, field: str | None) -> bool:
        """Whether a field holds one text at most."""
        spec = None if self._frame is None or field is None else self._frame.slot(field)
        return spec is not None and spec.name is not None


def _required(pattern: Pattern) -> str:
    """A text that is surely in what a pattern accepts; "" if none is known."""
    if isinstance(pattern, Text):
        return pattern.text
    if not isinstance(pattern, Regex) or "|" in _GROUP.sub("", pattern.pattern):
        return ""
    # What an expression begins with, but for the last letter: it may be one that is repeated, or not there at all.
    return _WORD.match(pattern.pattern)[0][:-1].lower()  # type: ignore[index]


@lru_cache(maxsize=4_096)
def _cannot_hold(spec: FieldSpec, text: str) -> bool:
    if text in _PSEUDO:
        return False
    # A rule does not mind the case in which the field shows it.
    shown = [rendered(spec, form) or form for form in (text, text.upper())]
    return all(cannot_hold(spec, form) is not None for form in shown)


def kinds(rule: Rule, store: EventStore, selected: Sequence[int], *, simulated: bool) -> Iterator[Kind]:
    """Every kind of event that a rule's logsource selects.

    Args:
        rule: the rule.
        store: the events.
        selected: partitions in which the logsource selects events.
        simulated: whether all events follow the schemas of the package; if not, nothing is known of any.
    """
    if simulated:
        for schema in catalogue().selectable(rule.logsource):
            yield Kind(Frame(schema, rule.logsource.category))
    for index in selected:
        partition = store.partitions[index]
        if not simulated or not catalogue().of_event(partition.channel, partition.event_id):
            yield Kind(None, {"Channel": partition.channel, "EventID": str(partition.event_id)})
