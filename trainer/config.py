"""Configurations: the recipe and its overlays, composed with verl's own by Hydra."""

import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path
from typing import Any, Final

from trainer.errors import ConfigError, TrainerError

CONFIGS: Final = Path(__file__).parent / "configs"
_RECIPE: Final = "recipe"


def overlays() -> list[str]:
    """Names of the overlays, sorted."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != _RECIPE)


def compose(overlay: str, overrides: Sequence[str] = ()) -> Any:
    """Composes verl's configuration, the recipe, an overlay and overrides, in this order.

    Nothing of verl is imported, so that the environment that the configuration asks for can be set first.

    Args:
        overlay: see `overlays`.
        overrides: KEY=VALUE in Hydra's syntax. A key that verl does not have is refused; "+KEY=VALUE" adds it.

    Returns:
        An omegaconf DictConfig in which nothing refers to anything any more.

    Raises:
        ConfigError: there is no such overlay, or an override is wrong.
        TrainerError: verl is not installed.
    """
    if overlay not in overlays():
        raise ConfigError(f"there is no overlay {overlay!r} in {CONFIGS}; there is: {', '.join(overlays())}")
    verl = _verl_configs()
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    OmegaConf.register_new_resolver("sum", lambda *numbers: sum(numbers), replace=True)
    OmegaConf.register_new_resolver("trainer_file", lambda name: str(CONFIGS.parent / name), replace=True)
    OmegaConf.register_new_resolver("last_part", lambda path: Path(path).name, replace=True)
    OmegaConf.register_new_resolver("same", lambda one, other: one == other, replace=True)
    try:
        with initialize_config_dir(str(CONFIGS), version_base=None):
            config = hydra_compose(overlay, [f"hydra.searchpath=[file://{verl}]", *overrides])
        OmegaConf.resolve(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"overlay {overlay}: {_in_one_line(error)}") from error
    return config


def _verl_configs() -> Path:
    try:
        return Path(str(distribution("verl").locate_file("verl/trainer/config")))
    except PackageNotFoundError as error:
        raise TrainerError(
            "verl is not installed in this Python; run: make train-env, or make train-env-gpu"
        ) from error


def variables(config: Any) -> dict[str, str]:
    """The environment that a configuration asks for; what is set already comes before it."""
    return {name: str(value) for name, value in config.sigmaforge.environment.items()}


def set_environment(config: Any) -> None:
    """Sets the variables that a configuration asks for, in this process and in those that Ray starts.

    Comes before the first import of verl, which reads them. What is set already stays.
    """
    wanted = {name: os.environ.get(name, value) for name, value in variables(config).items()}
    os.environ.update(wanted)
    from omegaconf import OmegaConf, open_dict

    with open_dict(config):
        # Processes on other nodes of a cluster inherit nothing from this one.
        OmegaConf.update(config, "ray_kwargs.ray_init.runtime_env.env_vars", wanted, force_add=True)


def validate(config: Any) -> None:
    """Runs verl's own validation, and what verl takes for granted.

    Raises:
        ConfigError: the configuration is wrong; the message is verl's.
    """
    from hydra.errors import HydraException
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    try:
        with redirect_stdout(StringIO()):  # verl prints that all is well
            validate_config(config, need_reference_policy(config), need_critic(config))
        for part in (config.actor_rollout_ref.rollout, config.algorithm):
            omega_conf_to_dataclass(part)
    except (AssertionError, ValueError, TypeError, HydraException) as error:
        raise ConfigError(f"verl refuses the configuration: {_in_one_line(error)}") from error
    if config.data.shuffle and config.sigmaforge.curriculum != "none":
        raise ConfigError("data.shuffle would undo sigmaforge.curriculum; set one of them only")
    rollouts = config.actor_rollout_ref.actor.ppo_mini_batch_size * config.actor_rollout_ref.rollout.n
    gpus = config.trainer.n_gpus_per_node * config.trainer.nnodes
    micro = config.actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu
    if rollouts % gpus or (rollouts // gpus) % micro:
        raise ConfigError(
            f"actor_rollout_ref.actor.ppo_mini_batch_size x rollout.n = {rollouts} rollouts an update cannot be shared "
            f"by {gpus} GPUs in micro-batches of {micro}; change one of them, or ppo_micro_batch_size_per_gpu"
        )


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
