"""A small model that already writes one rule, more or less: rollouts of a random one all earn nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sigma_env.tasks.messages import messages, prompt_text
from sigma_env.tasks.task import Task
from trainer.tiny_model import END, Size, make

ANSWER = """\
logsource:
  category: process_creation
detection:
  a:
    Image: '*'
  condition: a"""


def teach(folder: Path, tasks: Sequence[Task], seed: int = 0) -> None:
    """Makes a model and trains it until it writes ANSWER in about a third of its samples, whatever is asked."""
    make(folder, [*(prompt_text(messages(task)) for task in tasks), ANSWER], Size(), seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    answer = tokenizer.encode(ANSWER + END, add_special_tokens=False)
    prompts = [tokenizer.apply_chat_template(messages(task), add_generation_prompt=True) for task in tasks]
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.95, 0.99), weight_decay=0.0)
    surprises: list[float] = []
    while sum(surprises[-len(tasks) :]) > len(tasks) or len(surprises) < len(tasks):
        assert len(surprises) < 400, f"the model does not learn to write the answer: {surprises[-len(tasks) :]}"
        prompt = prompts[len(surprises) % len(tasks)]["input_ids"]
        ids, labels = torch.tensor([prompt + answer]), torch.tensor([[-100] * len(prompt) + answer])
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        surprises.append(loss.item() * len(answer))
    model.save_pretrained(folder)
