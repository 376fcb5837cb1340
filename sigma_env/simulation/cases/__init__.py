"""The events by which answers to one rule's request are judged: those it matches, nearly matches and filters."""

from sigma_env.simulation.cases.apart import Alike
from sigma_env.simulation.cases.frame import DraftEvent, Frame
from sigma_env.simulation.cases.make import Cases, make_cases
from sigma_env.simulation.cases.positives import Unsatisfiable

__all__ = ["Alike", "Cases", "DraftEvent", "Frame", "Unsatisfiable", "make_cases"]
