"""How well a dataset judges answers: which wrong rules its tasks cannot tell from the right one, and other figures.

quality = measure(Scorer(load_dataset("starter")))
quality.figures["shortcut_rate"]
"""

from sigma_env.scoring.quality.figures import FIGURES, Figure, Quality
from sigma_env.scoring.quality.gates import Gate, parse_gate
from sigma_env.scoring.quality.measure import measure

__all__ = ["FIGURES", "Figure", "Gate", "Quality", "measure", "parse_gate"]
