"""What a user names as a model: a run, one of its checkpoints, a model in Hugging Face's layout, an adapter."""

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from trainer import config as configs
from trainer.errors import ConfigError
from trainer.folder import CONFIG
from trainer.resume import LATEST, STEP

EXPORTED_CONFIG: Final = "sigmaforge.yaml"
"""A run's configuration in a folder that was exported from it."""
LORA_META: Final = "lora_train_meta.json"
ADAPTER_CONFIG: Final = "adapter_config.json"
_DEPTH: Final = 3
"""How deep in a run's folder models lie that are no checkpoints, such as that of its warm start."""
_ON_THE_HUB: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Checkpoint(NamedTuple):
    """A model that can be asked.

    Attributes:
        name: for people and files.
        model: what is loaded: a folder in Hugging Face's layout, or a name on its hub.
        adapter: a folder in PEFT's layout with an adapter of that model; None if there is none.
        actor: verl's folder of shards that `model` or `adapter` has to be made of first; see `trainer.shards.ready`.
        run: folder of the run that it is of, None if it is of none.
        config: resolved configuration of that run; None where an overlay has to be named.
    """

    name: str
    model: str
    adapter: Path | None = None
    actor: Path | None = None
    run: Path | None = None
    config: Path | None = None


def find(named: str) -> Checkpoint:
    """What a name on the command line stands for.

    Args:
        named: the folder of a run, of which the newest checkpoint is taken; of one of its checkpoints
            (RUN/checkpoints/global_step_N); of a model in Hugging Face's layout; of a PEFT adapter; or OWNER/NAME on
            Hugging Face's hub.

    Raises:
        ConfigError: it is none of these, or is not complete; the message says what it may be.
    """
    folder = Path(named)
    if not folder.exists() and _ON_THE_HUB.fullmatch(named):
        return Checkpoint(named.replace("/", "--"), named)
    folder = folder.absolute()
    if (folder / "actor").is_dir():
        return _of_verl(folder)
    if (folder / "checkpoints").is_dir():
        return _of_verl(_newest(folder))
    if (folder / ADAPTER_CONFIG).is_file():
        return _of_adapter(folder)
    if (folder / "config.json").is_file():
        return Checkpoint(folder.name, str(folder), **_owner(folder))
    raise ConfigError(
        f"{named}: no model is there. Name the folder of a run, of one of its checkpoints "
        f"(RUN/checkpoints/{STEP}N), of a model in Hugging Face's layout (with config.json) or of a PEFT adapter "
        f"(with {ADAPTER_CONFIG}), or OWNER/NAME on Hugging Face's hub"
    )


def load_config(checkpoint: Checkpoint | None, overlay: str | None) -> Any:
    """The configuration that says how a model is asked: of the overlay if one is named, else of the model's run.

    Raises:
        ConfigError: no overlay is named, and the model is of no run.
    """
    if overlay is not None:
        return configs.compose(overlay, [f"sigmaforge.run_dir='{Path.cwd()}'"])
    if checkpoint is None or checkpoint.config is None:
        what = "an endpoint" if checkpoint is None else checkpoint.model
        raise ConfigError(
            f"{what}: it is not said how it is to be asked (thinking, lengths); name the overlay that it was made "
            f"for with --overlay: {', '.join(configs.overlays())}"
        )
    from omegaconf import OmegaConf

    return OmegaConf.load(checkpoint.config)


def _newest(run: Path) -> Path:
    said = run / "checkpoints" / LATEST
    if not said.is_file():
        raise ConfigError(f"{run}: the run has no checkpoint yet ({said} is missing)")
    return run / "checkpoints" / f"{STEP}{said.read_text(encoding='utf-8').strip()}"


def _of_verl(step: Path) -> Checkpoint:
    actor, run = step / "actor", step.parent.parent
    config = _if_there(run / CONFIG)
    if not actor.is_dir():
        raise ConfigError(f"{step}: it has no folder 'actor', so it is no whole checkpoint")
    owner = {"run": run if config else None, "config": config}
    name = f"step-{step.name.removeprefix(STEP)}"
    if (actor / LORA_META).is_file():
        adapter = actor / "adapter"
        unmade = None if (adapter / ADAPTER_CONFIG).is_file() else actor
        return Checkpoint(name, _base(step, config), adapter, unmade, **owner)
    saved, merged = actor / "huggingface", actor / "merged"
    if _has_weights(saved):
        return Checkpoint(name, str(saved), **owner)
    return Checkpoint(name, str(merged), None, None if _has_weights(merged) else actor, **owner)


def _base(step: Path, config: Path | None) -> str:
    """The model that a run's adapters are of."""
    if config is None:
        raise ConfigError(
            f"{step}: the base of its adapter is not known, because {step.parent.parent / CONFIG} is missing; leave "
            "the checkpoint in its run's folder"
        )
    from omegaconf import OmegaConf

    return str(OmegaConf.load(config).actor_rollout_ref.model.path)


def _of_adapter(folder: Path) -> Checkpoint:
    base = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise ConfigError(
            f"{folder / ADAPTER_CONFIG}: base_model_name_or_path is missing; name the model that it adapts"
        )
    return Checkpoint(folder.name, str(base), folder, **_owner(folder))


def _owner(folder: Path) -> dict[str, Path | None]:
    """The run that a folder lies in, and the configuration that says how its model is asked."""
    if (folder / EXPORTED_CONFIG).is_file():
        return {"run": None, "config": folder / EXPORTED_CONFIG}
    for run in folder.parents[:_DEPTH]:
        config = run / CONFIG
        if config.is_file() and "\nsigmaforge:\n" in f"\n{config.read_text(encoding='utf-8')}":
            return {"run": run, "config": config}
    return {"run": None, "config": None}


def quantisation(model: str) -> str | None:
    """How a model's weights are quantised, such as "mxfp4"; None if they are not.

    Args:
        model: its folder, or its name on Hugging Face's hub.
    """
    from transformers import AutoConfig

    said: Any = getattr(AutoConfig.from_pretrained(model), "quantization_config", None)
    if said is None:
        return None
    method = said["quant_method"] if isinstance(said, dict) else said.quant_method
    return str(getattr(method, "value", method))


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("model*.safetensors"))


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None
