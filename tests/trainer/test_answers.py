"""The text of an answer: nothing is lost but the token that ends it."""

from __future__ import annotations

from typing import Any

from tests.trainer.test_tiny_model import TOKENIZER
from trainer.answers import answer_text


def test_special_tokens_stay_in_the_text_but_for_the_one_that_ends_it() -> None:
    ids = TOKENIZER.encode("<|im_start|>a<|im_end|>b<|im_end|>")
    assert answer_text(TOKENIZER, ids) == "<|im_start|>a<|im_end|>b"
    nothing: list[Any] = []
    assert answer_text(TOKENIZER, nothing) == ""
