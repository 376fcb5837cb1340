"""What a scorer can be told: engine, semantics and weights, and which values they may have."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sigma_env.errors import OptionError
from sigma_env.scoring.score import COMPONENTS

if TYPE_CHECKING:
    from sigma_env.engines.base import Engine

ENGINES: Final = ("native",)
SEMANTICS: Final = ("sigma",)


def check_engine(name: str) -> str:
    """Returns the name of an engine that exists.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in ENGINES:
        raise OptionError(f"unknown engine {name!r}; there is {_listed(ENGINES)}")
    return name


def check_semantics(name: str) -> str:
    """Returns the name of a meaning of rules that exists.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in SEMANTICS:
        raise OptionError(f"unknown semantics {name!r}; there is {_listed(SEMANTICS)}")
    return name


def check_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Returns the weights as floats, in the order of COMPONENTS.

    Raises:
        OptionError: a component has no weight, a weight has no component, or it is not a finite number ≥ 0.
    """
    if not isinstance(weights, Mapping) or set(weights) != set(COMPONENTS):
        raise OptionError(f"weights must have exactly the keys {_listed(COMPONENTS)}, not {weights!r}")
    for name, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise OptionError(f"weights.{name} must be a finite number of at least 0, not {weight!r}")
    return {name: float(weights[name]) for name in COMPONENTS}


def make_engine(name: str, semantics: str) -> "Engine":
    """Makes the engine that has the name and gives rules the meaning.

    Raises:
        OptionError: there is no such engine or semantics.
    """
    check_engine(name)
    check_semantics(semantics)
    from sigma_env.engines.native import NativeEngine

    return NativeEngine()


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
