"""Wrong versions of a rule, as rules: what the simulated events have to tell apart from it."""

from sigma_env.simulation.sloppy.mutants import UNGATED, Sloppy, mutants
from sigma_env.simulation.sloppy.shortcuts import from_example, shortcuts
from sigma_env.simulation.sloppy.ways import LIKE_THE_RULE

__all__ = ["LIKE_THE_RULE", "UNGATED", "Sloppy", "from_example", "mutants", "shortcuts"]
