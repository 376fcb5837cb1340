"""From patterns to texts: values that satisfy a rule's lines, and near ones that do not."""

from sigma_env.simulation.values.literal import Need, needs_of
from sigma_env.simulation.values.solver import solve

__all__ = ["Need", "needs_of", "solve"]
