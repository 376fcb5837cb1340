"""What a model wrote, as the scorer reads it."""

from typing import Any


def answer_text(tokenizer: Any, ids: list[int]) -> str:
    """What a model wrote, its special tokens among it, but for the one that ends its turn.

    The scorer needs the others: `</think>` and harmony's channels say where the answer begins.
    """
    if ids and ids[-1] in {tokenizer.eos_token_id, tokenizer.pad_token_id}:
        ids = ids[:-1]
    return str(tokenizer.decode(ids, skip_special_tokens=False))
