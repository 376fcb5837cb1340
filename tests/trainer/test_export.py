"""Export: what others load says exactly what the checkpoint says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GptOssConfig, GptOssForCausalLM

from tests.trainer.saved import adapted, small_model, verl_run
from trainer.checkpoints import EXPORTED_CONFIG, Checkpoint, find
from trainer.errors import ConfigError
from trainer.export import export

PROMPT = torch.arange(5, 45).reshape(2, 20)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("base") / "model")


def said(model: Any) -> torch.Tensor:
    """The logits of a prompt."""
    with torch.no_grad():
        return model.eval()(input_ids=PROMPT).logits


def loaded(folder: Path) -> Any:
    """As anybody loads a model."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto")


def test_shards_become_a_model_that_says_the_same(base: Path, tmp_path: Path) -> None:
    trained = loaded(base)
    with torch.no_grad():
        trained.model.norm.weight += 0.25
    step = verl_run(tmp_path / "run", base, trained.state_dict(), lora=None)
    done = export(find(str(step)), tmp_path / "out")
    assert done.whole
    model = loaded(tmp_path / "out")
    assert model.dtype == torch.float32
    assert torch.equal(said(model), said(trained))
    assert not torch.equal(said(model), said(loaded(base)))


def test_a_model_that_is_saved_whole_is_copied_and_its_type_is_that_of_its_weights(base: Path, tmp_path: Path) -> None:
    step = verl_run(tmp_path / "run", base, loaded(base).state_dict(), lora=None)
    about = step / "actor/huggingface"
    shutil.copyfile(base / "model.safetensors", about / "model.safetensors")
    config = json.loads((about / "config.json").read_text(encoding="utf-8"))
    (about / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}), encoding="utf-8")
    export(find(str(step)), tmp_path / "out")
    assert torch.equal(said(loaded(tmp_path / "out")), said(loaded(base)))
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template


def test_the_adapter_of_a_lora_run_is_merged(base: Path, tmp_path: Path) -> None:
    trained = adapted(base)
    about = {"r": 4, "lora_alpha": 16, "task_type": "CAUSAL_LM"}
    verl_run(tmp_path / "run", base, trained.state_dict(), about)
    done = export(find(str(tmp_path / "run")), tmp_path / "out")
    assert done.whole
    assert not (tmp_path / "out/adapter_config.json").exists()
    torch.testing.assert_close(said(loaded(tmp_path / "out")), said(trained), rtol=0, atol=1e-5)
    assert (said(trained) - said(loaded(base))).abs().max() > 1e-3
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template


def test_its_adapter_is_one_that_peft_loads(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    from trainer.shards import ready

    trained = adapted(base)
    verl_run(tmp_path, base, trained.state_dict(), {"r": 4, "lora_alpha": 16, "task_type": "CAUSAL_LM"})
    checkpoint = ready(find(str(tmp_path)))
    assert checkpoint.adapter is not None
    model = PeftModel.from_pretrained(loaded(base), str(checkpoint.adapter))
    assert torch.equal(said(model), said(trained))
    assert find(str(checkpoint.adapter)).model == str(base)


def test_an_adapter_of_peft_is_merged_too(base: Path, tmp_path: Path) -> None:
    trained = adapted(base, alpha=8)
    trained.save_pretrained(tmp_path / "adapter")
    export(find(str(tmp_path / "adapter")), tmp_path / "out")
    torch.testing.assert_close(said(loaded(tmp_path / "out")), said(trained), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def gpt_oss(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A gpt-oss of the smallest size, whose configuration says MXFP4 as that of gpt-oss-20b does."""
    folder = tmp_path_factory.mktemp("gpt-oss") / "base"
    config = GptOssConfig(
        vocab_size=400, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_local_experts=2,
        num_experts_per_tok=1, num_attention_heads=2, num_key_value_heads=1, head_dim=16, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        GptOssForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def test_an_adapter_of_a_quantised_base_is_not_merged_and_the_reason_is_said(gpt_oss: Path, tmp_path: Path) -> None:
    adapted(gpt_oss).save_pretrained(tmp_path / "adapter")
    quantised = tmp_path / "native"
    shutil.copytree(gpt_oss, quantised)
    config = json.loads((quantised / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}
    (quantised / "config.json").write_text(json.dumps(config), encoding="utf-8")
    done = export(Checkpoint("trained", str(quantised), tmp_path / "adapter"), tmp_path / "out")
    assert not done.whole
    assert "quantised (mxfp4)" in done.why
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= written
    assert not any(name.startswith("model") for name in written)
    assert json.loads((tmp_path / "out/adapter_config.json").read_text())["target_modules"]


def test_what_is_exported_brings_the_runs_configuration(base: Path, tmp_path: Path) -> None:
    verl_run(tmp_path / "run", base, loaded(base).state_dict(), lora=None)
    export(find(str(tmp_path / "run")), tmp_path / "out")
    assert find(str(tmp_path / "out")).config == tmp_path / "out" / EXPORTED_CONFIG
    assert (tmp_path / "out" / EXPORTED_CONFIG).read_bytes() == (tmp_path / "run/config.yaml").read_bytes()


def test_nothing_is_written_over(base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="it is there already"):
        export(find(str(base)), tmp_path)


def test_what_is_on_the_hub_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="on Hugging Face's hub, in its layout, already"):
        export(find("Qwen/Qwen3-14B"), tmp_path / "out")
