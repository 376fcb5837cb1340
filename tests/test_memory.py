"""Nothing but bounded caches holds on to answers: memory does not grow with the number of steps.

`python -m benchmarks.memory` measures the whole process over 100,000 steps.
"""

import functools
import gc
import random
import sys

from benchmarks.memory import varied
from sigma_env.env import SigmaRuleEnv
from sigma_env.sigma.regex import _kept
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.reference import reference_answer
from tests.small import NAME


def kept() -> int:
    """Blocks that Python's allocator has in use once every bounded cache of ours is empty."""
    gc.collect()
    _kept.clear()
    for thing in gc.get_objects():
        if isinstance(thing, functools._lru_cache_wrapper) and str(thing.__module__).startswith("sigma_env"):
            thing.cache_clear()
    gc.collect()
    return sys.getallocatedblocks()


def test_steps_leave_less_than_one_object_each(small: Dataset) -> None:
    env = SigmaRuleEnv(NAME, split=None)
    draw = random.Random(0)
    env.reset(seed=0)
    used = []
    for steps in (2_000, 6_000):  # so many that what other tests of the process left behind does not count
        for _ in range(steps):
            env.step(varied(reference_answer(env.open_task), draw))
            env.reset()
        used.append(kept())
    assert used[1] - used[0] < 6_000 // 2
