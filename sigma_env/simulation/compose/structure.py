"""How composed rules are built: lines, selections, filters and conditions, in the shapes that SigmaHQ uses."""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from sigma_env.simulation.compose.names import Names
from sigma_env.simulation.compose.values import CHOICES, FORMS, JOINABLE, Form, Written

STEPS: Final = 10
"""Steps from the easiest rule, one line with one value, to the hardest."""

_MOST_LINES: Final = 4
_MOST_FILTERS: Final = 3
_BLANKS: Final[tuple[tuple[str, Written | bool], ...]] = (("", None), ("", ""), ("", "-"), ("|exists", False))

Line = tuple[str, Any]
"""A key of a selection, with its modifiers, and its value or values."""


class Field(NamedTuple):
    """A field that rules about some events ask for: its kind in `FORMS`, how often, and a short name for selections."""

    name: str
    kind: str
    weight: float
    hint: str


class Source(NamedTuple):
    """Events that rules are about; see `logsources.yaml`."""

    logsource: Mapping[str, str]
    weight: float
    always: Mapping[str, Written]
    fields: tuple[Field, ...]
    blank: tuple[str, ...]


@lru_cache(maxsize=1)
def sources() -> tuple[Source, ...]:
    """The kinds of events that rules are composed about."""
    text = Path(__file__).with_name("logsources.yaml").read_text(encoding="utf-8")
    return tuple(_source(entry) for entry in yaml.load(text, Loader=yaml.CSafeLoader))


def _source(entry: Mapping[str, Any]) -> Source:
    [part] = [part for part in ("category", "service") if part in entry]
    fields = tuple(Field(name, *how) for name, how in entry["fields"].items())
    logsource = {part: entry[part], "product": "windows"}
    return Source(logsource, entry["weight"], entry.get("always", {}), fields, tuple(entry.get("blank", ())))


@lru_cache(maxsize=1)
def _weights() -> tuple[float, ...]:
    return tuple(source.weight for source in sources())


class Built(NamedTuple):
    """A rule's document, how hard it came out, in steps, and the lines that every rule about its events has."""

    document: dict[str, Any]
    steps: int
    always: Mapping[str, Written]

    def own_texts(self) -> Iterator[str]:
        """Every written text but those that every rule about its events has, and but for choices of few."""
        given = frozenset((*self.always.values(), *CHOICES, "", "-"))
        values = _values_in(self.document["detection"])
        return (value for value in values if isinstance(value, str) and value not in given)

    def other_values(self) -> frozenset[str]:
        """The written values that are no texts of its own: rules about the same events may well have the same."""
        own = frozenset(self.own_texts())
        return frozenset(str(value) for value in _values_in(self.document["detection"]) if value not in own)


def build_rule(names: Names, steps: int, rng: random.Random) -> Built:
    """Composes a rule.

    Args:
        names: what it speaks of.
        steps: how hard it is to be, 0…STEPS; it may come out easier where the events have few fields.
        rng: chooses.
    """
    [source] = rng.choices(sources(), _weights())
    return _Builder(source, names, steps, rng).build()


