"""A request's seed: its own, and the same whoever asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

from trainer.seeds import request_seed


def test_every_request_has_its_own_seed() -> None:
    requests = list(product((0, 1), range(12), ("1", "11", "a"), range(12)))
    assert len({request_seed(*request) for request in requests}) == len(requests)


def test_numbers_that_read_alike_side_by_side_are_told_apart() -> None:
    assert request_seed(1, 11, "a", 0) != request_seed(11, 1, "a", 0)
    assert request_seed(0, 1, "a", 1) != request_seed(0, 1, "a 1", 1)


def test_it_is_the_same_in_another_process() -> None:
    code = "from trainer.seeds import request_seed; print(request_seed(7, 3, 'abc', 5))"
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    said = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert int(said) == request_seed(7, 3, "abc", 5)


def test_vllm_and_torch_take_it() -> None:
    import torch
    from vllm import SamplingParams

    seeds = [request_seed(0, 0, "a", rollout) for rollout in range(1000)]
    assert min(seeds) >= 0
    assert max(seeds) <= torch.iinfo(torch.long).max
    assert SamplingParams(seed=max(seeds)).seed == max(seeds)
    torch.Generator().manual_seed(max(seeds))
