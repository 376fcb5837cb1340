"""Entry point of the group `verl.plugins`. verl imports it at the end of `import verl`, in every process."""

import os
from functools import wraps
from typing import Any

from trainer.cpu_platform import PLATFORM, is_wanted
from trainer.errors import UpstreamChanged


def activate() -> None:
    """Registers the platform and works around what `upstream.VERL` lists.

    Raises:
        UpstreamChanged: a line that is worked around is gone.
    """
    from verl.plugin.platform import PlatformRegistry

    from trainer.cpu_platform import platform, upstream, vllm_metadata
    from trainer.upstream import check

    check(upstream.VERL)
    if PlatformRegistry.get(PLATFORM) not in {None, platform.CpuPlatform}:
        raise UpstreamChanged(
            f"verl has a {PLATFORM!r} platform of its own now; trainer/cpu_platform may not be needed"
        )
    PlatformRegistry.register(platform=PLATFORM)(platform.CpuPlatform)
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")
    vllm_metadata.install()
    _name_the_backend(platform.DISTRIBUTED_BACKEND)


def _name_the_backend(name: str) -> None:
    """Replaces the one function of verl for which there is no setting. Its importers are imported after `verl`."""
    import verl.utils.distributed as distributed

    original = distributed.initialize_global_process_group_ray

    @wraps(original)
    def initialize_global_process_group_ray(timeout_second: Any = None, backend: str | None = None) -> None:
        original(timeout_second, backend or name)

    distributed.initialize_global_process_group_ray = initialize_global_process_group_ray


def _refuse(fault: Exception) -> None:
    """Makes verl fail with our error when it asks for the platform: it ignores what a plugin raises on import."""
    from verl.plugin.platform import PlatformBase, PlatformRegistry

    def refuse(*_args: object) -> None:
        raise fault

    PlatformRegistry.register(platform=PLATFORM)(type("RefusedPlatform", (PlatformBase,), {"__new__": refuse}))


if is_wanted():
    try:
        activate()
    except Exception as fault:
        _refuse(fault)
        raise