class _Builder:
    def __init__(self, source: Source, names: Names, steps: int, rng: random.Random) -> None:
        self._source, self._names, self._rng = source, names, rng
        self._steps = self._left = steps
        self._free = list(source.fields)
        self._detection: dict[str, Any] = {}

    def build(self) -> Built:
        filters = self._planned_filters()
        condition = self._selections()
        excluded = self._filters(filters)
        if excluded:
            condition = f"{condition} and {excluded}"
        document = {"logsource": dict(self._source.logsource), "detection": {**self._detection, "condition": condition}}
        return Built(document, self._steps - self._left, self._source.always)

    def _planned_filters(self) -> int:
        """How many filters there will be; they cost two steps each."""
        most = min(_MOST_FILTERS, self._left // 2, max(0, len(self._source.fields) - 1))
        count = self._rng.choice(range(most + 1)) if most and self._rng.random() < 0.6 else 0
        self._left -= 2 * count
        return count

    def _selections(self) -> str:
        """Writes the selections and returns their part of the condition."""
        shapes = [self._one, self._one]
        if self._left >= 3:
            if len(self._free) > 2:
                shapes += [self._either, self._pair]
            if any(field.kind in JOINABLE for field in self._free):
                shapes.append(self._twice)
        if self._left >= 4 and len(self._free) > 3:
            shapes.append(self._child)
        return self._rng.choice(shapes)()

    def _one(self) -> str:
        """Lines that must hold together."""
        self._detection["selection"] = self._lines()
        return "selection"

    def _either(self) -> str:
        """Selections of which any is enough."""
        self._left -= 3
        return self._with_always(lambda: self._any_of("selection"), "1 of selection_*")

    def _any_of(self, prefix: str) -> None:
        for _ in range(2 if len(self._free) < 4 or self._rng.random() < 0.7 else 3):
            field = self._take()
            lines = dict([self._line(field)])
            if self._left > 1 and len(self._free) > 2 and self._rng.random() < 0.3:
                self._left -= 1
                lines.update([self._line(self._take())])
            self._detection[self._unused(f"{prefix}_{field.hint}")] = lines

    def _pair(self) -> str:
        """One of two lines in a list of maps, and another selection beside it."""
        self._left -= 3
        first, second = self._take(), self._take()
        maps = [dict([self._line(first)]), dict([self._line(second)])]

        def write() -> None:
            self._detection[f"selection_{first.hint}"] = maps
            other = self._take()
            self._detection[self._unused(f"selection_{other.hint}")] = dict([self._line(other)])

        return self._with_always(write, "all of selection_*")

    def _twice(self) -> str:
        """Two lists on one field, of each of which some value must be there."""
        self._left -= 3
        field = self._take(JOINABLE)
        most = max(2, min(4, self._left + 2))

        def write() -> None:
            forms = [form for form in FORMS[field.kind] if form.modifiers == "contains"]
            for number in (1, 2):
                line = self._written(field, forms[0], self._rng.randint(1, most))
                self._detection[f"selection_{field.hint}_{number}"] = dict([line])

        self._left -= min(self._left, 2)
        return self._with_always(write, "all of selection_*")

    def _child(self) -> str:
        """A selection, and any of some others beside it."""
        self._left -= 4
        self._detection["selection"] = dict([*self._source.always.items(), self._line(self._take())])
        self._any_of("selection")
        return "selection and 1 of selection_*"

    def _with_always(self, write: Callable[[], None], condition: str) -> str:
        """What `write` writes, and beside it the lines that every rule about these events has."""
        if not self._source.always:
            write()
            return condition
        self._detection["selection"] = dict(self._source.always)
        write()
        return f"selection and {condition}"

    def _lines(self) -> dict[str, Any]:
        lines = dict(self._source.always)
        lines.update([self._line(self._take())])
        for _ in range(_MOST_LINES - 1):
            if self._left < 1 or len(self._free) < 2 or self._rng.random() < 0.45:
                break
            self._left -= 1
            lines.update([self._line(self._take())])
        return lines

    def _take(self, kinds: frozenset[str] | None = None) -> Field:
        """Takes a field that no line has yet, of one of some kinds."""
        free = [field for field in self._free if kinds is None or field.kind in kinds]
        [field] = self._rng.choices(free, [field.weight for field in free])
        self._free.remove(field)
        return field

    def _line(self, field: Field) -> Line:
        forms = [form for form in FORMS[field.kind] if form.cost + form.least - 1 <= self._left] or FORMS[field.kind][
            :1
        ]
        [form] = self._rng.choices(forms, [form.weight for form in forms])
        self._left -= min(self._left, form.cost + form.least - 1)
        more = min(form.most - form.least, 2 * self._left)
        extra = self._rng.randint(0, more) if more > 0 and self._rng.random() < 0.6 else 0
        self._left -= (extra + 1) // 2
        return self._written(field, form, form.least + extra)

    def _written(self, field: Field, form: Form, count: int) -> Line:
        """A line of a form with so many different values, or fewer if there are not as many."""
        values: dict[str, Written] = {}
        for _ in range(3 * count):
            value = form.make(self._names, self._rng)
            values.setdefault(str(value).lower(), value)
            if len(values) == count:
                break
        key = f"{field.name}|{form.modifiers}" if form.modifiers else field.name
        if len(values) == 1:
            return key.removesuffix("|all"), next(iter(values.values()))
        return key, list(values.values())

    def _filters(self, count: int) -> str:
        """Writes filters and returns their part of the condition, "" if there are none."""
        lines: list[tuple[str, Line]] = []
        for _ in range(count):
            line = self._filter_line()
            if line is not None:
                lines.append(line)
        if not lines:
            self._left += 2 * count
            return ""
        self._left += 2 * (count - len(lines))
        if len(lines) == 1:
            self._detection["filter"] = dict([lines[0][1]])
            return "not filter"
        for hint, line in lines:
            self._detection[self._unused(f"filter_{hint}")] = dict([line])
        return "not 1 of filter_*"

    def _filter_line(self) -> tuple[str, Line] | None:
        """A line that events which match otherwise can have or not: of a field that nothing else asks for."""
        blank = [field for field in self._free if field.name in self._source.blank]
        if blank and self._rng.random() < 0.15:
            field = self._rng.choice(blank)
            self._free.remove(field)
            modifier, value = self._rng.choice(_BLANKS)
            return field.hint, (f"{field.name}{modifier}", value)
        if self._free:
            field = self._take()
            return field.hint, self._line(field)
        asked = [field for field in self._source.fields if field.kind in JOINABLE]
        if not asked:
            return None
        field = self._rng.choice(asked)
        return field.hint, self._written(field, FORMS[field.kind][0], self._rng.randint(1, 2))

    def _unused(self, name: str) -> str:
        if name not in self._detection:
            return name
        number = 2
        while f"{name}_{number}" in self._detection:
            number += 1
        return f"{name}_{number}"


def _values_in(definition: Any) -> Iterator[Any]:
    """The written values of a detection, but its condition."""
    if isinstance(definition, Mapping):
        for key, value in definition.items():
            if key != "condition":
                yield from _values_in(value)
    elif isinstance(definition, list):
        for value in definition:
            yield from _values_in(value)
    else:
        yield definition
