"""verl's checkpoints of FSDP2 shards, put together: a model in Hugging Face's layout, or an adapter in PEFT's.

verl's own merger rounds all weights to bf16, which a model that was trained in fp32 would not be the same after.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

from trainer.checkpoints import LORA_META, Checkpoint
from trainer.errors import TrainerError
from trainer.whole import whole_folder

_SHARD: Final = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")
_WEIGHTS: Final = "adapter_model.safetensors"


def ready(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint that can be loaded; what has to be made of shards for that is made once, beside them.

    Raises:
        TrainerError: shards are missing.
    """
    if checkpoint.actor is None:
        return checkpoint
    if checkpoint.adapter is None:
        write_model(checkpoint.actor, Path(checkpoint.model))
    else:
        write_adapter(checkpoint.actor, checkpoint.model, checkpoint.adapter)
    return checkpoint._replace(actor=None)


def whole_weights(actor: Path) -> dict[str, Any]:
    """The weights of a checkpoint by name, as torch's tensors on the CPU, in the type that they were trained in.

    Args:
        actor: verl's folder.

    Raises:
        TrainerError: shards are missing.
    """
    import torch

    shards = {}
    for path in actor.iterdir():
        if named := _SHARD.fullmatch(path.name):
            shards[int(named[1]), int(named[2])] = path
    world = max((size for size, _ in shards), default=0)
    missing = [rank for rank in range(world) if (world, rank) not in shards]
    if missing or not world:
        raise TrainerError(f"{actor}: shards are missing: model_world_size_{world}_rank_{missing or 0}.pt")
    # They are pickles; whoever trained the model wrote them.
    parts = [
        torch.load(shards[world, rank], map_location="cpu", weights_only=False, mmap=True) for rank in range(world)
    ]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: list[Any]) -> Any:
    """One tensor of the parts that all ranks have of it, in their order."""
    import torch

    first = parts[0]
    placements = getattr(first, "placements", None)
    if placements is None:
        return first
    # The last dimension of the mesh is the one that is sharded over; those before it hold copies.
    row = first.device_mesh.mesh.reshape(-1, first.device_mesh.mesh.shape[-1])[0].tolist()
    if not placements[-1].is_shard():
        return first.to_local()
    return torch.cat([parts[rank].to_local() for rank in row], placements[-1].dim).reshape(first.shape)


def write_model(actor: Path, folder: Path) -> None:
    """Writes a checkpoint's model in Hugging Face's layout."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    weights = whole_weights(actor)
    about = actor / "huggingface"
    config = AutoConfig.from_pretrained(about)
    config.dtype = next(iter(weights.values())).dtype
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    with whole_folder(folder) as unfinished:
        copy_texts(about, unfinished)
        model.save_pretrained(unfinished)


def write_adapter(actor: Path, base: str, folder: Path) -> None:
    """Writes a checkpoint's adapter in PEFT's layout.

    Args:
        actor: verl's folder.
        base: folder or name of the model that it adapts.
        folder: where to.
    """
    from peft import LoraConfig
    from safetensors.torch import save_file

    weights = {name: tensor for name, tensor in whole_weights(actor).items() if ".lora_" in name}
    said = json.loads((actor / LORA_META).read_text(encoding="utf-8"))
    config = LoraConfig(
        r=said["r"],
        lora_alpha=said["lora_alpha"],
        task_type="CAUSAL_LM",
        target_modules=sorted({name.split(".lora_")[0].rsplit(".", 1)[-1] for name in weights}),
        base_model_name_or_path=base,
        inference_mode=True,
    )
    with whole_folder(folder) as unfinished:
        save_file({_in_peft(name): tensor.contiguous() for name, tensor in weights.items()}, unfinished / _WEIGHTS)
        config.save_pretrained(unfinished)


def _in_peft(name: str) -> str:
    """PEFT names an adapter's weights in memory after the adapter, and in files not."""
    return name.replace(".default.", ".")


def copy_texts(source: Path, target: Path) -> None:
    """Copies what is no weight: configuration, tokenizer, chat template."""
    for path in sorted(source.iterdir()):
        if path.is_file() and path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
            shutil.copyfile(path, target / path.name)
