"""CpuPlatform: what verl asks of an accelerator, answered for a CPU."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import psutil
import torch
from verl.plugin.platform import PlatformBase

from trainer.cpu_platform import PLATFORM

DISTRIBUTED_BACKEND: Final = f"{PLATFORM}:gloo"
"""What torch.distributed is to be set up with; verl's own composition names the device twice."""


def _peak(*_device: object) -> int:
    """Bytes of memory that this process held at most; the kernel counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free_and_total(*_device: object) -> tuple[int, int]:
    memory = psutil.virtual_memory()
    return memory.available, memory.total


def _nothing(*_args: object, **_kwargs: object) -> None:
    """Stands for calls that have no meaning on a CPU, such as emptying a cache of device memory."""


class _CpuModule(ModuleType):
    """`torch.cpu`, with the calls that verl makes on `torch.cuda` and `torch.cpu` lacks."""

    is_available = is_initialized = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: PLATFORM)
    get_device_name = staticmethod(lambda *_device: PLATFORM)
    memory_allocated = memory_reserved = staticmethod(_peak)
    max_memory_allocated = max_memory_reserved = staticmethod(_peak)
    memory_stats = staticmethod(lambda *_device: {})
    mem_get_info = staticmethod(_free_and_total)
    manual_seed = manual_seed_all = staticmethod(torch.manual_seed)
    get_rng_state = staticmethod(lambda *_device: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, *_device: torch.set_rng_state(state))
    set_device = synchronize = empty_cache = ipc_collect = reset_peak_memory_stats = staticmethod(_nothing)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)


_MODULE: Final = _CpuModule("trainer_cpu_device")


class CpuPlatform(PlatformBase):
    """A CPU as verl's accelerator. Ray is told of GPUs that are none (`num_gpus`): nothing is ever put on them."""

    device_name = PLATFORM
    vendor_name = PLATFORM
    device_module = _MODULE

    def is_available(self) -> bool:
        """There is always a CPU."""
        return True

    def current_device(self) -> Any:
        """The name of the one device, which torch takes where it takes an index."""
        return PLATFORM

    def device_count(self) -> int:
        """One."""
        return 1

    def set_device(self, device_index: int) -> None:
        """Nothing: there is one device."""

    def synchronize(self, device_index: int | None = None) -> None:
        """Nothing: work on a CPU is done when the call returns."""

    def manual_seed(self, seed: int) -> None:
        """Seeds torch."""
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        """Seeds torch."""
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        """Nothing: there is no allocator of device memory."""

    def empty_cache(self) -> None:
        """Nothing: there is no cache of device memory."""

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:  # noqa: ARG002
        """None: compute capability is CUDA's."""
        return None, None

    def communication_backend_name(self) -> str:
        """Gloo."""
        return "gloo"

    def visible_devices_envvar(self) -> str:
        """What Ray sets for the GPUs that we declare."""
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:  # noqa: ARG002
        """Marks nothing."""
        yield

    def profiler_start(self) -> None:
        """Nothing: there is no device profiler."""

    def profiler_stop(self) -> None:
        """Nothing: there is no device profiler."""

    def ray_resource_name(self) -> str:
        """GPU: vLLM's server in verl asks Ray for the ids of its GPUs."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        """What keeps Ray from setting CUDA_VISIBLE_DEVICES."""
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        """False, so that verl hands weights to vLLM in shared memory."""
        return False

    def cudart(self) -> None:
        """None: there is no CUDA runtime."""
