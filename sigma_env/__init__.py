"""SigmaForge: an RL environment in which a model writes Sigma rules and is scored by running them.

Importing it registers the environments of `envs_registry.yaml` with Gymnasium and does nothing else;
the names below are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sigma_env._gymnasium_hook import call_with_gymnasium

if TYPE_CHECKING:
    from sigma_env.env import SigmaRuleEnv
    from sigma_env.errors import DatasetNotBuilt, EngineError, SigmaEnvError
    from sigma_env.events.store import EventStore
    from sigma_env.scoring.score import Score
    from sigma_env.scoring.scorer import Scorer
    from sigma_env.spaces import UnicodeText
    from sigma_env.tasks.dataset import Dataset, load_dataset
    from sigma_env.tasks.task import Task
    from sigma_env.vector import SigmaRuleVectorEnv

_HOMES = {
    "Dataset": "sigma_env.tasks.dataset",
    "DatasetNotBuilt": "sigma_env.errors",
    "EngineError": "sigma_env.errors",
    "EventStore": "sigma_env.events.store",
    "Score": "sigma_env.scoring.score",
    "Scorer": "sigma_env.scoring.scorer",
    "SigmaEnvError": "sigma_env.errors",
    "SigmaRuleEnv": "sigma_env.env",
    "SigmaRuleVectorEnv": "sigma_env.vector",
    "Task": "sigma_env.tasks.task",
    "UnicodeText": "sigma_env.spaces",
    "load_dataset": "sigma_env.tasks.dataset",
}

__all__ = [
    "Dataset",
    "DatasetNotBuilt",
    "EngineError",
    "EventStore",
    "Score",
    "Scorer",
    "SigmaEnvError",
    "SigmaRuleEnv",
    "SigmaRuleVectorEnv",
    "Task",
    "UnicodeText",
    "load_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register() -> None:
    from sigma_env.registry import register

    register()


call_with_gymnasium(_register)
