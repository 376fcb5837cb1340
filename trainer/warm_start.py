"""Warm start: supervised training on requests and their answers, before any reward is asked for.

For models that start from nothing, and for those that need to learn the form of an answer.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from sigma_env.tasks.task import Task
from trainer.asking import Asking
from trainer.chats import Chat, chats, number_of_chats
from trainer.checkpoints import quantisation
from trainer.errors import ConfigError, TrainerError
from trainer.supervised import Example, batches, loss_of, optimisers, padded, rate
from trainer.whole import whole_folder

FOLDER: Final = "warm_start"
"""Of a run's folder: the model, and what the warm start says of itself."""
MODEL: Final = "model"
METRICS: Final = "metrics.jsonl"
_STATE: Final = "state.pt"
_REPORTED: Final = 50


def encode(tokenizer: Any, made: Iterable[Chat], template: dict[str, Any]) -> Iterator[Example]:
    """Chats as tokens, as the model's own chat template writes them.

    Args:
        tokenizer: of the model.
        made: prompts and answers.
        template: arguments of the chat template.

    Raises:
        ConfigError: the template does not begin an answer as it begins a prompt for one.
    """
    for prompt, answer in made:
        asked = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True, **template)
        whole = [*prompt, {"role": "assistant", "content": answer}]
        said = tokenizer.apply_chat_template(whole, tokenize=False, **template)
        if not said.startswith(asked):
            raise ConfigError(
                "the model's chat template writes an answer differently from what it asks for one with, so that no "
                f"answer can be shown: {asked[-60:]!r} is not in {said[-200:]!r}"
            )
        written = tokenizer.encode(said.removeprefix(asked), add_special_tokens=False)
        ends = [place for place, token in enumerate(written) if token == tokenizer.eos_token_id]
        if not ends:
            raise ConfigError(f"the model's chat template does not end an answer with {tokenizer.eos_token!r}")
        yield Example(tokenizer.encode(asked, add_special_tokens=False), written[: ends[-1] + 1])


def warm_start(config: Any, tasks: Sequence[Task]) -> Path:
    """Trains the run's model on chats, and saves it in Hugging Face's layout.

    A warm start that was ended goes on where it last saved its state; one that is done is not done again.

    Args:
        config: see `trainer.config.compose`.
        tasks: of the training split.

    Returns:
        The folder of the model.

    Raises:
        ConfigError: `sigmaforge.warm_start` asks for nothing, or no example is short enough.
    """
    settings, wanted = config.sigmaforge, config.sigmaforge.warm_start
    folder = Path(settings.run_dir) / FOLDER
    if (folder / MODEL).exists():
        return folder / MODEL
    if wanted.steps <= 0:
        raise ConfigError("sigmaforge.warm_start.steps is 0: nothing is asked for; set it with --set")
    folder.mkdir(parents=True, exist_ok=True)
    session = _Session(config, folder)
    session.run(_short_enough(config, session.tokenizer, tasks))
    session.save_model()
    return folder / MODEL


def _short_enough(config: Any, tokenizer: Any, tasks: Sequence[Task]) -> list[Example]:
    """The examples that training would show whole; the others are counted, never cut."""
    from rich.progress import track

    settings, asking = config.sigmaforge, Asking.of(config)
    kept, seen = [], 0
    made = encode(tokenizer, chats(settings, tasks), asking.template)
    for example in track(made, "Chats", number_of_chats(settings, tasks), transient=True):
        seen += 1
        if len(example.prompt) <= asking.longest_prompt and len(example.answer) <= asking.longest_answer:
            kept.append(example)
    print(f"warm start: {len(kept):,} examples; {seen - len(kept):,} are too long and left out")
    if not kept:
        raise ConfigError("no example is short enough: raise data.max_prompt_length or data.max_response_length")
    return kept


