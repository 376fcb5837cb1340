"""From patterns to texts: values that satisfy a rule's lines, and near ones that do not."""

from sigma_env.simulation.values.literal import Need, needs_of
from sigma_env.simulation.values.near import miss, misses
from sigma_env.simulation.values.solver import solve
from sigma_env.simulation.values.variants import variant

__all__ = ["Need", "miss", "misses", "needs_of", "solve", "variant"]
