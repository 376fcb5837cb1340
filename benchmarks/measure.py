"""Seconds, quantiles and memory of this process, measured one way everywhere."""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def best_of(times: int, work: Callable[[], Any]) -> float:
    """Seconds of the fastest of several runs: what is left when other processes disturb least."""
    return min(once(work) for _ in range(times))


def once(work: Callable[[], Any]) -> float:
    """Seconds of one run."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which the share `q` of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(q * len(ranked)))]


@contextmanager
def settled() -> Iterator[None]:
    """Collects garbage once and then leaves what lives alone, as a worker does after it has loaded its store."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def memory() -> dict[str, float]:
    """Resident memory of this process in MiB, now and at its peak; files mapped and shared are counted in."""
    if sys.platform != "linux":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {"now_mib": round(peak, 1), "peak_mib": round(peak, 1)}
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {
        "now_mib": round(int(lines["VmRSS"].split()[0]) / 1024, 1),
        "peak_mib": round(int(lines["VmHWM"].split()[0]) / 1024, 1),
    }
