"""vLLM's options for a model and a configuration, the same for evaluation and serving."""

import json
import os
from typing import Any, Final

from trainer.checkpoints import ADAPTER_CONFIG, Checkpoint
from trainer.config import variables

ADAPTER_ID: Final = 1
_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM reserves memory for (vllm/config/lora.py)."""


def engine_options(checkpoint: Checkpoint, config: Any) -> dict[str, Any]:
    """Fields of vLLM's EngineArgs.

    Args:
        checkpoint: of which nothing has to be made any more; see `trainer.shards.ready`.
        config: see `trainer.config.compose`.
    """
    rollout = config.actor_rollout_ref.rollout
    options = {
        "model": checkpoint.model,
        "dtype": rollout.dtype,
        "max_model_len": rollout.max_model_len,
        "max_num_seqs": rollout.max_num_seqs,
        "tensor_parallel_size": rollout.tensor_model_parallel_size,
        "enforce_eager": rollout.enforce_eager,
        "enable_chunked_prefill": rollout.enable_chunked_prefill,
        "enable_prefix_caching": True,
        "seed": config.sigmaforge.seed,
    }
    if checkpoint.adapter is not None:
        said = json.loads((checkpoint.adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        rank = next(rank for rank in _RANKS if rank >= said["r"])
        options |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
    return options


def environment(config: Any) -> dict[str, str]:
    """The variables of a process that runs vLLM: the configuration's, under those that are set already."""
    return {**variables(config), **os.environ}
