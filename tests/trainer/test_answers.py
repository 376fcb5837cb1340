"""The text of an answer: nothing is lost but the token that ends it."""

from __future__ import annotations

from typing import Any

import pytest

from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer
from tests.trainer.test_tiny_model import TEXTS, TOKENIZER
from trainer.answers import answer_text
from trainer.tiny_model import Size, make_tokenizer

SCORER = Scorer(load_dataset("starter"))
TASK = SCORER.dataset.of_split("train")[0]


def test_special_tokens_stay_in_the_text_but_for_the_one_that_ends_it() -> None:
    ids = TOKENIZER.encode("<|im_start|>a<|im_end|>b<|im_end|>")
    assert answer_text(TOKENIZER, ids) == "<|im_start|>a<|im_end|>b"
    nothing: list[Any] = []
    assert answer_text(TOKENIZER, nothing) == ""


HARMONY = (
    "<|channel|>analysis<|message|>Perhaps:\n```yaml\nlogsource: [\n```<|end|><|start|>assistant"
    "<|channel|>final<|message|>"
)


def test_of_harmony_the_final_channel_is_the_answer() -> None:
    harmony = make_tokenizer(TEXTS, Size(vocabulary=600))
    marks = ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>"]
    harmony.add_special_tokens({"additional_special_tokens": marks, "eos_token": "<|return|>"})
    text = f"{HARMONY}{reference_answer(TASK)}"
    ids = harmony.encode(f"{text}<|return|>", add_special_tokens=False)
    assert answer_text(harmony, ids) == text
    assert SCORER.score(TASK, answer_text(harmony, ids)).reward == pytest.approx(1.1)
    thinking = harmony.encode(HARMONY.partition("<|end|>")[0], add_special_tokens=False)
    assert SCORER.score(TASK, answer_text(harmony, thinking)).status == "no_rule"
    assert SCORER.score(TASK, harmony.decode(ids, skip_special_tokens=True)).reward != pytest.approx(1.1)
