"""Rules that memory does not help with: the logic of known rules about names that occur in none of them."""

from sigma_env.simulation.fresh.remembered import remembered_iou
from sigma_env.simulation.fresh.renamer import Renamer
from sigma_env.simulation.fresh.rules import Fresh, freshened, is_distinctive

__all__ = ["Fresh", "Renamer", "freshened", "is_distinctive", "remembered_iou"]
