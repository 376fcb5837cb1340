"""Rules composed of invented names, in any number: for training, and in another half of the words for tests.

for pair in training_pairs(seed=1, count=40_000): ...
list(held_out(seed=1))      # 360 rules in 120 families that share no name with the training rules
"""

from sigma_env.simulation.compose.pairs import Pair, pairs, training_pairs
from sigma_env.simulation.compose.rules import HELD_OUT_FAMILIES, Composed, compose, held_out
from sigma_env.simulation.compose.sharing import Shared, literals, shares

__all__ = [
    "HELD_OUT_FAMILIES",
    "Composed",
    "Pair",
    "Shared",
    "compose",
    "held_out",
    "literals",
    "pairs",
    "shares",
    "training_pairs",
]
