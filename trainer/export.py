"""`python -m trainer export`: a checkpoint as a folder that others load, in Hugging Face's or PEFT's layout."""

import json
import shutil
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from trainer.checkpoints import ADAPTER_CONFIG, EXPORTED_CONFIG, Checkpoint, find, quantisation
from trainer.errors import ConfigError
from trainer.shards import copy_texts, ready
from trainer.whole import whole_folder


class Exported(NamedTuple):
    """What was written.

    Attributes:
        folder: where to.
        whole: whether it is a model; else it is an adapter, to be loaded beside its base.
        why: for people, why it is an adapter; "" for a model.
    """

    folder: Path
    whole: bool
    why: str = ""


def export(checkpoint: Checkpoint, out: Path) -> Exported:
    """Writes a checkpoint to a folder of its own.

    An adapter is merged into its base, unless that is quantised: its weights cannot take a sum up without being
    dequantised, and of gpt-oss that form was reported to give gibberish in vLLM. Then the adapter is written.

    Args:
        checkpoint: see `trainer.checkpoints.find`.
        out: the folder; it must not be there, or be empty.

    Raises:
        ConfigError: `out` holds something, or there is nothing to export.
        TrainerError: shards are missing.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: it is there already; name a folder that is not")
    checkpoint = ready(checkpoint)
    if checkpoint.adapter is None:
        if not Path(checkpoint.model).is_dir():
            raise ConfigError(f"{checkpoint.model}: it is on Hugging Face's hub, in its layout, already")
        with whole_folder(out) as unfinished:
            _copy_model(Path(checkpoint.model), unfinished)
            _copy_config(checkpoint, unfinished)
        return Exported(out, whole=True)
    method = quantisation(checkpoint.model)
    with whole_folder(out) as unfinished:
        if method is None:
            _merge(checkpoint.model, checkpoint.adapter, unfinished)
        else:
            _copy_adapter(checkpoint.model, checkpoint.adapter, unfinished)
        _copy_config(checkpoint, unfinished)
    if method is None:
        return Exported(out, whole=True)
    why = (
        f"its base {checkpoint.model} is quantised ({method}), and an adapter cannot be merged into quantised weights; "
        "load it beside its base, which python -m trainer serve does"
    )
    return Exported(out, whole=False, why=why)


def _copy_model(source: Path, target: Path) -> None:
    copy_texts(source, target)
    files = sorted(source.glob("*.safetensors"))
    for path in [*files, *source.glob("*.index.json")]:
        shutil.copyfile(path, target / path.name)
    # verl writes bfloat16 there whatever the weights are, and who loads them would get them rounded.
    config = target / "config.json"
    said = json.loads(config.read_text(encoding="utf-8"))
    said["dtype"] = _type_of(files[0])
    config.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _type_of(weights: Path) -> str:
    from safetensors import safe_open

    with safe_open(weights, "pt") as file:
        return str(file.get_tensor(next(iter(file.keys()))).dtype).removeprefix("torch.")


def _merge(base: str, adapter: Path, target: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    merged.save_pretrained(target)
    AutoTokenizer.from_pretrained(base).save_pretrained(target)


def _copy_adapter(base: str, adapter: Path, target: Path) -> None:
    from transformers import AutoTokenizer

    shutil.copyfile(adapter / ADAPTER_CONFIG, target / ADAPTER_CONFIG)
    for path in sorted(adapter.glob("*.safetensors")):
        shutil.copyfile(path, target / path.name)
    AutoTokenizer.from_pretrained(base).save_pretrained(target)


def _copy_config(checkpoint: Checkpoint, target: Path) -> None:
    if checkpoint.config is not None:
        shutil.copyfile(checkpoint.config, target / EXPORTED_CONFIG)


def export_command(
    checkpoint: Annotated[
        str, typer.Argument(help="Folder of a run (its newest checkpoint), of a checkpoint, or of an adapter.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write, which is not there yet.")],
) -> None:
    """Write a checkpoint in Hugging Face's layout.

    Shards are put together, and an adapter is merged into its base. Where
    the base is quantised, as gpt-oss-20b is, the adapter itself is written.

    For instance:

      python -m trainer export runs/qwen3_14b out/qwen3-14b-sigma

      python -m trainer export runs/tiny/checkpoints/global_step_25 out/tiny
    """
    done = export(find(checkpoint), out)
    print(f"{done.folder}: {'a model' if done.whole else f'an adapter: {done.why}'}")
