"""Warm start: real supervised training of a small model, its resumption, and what becomes of an adapter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sigma_env.tasks.messages import messages
from sigma_env.tasks.reference import reference_answer
from tests.trainer.test_chats import TASKS
from tests.trainer.test_configs import composed
from tests.trainer.test_tiny_model import TOKENIZER
from trainer import warm_start as module
from trainer.chats import Chat, make_model
from trainer.errors import ConfigError, TrainerError
from trainer.warm_start import encode, warm_start

STEPS = 12


def configured(folder: Path, *more: str) -> Any:
    warm = {"pairs": 60, "own_repeats": 0, "steps": STEPS, "batch_size": 4, "save_freq": 5, "difficulty": "[0,0.3]"}
    return composed(
        "tiny",
        f"sigmaforge.run_dir={folder}",
        "sigmaforge.made_model={hidden:32,layers:1,heads:2,head:16,feed_forward:48,vocabulary:600,positions:1024}",
        *(f"sigmaforge.warm_start.{name}={value}" for name, value in warm.items()),
        *more,
    )


def trained(folder: Path, *more: str) -> Path:
    config = configured(folder, *more)
    make_model(config, TASKS)
    return warm_start(config, TASKS)


def test_it_learns_and_writes_a_model_that_others_can_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained(tmp_path, "sigmaforge.warm_start.steps=60")
    assert folder == tmp_path / "warm_start/model"
    AutoTokenizer.from_pretrained(folder)
    after = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    before = load_file(tmp_path / "model/model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)
    rows = [json.loads(line) for line in (tmp_path / "warm_start/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [50, 60]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert re.search(r"60 examples; 0 are too long", capsys.readouterr().out)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    other = trained(tmp_path / "other", "sigmaforge.warm_start.seed=1")
    weights = "model.safetensors"
    assert (one / weights).read_bytes() == (two / weights).read_bytes()
    assert (one / weights).read_bytes() != (other / weights).read_bytes()


def test_one_that_was_ended_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(tmp_path / "whole")
    step = module._Session._step

    def ended(self: Any, number: int, batch: Any) -> float:
        if number == 7:
            raise KeyboardInterrupt
        return step(self, number, batch)

    monkeypatch.setattr(module._Session, "_step", ended)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "halved")
    taken: list[int] = []

    def counted(self: Any, number: int, batch: Any) -> float:
        taken.append(number)
        return step(self, number, batch)

    monkeypatch.setattr(module._Session, "_step", counted)
    halved = trained(tmp_path / "halved")
    assert taken == list(range(5, STEPS))  # its state was saved after five
    assert (whole / "model.safetensors").read_bytes() == (halved / "model.safetensors").read_bytes()
    taken.clear()
    assert trained(tmp_path / "halved") == halved
    assert taken == []


def test_a_state_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "warm_start").mkdir()
    torch.save(
        {"done": 5, "weights": {"lm_head.weight": torch.zeros(2, 2)}, "optimisers": []},
        tmp_path / "warm_start/state.pt",
    )
    with pytest.raises(TrainerError, match=r"(?s)warm_start/state.pt is of another configuration, .*--run-dir"):
        trained(tmp_path)


def test_micro_batches_give_what_the_batch_gives(tmp_path: Path) -> None:
    one = load_file(trained(tmp_path / "one") / "model.safetensors")
    two = load_file(trained(tmp_path / "two", "sigmaforge.warm_start.micro_batch_size=3") / "model.safetensors")
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)


def test_a_chat_is_what_the_models_own_template_writes() -> None:
    [example] = encode(TOKENIZER, [Chat(messages(TASKS[0]), "an answer")], {})
    assert TOKENIZER.decode(example.prompt).endswith(f"{TASKS[0].request}<|im_end|>\n<|im_start|>assistant\n")
    assert TOKENIZER.decode(example.answer) == "an answer<|im_end|>"


HARMONY = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}{% if m['role'] == 'assistant' %}<|channel|>final{% endif %}"
    "<|message|>{{ m['content'] }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


def with_template(template: str) -> Any:
    import copy

    tokenizer = copy.deepcopy(TOKENIZER)
    tokenizer.chat_template = template
    return tokenizer


def test_what_a_template_puts_before_an_answer_is_learnt_as_part_of_it() -> None:
    [example] = encode(with_template(HARMONY), [Chat(messages(TASKS[0]), "an answer")], {})
    assert TOKENIZER.decode(example.answer) == "<|channel|>final<|message|>an answer<|im_end|>"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages | length }}{% if add_generation_prompt %}go{% endif %}", "writes an answer differently"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}", "does not end an answer with '<|im_end|>'"),
    ],
)
def test_a_template_that_cannot_show_an_answer_is_refused(template: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        list(encode(with_template(template), [Chat(messages(TASKS[0]), "an answer")], {}))


def test_what_is_too_long_is_counted_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(tmp_path, "data.max_prompt_length=120")
    found = re.search(r"(\d+) examples; (\d+) are too long and left out", capsys.readouterr().out)
    assert found is not None
    kept, left = map(int, found.groups())
    assert kept > 0
    assert left > 0
    assert kept + left == 60


def test_nothing_to_learn_from_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no example is short enough: raise data.max_prompt_length"):
        trained(tmp_path / "short", "data.max_prompt_length=10")
    with pytest.raises(ConfigError, match=r"warm_start.steps is 0"):
        trained(tmp_path / "none", "sigmaforge.warm_start.steps=0")


@pytest.mark.parametrize("merge", [True, False])
def test_an_adapter_is_merged_or_stands_alone(tmp_path: Path, merge: bool) -> None:
    lora = ["sigmaforge.warm_start.lora_rank=4", "sigmaforge.warm_start.optimizer=adamw"]
    folder = trained(tmp_path, *lora, f"sigmaforge.warm_start.merge_adapter={merge}")
    names = {path.name for path in folder.iterdir()}
    assert ("adapter_model.safetensors" in names) != merge
    assert ("model.safetensors" in names) == merge


def test_answers_shown_are_those_that_the_scorer_reads() -> None:
    [example] = encode(TOKENIZER, [Chat(messages(TASKS[0]), reference_answer(TASKS[0]))], {})
    from trainer.answers import answer_text

    assert answer_text(TOKENIZER, example.answer) == reference_answer(TASKS[0])


def test_gpt_oss_is_adapted_in_its_attention_alone(tmp_path: Path) -> None:
    from transformers import GptOssConfig, GptOssForCausalLM

    base = tmp_path / "base"
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_local_experts": 4, "head_dim": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(TOKENIZER)}
    GptOssForCausalLM(GptOssConfig(**size, **heads, pad_token_id=TOKENIZER.pad_token_id)).save_pretrained(base)
    TOKENIZER.save_pretrained(base)
    config = configured(
        tmp_path,
        f"actor_rollout_ref.model.path={base}",
        "sigmaforge.made_model=null",
        "actor_rollout_ref.model.override_config.attn_implementation=eager",
        "actor_rollout_ref.model.target_modules=[q_proj,k_proj,v_proj,o_proj]",
        "sigmaforge.warm_start.lora_rank=4",
        "sigmaforge.warm_start.merge_adapter=false",
        "sigmaforge.warm_start.optimizer=adamw",
    )
    adapter = load_file(warm_start(config, TASKS) / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in adapter} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert any(weights.abs().max() > 0 for name, weights in adapter.items() if "lora_B" in name)
