"""The simulated company and what its hosts log."""

from sigma_env.simulation.world.background import background
from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.fill import fill
from sigma_env.simulation.world.write import Written, write_logs

__all__ = ["Company", "Written", "background", "fill", "write_logs"]
