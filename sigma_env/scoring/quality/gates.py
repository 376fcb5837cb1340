"""Limits that a figure must keep, as a build server would set them: `shortcut_rate=0.03`."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from sigma_env.errors import OptionError
from sigma_env.scoring.quality.figures import FIGURES


class Gate(NamedTuple):
    """A limit.

    Attributes:
        name: of a figure; parts of a figure behind a dot, such as `coverage.mean`.
        limit: the worst value that passes.
        better: whether the figure should be high or low.
    """

    name: str
    limit: float
    better: Literal["high", "low"]

    def failures(self, figures: Mapping[str, Any]) -> list[str]:
        """What does not pass, in words; empty if all does. A figure that was not measured does not pass."""
        found: Any = figures
        for part in self.name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        parts = {f"{self.name}.{part}": value for part, value in found.items()} if isinstance(found, Mapping) else None
        sign = "at least" if self.better == "high" else "at most"
        return [
            f"{name} is {'not known' if value is None else value}; it must be {sign} {self.limit:g}"
            for name, value in (parts or {self.name: found}).items()
            if not self._passes(value)
        ]

    def _passes(self, value: Any) -> bool:
        if not isinstance(value, int | float):
            return False
        return value >= self.limit if self.better == "high" else value <= self.limit


def parse_gate(text: str) -> Gate:
    """Reads NAME=VALUE.

    Raises:
        OptionError: there is no such figure, it has no better direction, or the value is no number.
    """
    name, _, value = text.partition("=")
    figure = next((figure for figure in FIGURES if figure.name == name.split(".")[0]), None)
    if figure is None or figure.better is None:
        names = ", ".join(figure.name for figure in FIGURES if figure.better is not None)
        raise OptionError(f"--gate {text!r}: {name!r} is no figure that can be high or low; use one of {names}")
    try:
        return Gate(name, float(value), figure.better)
    except ValueError:
        raise OptionError(f"--gate {text!r}: {value!r} is no number; write {name}=NUMBER") from None
