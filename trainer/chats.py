"""Chats to learn from: prompts with the answers that earn the maximum, and the model that is made to read them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.tasks.composed import training_chats
from sigma_env.tasks.messages import Message, messages
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from trainer.whole import whole_folder

_FITTED: Final = 4_000
"""Chats that a tokenizer is fitted to; more change nothing."""


class Chat(NamedTuple):
    """What a model is shown, and what it is to write."""

    messages: list[Message]
    answer: str


def chats(settings: Any, tasks: Sequence[Task]) -> Iterator[Chat]:
    """What is trained on: composed rules that no dataset holds, then the run's own training tasks.

    Args:
        settings: `config.sigmaforge`; its `warm_start` says how many of each.
        tasks: of the training split.
    """
    wanted = settings.warm_start
    if wanted.pairs:
        difficulty = (float(wanted.difficulty[0]), float(wanted.difficulty[1]))
        for made in training_chats(wanted.seed, wanted.pairs, difficulty=difficulty):
            yield Chat(made.messages, made.answer)
    own = [Chat(messages(task), reference_answer(task)) for task in tasks]
    for _ in range(wanted.own_repeats):
        yield from own


def number_of_chats(settings: Any, tasks: Sequence[Task]) -> int:
    """How many `chats` gives."""
    return int(settings.warm_start.pairs + settings.warm_start.own_repeats * len(tasks))


def make_model(config: Any, tasks: Sequence[Task]) -> None:
    """Makes the model that `sigmaforge.made_model` describes, if it describes one and the folder holds none.

    Its tokenizer is fitted to requests and answers of training only.
    """
    folder = Path(config.actor_rollout_ref.model.path)
    if config.sigmaforge.made_model is None or (folder / "config.json").exists():
        return
    from trainer.tiny_model import Size, make

    texts = [
        text
        for chat in islice(chats(config.sigmaforge, tasks), _FITTED)
        for text in (chat.messages[-1]["content"], chat.answer)
    ]
    with whole_folder(folder) as unfinished:
        make(unfinished, texts, Size(**config.sigmaforge.made_model), config.sigmaforge.seed)
