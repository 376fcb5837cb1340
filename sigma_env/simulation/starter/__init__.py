"""The starter dataset: rules of our own, requests for them, and simulated logs that decide.

Its sources are YAML files in the package's `_data/starter`; `generate` makes the shipped logs from them.
"""

from sigma_env.simulation.starter.errors import StarterError
from sigma_env.simulation.starter.files import DATA, LABELS, LOGS
from sigma_env.simulation.starter.generate import Label, generate, read_labels
from sigma_env.simulation.starter.scenario import StarterRule, load_rules

__all__ = ["DATA", "LABELS", "LOGS", "Label", "StarterError", "StarterRule", "generate", "load_rules", "read_labels"]
