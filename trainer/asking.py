"""How a model is asked, read from a run's configuration: the same in training, evaluation and serving."""

from typing import Any, NamedTuple

from sigma_env.tasks.messages import messages
from sigma_env.tasks.task import Task


class Asking(NamedTuple):
    """How a model is asked.

    Attributes:
        template: arguments of the chat template, such as enable_thinking.
        longest_prompt: tokens that a prompt may have; a longer one is not asked, never cut.
        longest_answer: tokens that an answer may have.
    """

    template: dict[str, Any]
    longest_prompt: int
    longest_answer: int

    @classmethod
    def of(cls, config: Any) -> "Asking":
        """The settings of a configuration; see `trainer.config.compose`."""
        data = config.data
        return cls(dict(data.apply_chat_template_kwargs), data.max_prompt_length, data.max_response_length)

    def prompt(self, tokenizer: Any, task: Task) -> list[int]:
        """The tokens of a task's prompt, as verl makes them in training."""
        asked = tokenizer.apply_chat_template(messages(task), add_generation_prompt=True, **self.template)
        return list(asked["input_ids"])
