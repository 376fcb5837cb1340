"""The simulated company and what its hosts log."""

from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.fill import fill

__all__ = ["Company", "fill"]
