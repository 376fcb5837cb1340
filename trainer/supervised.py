"""Supervised training, step by step: which examples, at what rate, with what loss and which optimiser."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from trainer.errors import ConfigError

IGNORED: Final = -100
"""Label of a token that is not learnt: those of the prompt, and padding."""

OPTIMISERS: Final = ("adamw", "muon")

_WARM_UP: Final = 0.03
_DECAY: Final = 0.3
_LAST: Final = 0.02
_SORTED_TOGETHER: Final = 32


class Example(NamedTuple):
    """A chat as tokens: what is shown, and what is to be written, with the token that ends the turn."""

    prompt: list[int]
    answer: list[int]

    @property
    def length(self) -> int:
        """Of both together."""
        return len(self.prompt) + len(self.answer)


def batches(lengths: Sequence[int], size: int, steps: int, seed: int) -> Iterator[list[int]]:
    """Which examples each step is trained on.

    Examples of a batch are of similar length, so that little of it is padding. Every example comes once before any
    comes again.

    Args:
        lengths: of the examples, in tokens.
        size: examples of a batch.
        steps: how many batches.
        seed: of the order.
    """
    draw = random.Random(seed)
    given = 0
    while given < steps:
        order = list(range(len(lengths)))
        draw.shuffle(order)
        for start in range(0, len(order), size * _SORTED_TOGETHER):
            near = sorted(order[start : start + size * _SORTED_TOGETHER], key=lambda at: lengths[at])
            groups = [near[at : at + size] for at in range(0, len(near), size)]
            draw.shuffle(groups)
            yield from groups[: steps - given]
            given += len(groups)
            if given >= steps:
                return


def rate(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a rise, a plateau, and a fall over the last 30 %.

    Args:
        step: from 0.
        steps: in all.
    """
    rise = min(1.0, (step + 1) / max(1, math.ceil(steps * _WARM_UP)))
    left = (steps - step) / (steps * _DECAY)
    return rise * max(_LAST, min(1.0, left))


def padded(examples: Sequence[Example], padding: int) -> tuple[Any, Any]:
    """Token ids and labels of a batch.

    Returns:
        Two tensors of shape (examples, longest): ids, and labels that are IGNORED but for the answers.
    """
    import torch

    longest = max(example.length for example in examples)
    ids = torch.full((len(examples), longest), padding)
    labels = torch.full((len(examples), longest), IGNORED)
    for row, example in enumerate(examples):
        ids[row, : example.length] = torch.tensor(example.prompt + example.answer)
        labels[row, len(example.prompt) : example.length] = torch.tensor(example.answer)
    return ids, labels


def loss_of(model: Any, ids: Any, labels: Any) -> Any:
    """Mean cross-entropy of the answers' tokens. Logits are computed for these only.

    Padding stands at the end, where no answer's token looks, so that there is no mask to be made.
    """
    from torch.nn.functional import cross_entropy

    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    learnt = wanted != IGNORED
    return cross_entropy(model.lm_head(hidden[learnt]).float(), wanted[learnt])


def optimisers(parameters: Iterable[tuple[str, Any]], kind: str, learning_rate: float) -> list[Any]:
    """What changes a model's weights.

    Args:
        parameters: those that are trained, with their names.
        kind: "adamw", or "muon": that for the matrices inside a model, and AdamW for its embeddings and vectors. In a
            model that starts from nothing copying, which most of an answer is, forms with Muon in minutes, and with
            AdamW it does not.
        learning_rate: of all.

    Raises:
        ConfigError: there is no such kind.
    """
    import torch

    from trainer.muon import Muon

    if kind not in OPTIMISERS:
        raise ConfigError(f"sigmaforge.warm_start.optimizer is {kind!r}; it can be: {', '.join(OPTIMISERS)}")
    found = list(parameters)
    inside = [weights for name, weights in found if kind == "muon" and weights.ndim == 2 and "embed" not in name]
    chosen = {id(weights) for weights in inside}
    rest = [weights for _, weights in found if id(weights) not in chosen]
    adamw = torch.optim.AdamW(rest, lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.98))
    return [adamw, Muon(inside, learning_rate, weight_decay=0.05)] if inside else [adamw]