class _Session:
    """One model in training."""

    def __init__(self, config: Any, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.wanted, self.seed, self.folder = config.sigmaforge.warm_start, config.sigmaforge.warm_start.seed, folder
        path = config.actor_rollout_ref.model.path
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path)
        attention = config.actor_rollout_ref.model.override_config.attn_implementation
        adapted = self.wanted.lora_rank > 0
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=torch.bfloat16 if adapted else torch.float32,
            attn_implementation=attention,
            **_loading(path),
        )
        if config.actor_rollout_ref.model.enable_gradient_checkpointing:
            model.gradient_checkpointing_enable()
            model.enable_input_require_grads()
        self.adapted = _with_adapter(config, model) if adapted else None
        self.model = model.to(self.device).train()
        self.optimisers = optimisers(
            [(name, weights) for name, weights in self.model.named_parameters() if weights.requires_grad],
            self.wanted.optimizer,
            self.wanted.learning_rate,
        )

    def run(self, examples: Sequence[Example]) -> None:
        """Takes the steps that are missing."""
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        wanted = self.wanted
        done = self._restore()
        lengths = [example.length for example in examples]
        losses: list[float] = []
        began = time.monotonic()
        columns = (TextColumn("Warm start"), MofNCompleteColumn(), TextColumn("{task.description}"))
        with (
            Progress(*columns, TimeRemainingColumn(), transient=True) as bar,
            (self.folder / METRICS).open("a", encoding="utf-8") as log,
        ):
            shown = bar.add_task("", total=wanted.steps, completed=done)
            for step, batch in enumerate(batches(lengths, wanted.batch_size, wanted.steps, self.seed)):
                if step < done:
                    continue
                losses.append(self._step(step, [examples[at] for at in batch]))
                if (step + 1) % _REPORTED == 0 or step + 1 == wanted.steps:
                    mean = sum(losses) / len(losses)
                    row = {"step": step + 1, "loss": mean, "seconds": round(time.monotonic() - began, 1)}
                    log.write(json.dumps(row) + "\n")
                    log.flush()
                    bar.update(shown, description=f"loss {mean:.3f}")
                    losses.clear()
                if (step + 1) % wanted.save_freq == 0 and step + 1 < wanted.steps:
                    self._save(step + 1)
                bar.update(shown, completed=step + 1)

    def _step(self, step: int, batch: Sequence[Example]) -> float:
        import torch

        wanted = self.wanted
        share = rate(step, wanted.steps)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = wanted.learning_rate * share
            optimiser.zero_grad()
        total = 0.0
        learnt = sum(len(example.answer) for example in batch)
        for start in range(0, len(batch), wanted.micro_batch_size):
            part = batch[start : start + wanted.micro_batch_size]
            ids, labels = padded(part, self.tokenizer.pad_token_id)
            exact = self.device == "cpu"
            with nullcontext() if exact else torch.autocast(self.device, torch.bfloat16):
                loss = loss_of(self.model, ids.to(self.device), labels.to(self.device))
            loss = loss * (sum(len(example.answer) for example in part) / learnt)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return total

    def _trained(self) -> dict[str, Any]:
        return {name: weights for name, weights in self.model.named_parameters() if weights.requires_grad}

    def _save(self, done: int) -> None:
        import torch

        state = {
            "done": done,
            "weights": {name: weights.detach() for name, weights in self._trained().items()},
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }
        written = self.folder / f"{_STATE}.part"
        torch.save(state, written)
        written.replace(self.folder / _STATE)  # whole, or not there

    def _restore(self) -> int:
        import torch

        path = self.folder / _STATE
        if not path.exists():
            return 0
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["weights"], strict=False)
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainerError(
                f"{path} is of another configuration, or damaged ({error}); delete it, or name another --run-dir"
            ) from error
        return int(state["done"])

    def save_model(self) -> None:
        """Writes the model; an adapter is merged into it, or stands alone where the base cannot take it."""
        model = self.adapted or self.model
        if self.adapted is not None and self.wanted.merge_adapter:
            model = self.adapted.merge_and_unload()
        with whole_folder(self.folder / MODEL) as unfinished:
            model.save_pretrained(unfinished)
            self.tokenizer.save_pretrained(unfinished)
        (self.folder / _STATE).unlink(missing_ok=True)


def _loading(path: str) -> dict[str, Any]:
    """How the weights of a quantised model are loaded: MXFP4 has no gradient, and is taken apart."""
    from transformers import Mxfp4Config

    return {"quantization_config": Mxfp4Config(dequantize=True)} if quantisation(path) == "mxfp4" else {}


def _with_adapter(config: Any, model: Any) -> Any:
    """Freezes a model and puts a LoRA adapter into it."""
    from peft import LoraConfig, get_peft_model

    wanted = config.sigmaforge.warm_start
    modules = config.actor_rollout_ref.model.target_modules
    return get_peft_model(
        model,
        LoraConfig(
            r=wanted.lora_rank,
            lora_alpha=2 * wanted.lora_rank,
            target_modules=modules if isinstance(modules, str) else list(modules),
            task_type="CAUSAL_LM",
        ),
    )
