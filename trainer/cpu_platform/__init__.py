"""Lets verl train on a CPU: a plugin of verl and of vLLM.

Both load it through the entry points in pyproject.toml. It does nothing unless VERL_PLATFORM=cpu. What it works
around, and why, is listed in `trainer.cpu_platform.upstream`.
"""

import os
from typing import Final

PLATFORM: Final = "cpu"
"""Value of verl's VERL_PLATFORM that turns this plugin on."""


def is_wanted() -> bool:
    """Whether this process is asked to run on the CPU platform."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == PLATFORM
