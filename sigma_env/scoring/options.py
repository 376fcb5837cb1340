"""The weights of a score: which there are, and which values they may have."""

import math
from collections.abc import Mapping
from typing import Final

from sigma_env.errors import OptionError

COMPONENTS: Final = ("yaml_valid", "logsource_correct", "iou")
DEFAULT_WEIGHTS: Final[Mapping[str, float]] = {"yaml_valid": 0.1, "logsource_correct": 0.3, "iou": 0.7}
"""The published formula. The sum is 1.1 on purpose."""


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


def weighted(components: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The reward of components, added up in the order of COMPONENTS: 0.1 + 0.3 + 0.7 is then 1.1 to the last bit."""
    reward = 0.0
    for name in COMPONENTS:  # not sum(), which rounds differently from Python 3.12 on
        reward += weights[name] * components[name]
    return reward


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
