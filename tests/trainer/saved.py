"""Checkpoints as verl saves them, made without a training: the weights of a small model, in FSDP2's shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages, prompt_text
from tests.trainer.test_configs import composed
from trainer.tiny_model import Size, make

SIZE = Size(hidden=32, heads=2, head=16, feed_forward=64, vocabulary=400)


def small_model(folder: Path) -> Path:
    """A model with random weights and its tokenizer."""
    make(folder, [prompt_text(messages(task)) for task in load_dataset("starter").tasks[:4]], SIZE)
    return folder


def adapted(base: Path, alpha: int = 16) -> Any:
    """A model with a LoRA adapter on its attention that changes what it says."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    modules = ["q_proj", "k_proj", "v_proj", "o_proj"]
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    config = LoraConfig(r=4, lora_alpha=alpha, target_modules=modules, task_type="CAUSAL_LM")
    peft = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(0)
    for name, weights in peft.named_parameters():
        if "lora_B" in name:
            weights.data = torch.randn(weights.shape, generator=generator).to(weights.dtype) * 0.1
    return peft


@contextmanager
def mesh(*shape: int) -> Iterator[DeviceMesh]:
    """A mesh of ranks that are not there."""
    size = int(torch.tensor(shape).prod())
    torch.distributed.init_process_group("fake", rank=0, world_size=size, store=FakeStore())
    try:
        names = ("ddp", "fsdp")[-len(shape) :]
        yield init_device_mesh("cpu", shape, mesh_dim_names=names)
    finally:
        torch.distributed.destroy_process_group()


def save_shards(actor: Path, weights: Mapping[str, torch.Tensor], *shape: int) -> None:
    """Writes the shards of all ranks of a mesh."""
    actor.mkdir(parents=True, exist_ok=True)
    with mesh(*shape) as ranks:
        world, columns = ranks.size(), shape[-1]
        placements = [*[Replicate()] * (len(shape) - 1), Shard(0)]
        for rank in range(world):
            shard = {}
            for name, tensor in weights.items():
                parts = torch.chunk(tensor.detach(), columns)
                column = rank % columns
                local = parts[column] if column < len(parts) else tensor.detach()[:0]
                shard[name] = DTensor.from_local(
                    local.clone(), ranks, placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
                )
            torch.save(shard, actor / f"model_world_size_{world}_rank_{rank}.pt")


def verl_run(folder: Path, base: Path, weights: Mapping[str, torch.Tensor], lora: Mapping[str, Any] | None) -> Path:
    """A run with one checkpoint of two shards, without a model that is saved whole.

    Returns:
        The checkpoint.
    """
    from transformers import AutoConfig, AutoTokenizer

    settings = ("data.max_response_length=16", "actor_rollout_ref.rollout.max_model_len=1024")  # for others' requests
    config = composed("tiny", f"actor_rollout_ref.model.path='{base}'", *settings)
    step = folder / "checkpoints/global_step_7"
    save_shards(step / "actor", weights, 2)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    (folder / "checkpoints/latest_checkpointed_iteration.txt").write_text("7", encoding="utf-8")
    AutoConfig.from_pretrained(base).save_pretrained(step / "actor/huggingface")
    AutoTokenizer.from_pretrained(base).save_pretrained(step / "actor/huggingface")
    if lora is not None:
        (step / "actor/lora_train_meta.json").write_text(json.dumps(lora), encoding="utf-8")
    return step
