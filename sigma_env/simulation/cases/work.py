"""An event in the making: its values so far, and what each of them has to satisfy."""

import random
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sigma_env.sigma.rule import Pattern, Value
from sigma_env.simulation.cases.frame import DraftEvent, Frame
from sigma_env.simulation.draft import FieldValue, Scene
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.values import Need


class Demand(NamedTuple):
    """What a written value of the rule asks of a field.

    Attributes:
        need: a pattern that the field's text must satisfy; None if it must satisfy none of `forbid`.
        forbid: patterns that must not accept the text.
        firm: whether it has to stay; one that the event had when work on it began gives way.
    """

    need: Need | None
    forbid: tuple[Pattern, ...]
    firm: bool = True


Demands = dict[str, dict[int, tuple[Value, Demand]]]
"""By field and by identity of the written value, which lies beside it so that no other takes its id."""


class Work:
    """An event in the making.

    Attributes:
        frame: its kind.
        scene: where it happens.
        computer: full name of its host.
        values: of all fields that are known.
        origin: the values that it had when work on it began, if it was made from another event.
        chosen: fields that were given a text for the rule's sake.
        demands: what they have to satisfy.
    """

    __slots__ = ("chosen", "computer", "demands", "frame", "origin", "scene", "values")

    def __init__(self, frame: Frame, scene: Scene, computer: str, values: Mapping[str, FieldValue]) -> None:
        self.frame, self.scene, self.computer = frame, scene, computer
        self.values = dict(values)
        self.origin: Mapping[str, FieldValue] = {}
        self.chosen: set[str] = set()
        self.demands: Demands = {}

    def copy(self) -> "Work":
        """The same event, to be changed without this one."""
        other = Work(self.frame, self.scene, self.computer, self.values)
        other.origin = self.origin
        other.chosen = set(self.chosen)
        other.demands = {slot: dict(demands) for slot, demands in self.demands.items()}
        return other

    def become(self, other: "Work") -> None:
        """Takes over what was made of a copy."""
        self.values, self.chosen, self.demands = other.values, other.chosen, other.demands

    def loosened(self) -> "Work":
        """A copy whose demands give way to new ones."""
        other = Work(self.frame, self.scene, self.computer, self.values)
        other.origin = self.values
        other.chosen = set(self.chosen)
        other.demands = {
            slot: {key: (value, demand._replace(firm=False)) for key, (value, demand) in demands.items()}
            for slot, demands in self.demands.items()
        }
        return other

    def texts(self, field: str) -> tuple[str | None, ...]:
        """What a rule finds under a name."""
        return self.frame.texts(field, self.values, self.computer)


def event_of(work: Work) -> DraftEvent:
    """An event as rules see it."""
    return DraftEvent(work.frame, work.values, work.computer)


def later_text(spec: FieldSpec, rng: random.Random) -> str:
    """A text for a field that clock and counters would fill, where the rule speaks of it."""
    maker = _LATER.get(spec.kind)
    if maker is not None:
        return maker(rng)
    return f"0x{rng.randrange(0x100, 0xFFFF):x}" if spec.type in ("hex32", "hex64") else str(rng.randrange(100, 9_000))


def _guid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032X}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_LATER: Final[Mapping[FieldKind, Callable[[random.Random], str]]] = {
    FieldKind.GUID: _guid,
    FieldKind.LOGON_ID: lambda rng: f"0x{rng.randrange(0x10000, 0xFFFFFF):x}",
    FieldKind.PORT: lambda rng: str(rng.randrange(49_152, 65_500)),
    FieldKind.TIME: lambda rng: f"2025-0{rng.randrange(1, 10)}-1{rng.randrange(10)} 09:1{rng.randrange(10)}:42.117",
}
