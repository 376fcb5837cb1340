"""Faults of the simulator: wrong data files, drafts that no log can hold, cases that miss what they aim at."""

from sigma_env.errors import SigmaEnvError


class SimulationError(SigmaEnvError):
    """Something that is to be simulated is wrong; the message names it and what to do about it."""
