"""What a machine or a Ray cluster has, against what a configuration needs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trainer.errors import MissingResources
from trainer.plan import GB


class Machine(NamedTuple):
    """What training can use of a machine.

    Attributes:
        memory_gb: memory, in units of 10^9 bytes.
        gpu_memory_gb: of each GPU, likewise.
    """

    memory_gb: float
    gpu_memory_gb: tuple[float, ...]


def this_machine() -> Machine:
    """Asks the kernel and CUDA."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    return Machine(memory / GB, tuple(size / GB for size in gpus))


def check_machine(config: Any, machine: Machine) -> None:
    """Makes sure that one machine can carry its share of a run.

    Raises:
        MissingResources: it cannot; the message says what is missing and how much of it.
    """
    needs = config.sigmaforge.needs
    faults = []
    if machine.memory_gb < needs.memory_gb:
        faults.append(f"{needs.memory_gb} GB of memory; it has {machine.memory_gb:.1f}")
    if len(machine.gpu_memory_gb) < needs.gpus:
        faults.append(f"{needs.gpus} GPUs of {needs.gpu_memory_gb} GB; it has {len(machine.gpu_memory_gb)}")
    elif needs.gpus and (smallest := min(machine.gpu_memory_gb[: needs.gpus])) < needs.gpu_memory_gb:
        faults.append(f"{needs.gpu_memory_gb} GB on each GPU; the smallest has {smallest:.1f}")
    if faults:
        raise MissingResources(
            f"this machine lacks what the configuration needs: {'; '.join(faults)}. Choose another overlay, or change "
            "sigmaforge.needs with --set if you know better; --dry-run shows the plan"
        )


def cluster_nodes(address: str) -> list[dict[str, float]]:
    """What each living node of a running Ray cluster declares: "GPU", "CPU" and "memory" in bytes.

    Raises:
        MissingResources: no cluster answers there.
    """
    import ray

    try:
        ray.init(address=address, log_to_driver=False)
    except ConnectionError as error:
        raise MissingResources(f"no Ray cluster answers at {address}: {error}; start one with: ray start") from error
    try:
        return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()


def check_cluster(config: Any, nodes: Sequence[Mapping[str, float]]) -> None:
    """Makes sure that a cluster has enough nodes with enough GPUs; on a CPU, these are the declared ones.

    Raises:
        MissingResources: it has not; the message says how many are missing.
    """
    wanted, gpus = config.trainer.nnodes, config.trainer.n_gpus_per_node
    fit = sum(node.get("GPU", 0) >= gpus for node in nodes)
    if fit < wanted:
        has = ", ".join(f"{node.get('GPU', 0):g}" for node in nodes)
        raise MissingResources(
            f"the run needs {wanted} nodes with {gpus} GPUs each; of the cluster's {len(nodes)} nodes {fit} have as "
            f"many (GPUs by node: {has})"
        )
