"""Supervised training: the order of examples, the rate, the loss, the optimisers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.test_tiny_model import TOKENIZER
from trainer.errors import ConfigError
from trainer.supervised import IGNORED, Example, batches, loss_of, optimisers, padded, rate
from trainer.tiny_model import Size, make_model

SMALL = Size(hidden=32, heads=2, head=16, feed_forward=48, vocabulary=600)
MODEL = make_model(TOKENIZER, SMALL, 0)
EXAMPLES = [Example([5, 6, 7], [8, 9]), Example([5], [10, 11, 12, 13])]

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 60), st.integers(0, 99))
def test_as_many_batches_as_steps_and_no_example_again_before_all(
    lengths: list[int], size: int, steps: int, seed: int
) -> None:
    given_out = list(batches(lengths, size, steps, seed))
    assert len(given_out) == steps
    assert all(0 < len(batch) <= size for batch in given_out)
    counts = Counter(at for batch in given_out for at in batch)
    often = [counts[at] for at in range(len(lengths))]
    assert max(often) - min(often) <= 1


@given(LENGTHS, st.integers(1, 9), st.integers(0, 99))
def test_the_same_seed_gives_the_same_order(lengths: list[int], size: int, seed: int) -> None:
    assert list(batches(lengths, size, 20, seed)) == list(batches(lengths, size, 20, seed))
    longer = list(batches(lengths, size, 25, seed))
    assert longer[:20] == list(batches(lengths, size, 20, seed))


def test_examples_of_a_batch_are_of_similar_length() -> None:
    lengths = [n * 7919 % 1000 for n in range(512)]
    spread = [
        max(lengths[at] for at in batch) - min(lengths[at] for at in batch) for batch in batches(lengths, 16, 32, 0)
    ]
    assert sum(spread) / len(spread) < 50


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [rate(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 30)
    assert set(rates[30:700]) == {1.0}
    assert rates[700:] == sorted(rates[700:], reverse=True)
    assert 0.02 <= rates[-1] < 0.03


def test_only_answers_are_learnt() -> None:
    ids, labels = padded(EXAMPLES, padding=0)
    assert ids.tolist() == [[5, 6, 7, 8, 9], [5, 10, 11, 12, 13]]
    assert labels.tolist() == [[IGNORED] * 3 + [8, 9], [IGNORED, 10, 11, 12, 13]]


def test_the_loss_is_the_mean_over_the_tokens_of_answers_alone() -> None:
    ids, labels = padded([*EXAMPLES, Example([5], [14])], padding=0)
    logits = MODEL(input_ids=ids).logits[:, :-1].log_softmax(-1)
    wanted = labels[:, 1:]
    each = [-logits[row, place, wanted[row, place]] for row, place in (wanted != IGNORED).nonzero().tolist()]
    assert len(each) == 7
    assert loss_of(MODEL, ids, labels).item() == pytest.approx(sum(each).item() / 7, rel=1e-5)


def test_what_pads_a_batch_changes_nothing() -> None:
    alone = loss_of(MODEL, *padded(EXAMPLES[:1], 0)).item()
    longer = loss_of(MODEL, *padded([EXAMPLES[0], Example([3] * 40, [])], 0)).item()
    assert longer == pytest.approx(alone, rel=1e-5)


def test_muon_gets_the_matrices_inside_and_adamw_the_rest() -> None:
    named = list(MODEL.named_parameters())
    adamw, muon = optimisers(named, "muon", 0.01)

    def names(optimiser: Any) -> set[str]:
        mine = {id(weights) for group in optimiser.param_groups for weights in group["params"]}
        return {name for name, weights in named if id(weights) in mine}

    assert names(muon) == {name for name, weights in named if weights.ndim == 2 and "embed_tokens" not in name}
    assert names(adamw) == {name for name, _ in named} - names(muon)
    [alone] = optimisers(named, "adamw", 0.01)
    assert names(alone) == {name for name, _ in named}


def test_another_optimiser_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"sigmaforge.warm_start.optimizer is 'sgd'; it can be: adamw, muon"):
        optimisers([], "sgd", 0.1)


def test_a_step_lowers_the_loss() -> None:
    model = make_model(TOKENIZER, SMALL, 1)
    batch = padded(EXAMPLES, 0)
    chosen = optimisers(model.named_parameters(), "muon", 0.005)
    losses = []
    for _ in range(25):
        loss = loss_of(model, *batch)
        model.zero_grad()
        loss.backward()
        for optimiser in chosen:
            optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert torch.isfinite(torch.tensor(losses)).all()
