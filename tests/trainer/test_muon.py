"""Muon: what it does to a matrix, and that it is torch's own in another precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.muon import Muon, orthogonal


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_an_orthogonal_matrix_keeps_the_directions_and_loses_the_lengths(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = orthogonal(matrix)
    left, lengths, right = torch.linalg.svd(matrix, full_matrices=False)
    in_its_directions = left.T @ found @ right.T
    wide = lengths > 0.05 * lengths.max()  # five iterations do not reach what is almost nothing
    assert ((in_its_directions.diagonal()[wide] > 0.6) & (in_its_directions.diagonal()[wide] < 1.3)).all()
    assert torch.allclose(in_its_directions, in_its_directions.diagonal().diag(), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (8, 24), (24, 8)])
def test_it_steps_as_torchs_own_does_but_for_the_rounding_to_bfloat16(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(*shape, generator=draw)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    settings = {"lr": 0.1, "momentum": 0.95, "weight_decay": 0.05}
    both = Muon([ours], **settings), torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **settings)
    for _ in range(4):
        gradient = torch.randn(*shape, generator=draw)
        for weights, optimiser in zip((ours, theirs), both, strict=True):
            weights.grad = gradient.clone()
            optimiser.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert (moved - expected).norm() < 0.03 * expected.norm()


def test_it_goes_on_from_its_saved_state_as_if_never_stopped() -> None:
    def steps(weights: torch.nn.Parameter, optimiser: Muon, numbers: range) -> None:
        for number in numbers:
            weights.grad = torch.randn(4, 6, generator=torch.Generator().manual_seed(number))
            optimiser.step()

    whole, halved = torch.nn.Parameter(torch.ones(4, 6)), torch.nn.Parameter(torch.ones(4, 6))
    steps(whole, Muon([whole], lr=0.1), range(6))
    first = Muon([halved], lr=0.1)
    steps(halved, first, range(3))
    second = Muon([halved], lr=0.1)
    second.load_state_dict(first.state_dict())
    steps(halved, second, range(3, 6))
    assert torch.equal(whole, halved)
