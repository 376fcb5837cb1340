"""What a run will take, worked out before anything runs: GPUs, memory of each, tokens and steps."""

from typing import Any, Final, NamedTuple

GB: Final = 10**9

_TYPE_BYTES: Final = {"fp32": 4, "float32": 4, "bf16": 2, "bfloat16": 2, "fp16": 2, "float16": 2}

FORMULA: Final = """\
Bytes of each GPU while the actor trains, and in brackets while vLLM samples:
  weights      parameters x bytes / GPUs                                        [the same]
  gradients    trained parameters x bytes / GPUs                                [none]
  optimiser    trained parameters x 2 moments x bytes / GPUs                    [the same]
  gathered     2 layers in bf16, of all GPUs, and embedding and head            [none]
  activations  tokens x hidden x (2 x layers + 34)                              [none]
               one saved input per layer, one layer computed again (Korthikanti et al., arXiv 2205.05198)
               + sequences x heads x length^2 x 5 where attention keeps its scores
  logits       tokens x vocabulary x 12: bf16 to fp32, softmax, gradient        [none]
  vLLM         asleep: nothing                                                  [gpu_memory_utilization x GPU]
tokens = micro-batch x (longest prompt + longest answer). What the allocator loses comes on top: 5 to 10 %."""


class Memory(NamedTuple):
    """Bytes of one GPU. See FORMULA."""

    weights: float
    gradients: float
    optimiser: float
    gathered: float
    activations: float
    logits: float
    vllm: float

    @property
    def training(self) -> float:
        """While the actor trains and vLLM sleeps."""
        return self.weights + self.gradients + self.optimiser + self.gathered + self.activations + self.logits

    @property
    def sampling(self) -> float:
        """While vLLM samples; the actor keeps its weights and moments."""
        return self.weights + self.optimiser + self.vllm


class Plan(NamedTuple):
    """What a run will take.

    Attributes:
        gpus: of all nodes.
        nodes: machines.
        memory: of each GPU, in bytes; None where there is none.
        cached_tokens: tokens that vLLM's cache of keys and values holds per replica; 0 without GPUs.
        steps: of training.
        updates: of the weights, per step.
        rollouts: sampled and trained on per step, at least: groups without variance are sampled again.
        step_tokens: of a step's prompts and answers, at most.
        run_tokens: of all steps, at most.
    """

    gpus: int
    nodes: int
    memory: Memory | None
    cached_tokens: int
    steps: int
    updates: int
    rollouts: int
    step_tokens: int
    run_tokens: int


def plan(config: Any) -> Plan:
    """Works a configuration's plan out."""
    needs, model = config.sigmaforge.needs, config.sigmaforge.model
    nodes = config.trainer.nnodes
    memory = _memory(config) if needs.gpus else None
    length = config.data.max_prompt_length + config.data.max_response_length
    rollouts = config.data.train_batch_size * config.actor_rollout_ref.rollout.n
    steps = config.trainer.total_training_steps
    cached = 0
    if memory is not None:
        parallel = config.actor_rollout_ref.rollout.tensor_model_parallel_size
        free = memory.vllm * parallel - model.parameters * model.served_bytes
        cached = int(free / (2 * model.layers * model.key_value_width * 2))
    return Plan(
        gpus=needs.gpus * nodes,
        nodes=nodes,
        memory=memory,
        cached_tokens=cached,
        steps=steps,
        updates=config.data.train_batch_size // config.actor_rollout_ref.actor.ppo_mini_batch_size,
        rollouts=rollouts,
        step_tokens=rollouts * length,
        run_tokens=rollouts * length * steps,
    )


def _memory(config: Any) -> Memory:
    model, actor, data = config.sigmaforge.model, config.actor_rollout_ref.actor, config.data
    world = config.trainer.nnodes * config.trainer.n_gpus_per_node
    width = _TYPE_BYTES[actor.fsdp_config.model_dtype]
    sequences = actor.ppo_micro_batch_size_per_gpu
    length = data.max_prompt_length + data.max_response_length
    tables = 2 * model.vocabulary * model.hidden * 2
    layer = (model.parameters - tables / 2) / model.layers * 2
    scores = sequences * model.stored_score_heads * length**2 * 5
    return Memory(
        weights=model.parameters * width / world,
        gradients=model.trained_parameters * width / world,
        optimiser=model.trained_parameters * 2 * width / world,
        gathered=2 * layer + tables if world > 1 else 0.0,
        activations=sequences * length * model.hidden * (2 * model.layers + 34) + scores,
        logits=sequences * length * model.vocabulary * 12.0,
        vllm=config.actor_rollout_ref.rollout.gpu_memory_utilization * config.sigmaforge.needs.gpu_memory_gb * GB,
    )


def render(config: Any, planned: Plan) -> str:
    """The plan as text, with the memory formula and what of the configuration was never run."""
    needs = config.sigmaforge.needs
    machines = "1 machine" if planned.nodes == 1 else f"{planned.nodes} machines"
    each = f" with {needs.gpus} GPUs of {needs.gpu_memory_gb} GB" if needs.gpus else " without a GPU"
    lines = [
        "Plan",
        f"  {machines}{each} and {needs.memory_gb} GB of memory",
        f"  {planned.steps} steps, {planned.updates} updates each, of {planned.rollouts} rollouts "
        f"({config.data.train_batch_size} prompts x {config.actor_rollout_ref.rollout.n})",
        f"  at most {planned.step_tokens:,} tokens a step and {planned.run_tokens:,} in all, "
        "groups that are sampled again not counted",
    ]
    if planned.updates == 1:
        lines.append("  one update a step: no token is ever clipped, by construction")
    if planned.memory is not None:
        lines += _memory_lines(config, planned, planned.memory)
    never = config.sigmaforge.never_run
    lines += ["Never run by us"] + [f"  - {item}" for item in never] if never else []
    return "\n".join(lines)


def _memory_lines(config: Any, planned: Plan, memory: Memory) -> list[str]:
    parts = ", ".join(f"{name} {amount / GB:.1f}" for name, amount in memory._asdict().items() if name != "vllm")
    length = config.data.max_prompt_length + config.data.max_response_length
    return [
        f"  estimate for each GPU of {config.sigmaforge.needs.gpu_memory_gb} GB: {memory.training / GB:.1f} GB while "
        f"the actor trains, {memory.sampling / GB:.1f} GB while vLLM samples",
        f"    in GB: {parts}, vLLM {memory.vllm / GB:.1f}",
        f"    vLLM's cache: {planned.cached_tokens:,} tokens a replica, {planned.cached_tokens // length} rollouts of "
        "full length at once",
        *(f"    {line}" for line in FORMULA.splitlines()),
    ]
