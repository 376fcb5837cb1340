"""Muon in float32: torch's computes in bfloat16, which on a CPU without that type takes longer than the model does."""

import math
from collections.abc import Iterable
from typing import Any, Final

import torch

_COEFFICIENTS: Final = (3.4445, -4.775, 2.0315)
"""Of the quintic Newton-Schulz iteration (Jordan et al., kellerjordan.github.io/posts/muon)."""
_ITERATIONS: Final = 5
_RMS: Final = 0.2
"""What an update's root mean square is scaled to: AdamW's, so that both take the same learning rate (Liu et al.,
arXiv 2502.16982)."""


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised: for the matrices inside a model, not for embeddings and vectors.

    Args:
        matrices: parameters of two dimensions.
        lr: learning rate, of the size that AdamW takes.
        momentum: of Nesterov's kind.
        weight_decay: decoupled, times `lr`.
    """

    def __init__(
        self, matrices: Iterable[torch.Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """Changes every matrix that has a gradient."""
        assert closure is None, "Muon takes no closure"
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._change(weights, weights.grad, group)

    def _change(self, weights: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        moving = self.state[weights].setdefault("momentum", torch.zeros_like(weights))
        moving.lerp_(gradient, 1 - group["momentum"])
        update = orthogonal(gradient.lerp(moving, group["momentum"]))
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        weights.add_(update, alpha=-group["lr"] * _RMS * math.sqrt(max(weights.shape)))


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """About the nearest matrix whose singular values are all 1; they come out between 0.7 and 1.2.

    Args:
        matrix: of shape (rows, columns).
    """
    a, b, c = _COEFFICIENTS
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    found = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        square = found @ found.T
        found = a * found + (b * square + c * square @ square) @ found
    return found.T if matrix.shape[0] > matrix.shape[1] else found
