"""The small model: made from a seed, with a tokenizer that loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages, prompt_text
from tests.trainer.test_configs import composed
from trainer.tiny_model import END, Size, make, make_tokenizer

TASKS = load_dataset("starter").of_split("train")[:12]
TEXTS = [text for task in TASKS for text in (prompt_text(messages(task)), task.reference)]
TOKENIZER = make_tokenizer(TEXTS, Size(vocabulary=600))


@given(st.text(alphabet=st.characters(codec="utf-8")))
@settings(max_examples=200)
def test_every_text_comes_back_the_same(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    assert TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("literal", [r"\cmd.exe", "whoami /all", "HKLM"])
def test_a_literal_tokenises_alike_in_a_request_and_in_yaml(literal: str) -> None:
    def inside(text: str) -> list[str]:
        tokens = TOKENIZER.tokenize(text)
        return tokens[1:-1]

    assert inside(f" `{literal}`") == inside(f" '{literal}'") == inside(f' "{literal}"') == TOKENIZER.tokenize(literal)


def test_a_chat_ends_where_the_answer_begins() -> None:
    chat: Any = messages(TASKS[0])
    text = TOKENIZER.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text.endswith(f"{TASKS[0].request}{END}\n<|im_start|>assistant\n")
    assert TOKENIZER.eos_token == END


def test_the_same_seed_makes_the_same_files_and_another_seed_other_weights(tmp_path: Path) -> None:
    size = Size(hidden=32, heads=2, head=16, feed_forward=64, vocabulary=400)
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        make(tmp_path / name, TEXTS, size, seed)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    weights = "model.safetensors"
    assert (tmp_path / "one" / weights).read_bytes() != (tmp_path / "other" / weights).read_bytes()


def test_making_a_model_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()
    make(tmp_path, TEXTS, Size(hidden=32, heads=2, head=16, feed_forward=64, vocabulary=400))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_overlay_counts_the_parameters_of_what_it_makes(tmp_path: Path) -> None:
    settings = composed("tiny").sigmaforge
    starter = load_dataset("starter").of_split("train")
    texts = [text for task in starter for text in (prompt_text(messages(task)), task.reference)]
    assert make(tmp_path, texts, Size(**settings.made_model)) == settings.model.parameters
