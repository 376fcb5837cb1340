"""Models that answer tasks: one that vLLM runs in this process, and one of an OpenAI-compatible server."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Final, NamedTuple, Protocol

from sigma_env.tasks.messages import messages
from sigma_env.tasks.task import Task
from trainer.answers import answer_text
from trainer.asking import Asking
from trainer.checkpoints import Checkpoint
from trainer.errors import TrainerError
from trainer.serving import ADAPTER_ID, engine_options

_AT_ONCE: Final = 32
_RETRIES: Final = 5
_SECONDS: Final = 600.0
_BAD_REQUEST: Final = 400
_NO_KEY: Final = "none"
"""What servers without keys are given: OpenAI's client insists on one."""


class Ask(NamedTuple):
    """One answer that is wanted: which task, which of its answers, and the seed to draw it with."""

    task: Task
    sample: int
    seed: int


class Answer(NamedTuple):
    """What a model answered.

    Attributes:
        text: whole, special tokens included; without the token that ends it.
        tokens: of the answer; None if the server did not say.
        finish: "stop" if the model ended it, "length" if it was cut off at the longest answer.
    """

    text: str
    tokens: int | None
    finish: str


class Model(Protocol):
    """Answers tasks."""

    def answers(self, asks: Sequence[Ask], temperature: float) -> Iterator[tuple[Ask, Answer | None]]:
        """Answers, as they come; None for a prompt that is too long to be asked."""
        ...


class LocalModel:
    """A checkpoint in vLLM, in this process, whose environment is that of the configuration."""

    def __init__(self, checkpoint: Checkpoint, config: Any, asking: Asking) -> None:
        """Loads it.

        Args:
            checkpoint: see `trainer.shards.ready`.
            config: see `trainer.config.compose`.
            asking: of the same configuration.
        """
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self._asking = asking
        self._llm = LLM(**engine_options(checkpoint, config))
        self._tokenizer = self._llm.get_tokenizer()
        adapter = checkpoint.adapter
        self._adapter = None if adapter is None else LoRARequest(adapter.name, ADAPTER_ID, str(adapter))

    def answers(self, asks: Sequence[Ask], temperature: float) -> Iterator[tuple[Ask, Answer | None]]:
        """See Model."""
        prompts = {ask.task.id: self._asking.prompt(self._tokenizer, ask.task) for ask in asks}
        waiting: dict[str, Ask] = {}
        engine = self._llm.llm_engine
        for number, ask in enumerate(asks):
            prompt = prompts[ask.task.id]
            if len(prompt) > self._asking.longest_prompt:
                yield ask, None
                continue
            waiting[str(number)] = ask
            request = {"prompt_token_ids": prompt}
            engine.add_request(str(number), request, self._sampling(ask, temperature), lora_request=self._adapter)
        while engine.has_unfinished_requests():
            for output in engine.step():
                if output.finished:
                    yield waiting[output.request_id], self._answer(output.outputs[0])

    def _sampling(self, ask: Ask, temperature: float) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=temperature,
            top_p=1.0,
            top_k=-1,
            seed=ask.seed,
            max_tokens=self._asking.longest_answer,
            detokenize=False,
        )

    def _answer(self, output: Any) -> Answer:
        ids = list(output.token_ids)
        return Answer(answer_text(self._tokenizer, ids), len(ids), output.finish_reason)


class EndpointModel:
    """A model behind an OpenAI-compatible server. vLLM's takes the arguments of the chat template with each request."""

    def __init__(self, url: str, name: str, asking: Asking) -> None:
        """Prepares; OPENAI_API_KEY is sent if it is set."""
        import openai

        self._name, self._asking = name, asking
        self._client = openai.OpenAI(
            base_url=url,
            api_key=os.environ.get("OPENAI_API_KEY") or _NO_KEY,
            max_retries=_RETRIES,
            timeout=_SECONDS,
        )
        self._url = url

    def answers(self, asks: Sequence[Ask], temperature: float) -> Iterator[tuple[Ask, Answer | None]]:
        """See Model.

        Raises:
            TrainerError: a request was not answered after all attempts.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            coming = {pool.submit(self._ask, ask, temperature): ask for ask in asks}
            try:
                for done in as_completed(coming):
                    yield coming[done], done.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(self, ask: Ask, temperature: float) -> Answer | None:
        import openai

        try:
            reply: Any = self._client.chat.completions.create(
                model=self._name,
                messages=messages(ask.task),  # type: ignore[arg-type]
                temperature=temperature,
                seed=ask.seed,
                max_tokens=self._asking.longest_answer,
                extra_body={"chat_template_kwargs": self._asking.template, "skip_special_tokens": False},
            )
        except openai.OpenAIError as fault:
            if getattr(fault, "status_code", None) == _BAD_REQUEST and "context length" in str(fault):
                return None
            raise TrainerError(f"{self._url}: no answer to task {ask.task.id}: {fault}") from fault
        if reply.usage is not None and reply.usage.prompt_tokens > self._asking.longest_prompt:
            return None
        [choice] = reply.choices
        tokens = None if reply.usage is None else reply.usage.completion_tokens
        return Answer(choice.message.content or "", tokens, choice.finish_reason)
