"""Asking a model: each request paid for once, repeated within limits, never faster than allowed, never beyond budget.

Inspect would repeat failed requests without end, and no option of its makes it wait as long as a server asks for. So
it makes one attempt at a time, and the attempts are ours.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput, ModelUsage
from tenacity import RetryError

from benchmarks.budget import Budget
from benchmarks.ledger import Answered, Ledger, request_key
from benchmarks.models import ModelSpec
from sigma_env.errors import SigmaEnvError

_TOKENS_PER_MESSAGE: Final = 16
_LONGEST_ERROR: Final = 300


class RequestFailed(SigmaEnvError):
    """A model gave no answer, after all attempts. The sample stays without a score."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a model may be asked.

    Attributes:
        concurrency: requests under way at a time.
        per_minute: requests that may be sent per minute; None for as many as there are.
        retries: attempts after the first.
        timeout: seconds for one attempt.
        backoff: seconds before the first repetition; doubled for each further one.
        longest_wait: seconds between two attempts; a server that asks for more ends the request.
    """

    concurrency: int = 8
    per_minute: float | None = None
    retries: int = 5
    timeout: float = 600.0
    backoff: float = 2.0
    longest_wait: float = 300.0


class Reply(NamedTuple):
    """An answer, and whether it was there before this run asked."""

    answered: Answered
    replayed: bool


class Asker:
    """Asks one model.

    Args:
        spec: of the model.
        model: Inspect's, connected.
        ledger: of the run.
        budget: of the run.
        limits: of the model.
        clock: monotonic seconds.
        sleep: waits.
    """

    def __init__(
        self,
        spec: ModelSpec,
        model: Model,
        ledger: Ledger,
        budget: Budget,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._spec, self._model, self._ledger, self._budget, self._limits = spec, model, ledger, budget, limits
        self._identity = spec.identity()
        self._clock, self._sleep = clock, sleep
        self._next_slot = 0.0
        self._not_before = 0.0
        self._one_at_a_time: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        # Ours, because a wait for Inspect's would count towards the timeout of the attempt.
        self._slots = anyio.Semaphore(limits.concurrency)
        self._config = GenerateConfig(max_retries=0, max_connections=limits.concurrency)

    async def ask(self, chat: Sequence[ChatMessage], sample: int) -> Reply:
        """The model's answer to a chat.

        Args:
            chat: the messages.
            sample: which of several answers to the same chat, from 1.

        Raises:
            RequestFailed: no attempt was answered.
            SpendLimitReached: the next attempt could cost more than is left.
        """
        plain = [{"role": message.role, "content": message.text} for message in chat]
        key = request_key(self._identity, plain, sample)
        # Two tasks may have the same prompt, and the second takes the answer that the first paid for.
        async with self._one_at_a_time[key]:
            known = self._ledger.answer(key)
            if known is not None:
                return Reply(known, replayed=True)
            at_most = most_cost(self._spec, [message["content"] for message in plain])
            return Reply(await self._answered(key, chat, at_most), replayed=False)

    async def _answered(self, key: str, chat: Sequence[ChatMessage], at_most: float) -> Answered:
        for attempt in range(self._limits.retries + 1):
            async with self._slots:
                await self._turn()
                fault = await self._attempt(key, chat, at_most, attempt)
            if isinstance(fault, Answered):
                return fault
            wait = self._wait(fault, attempt)
            if wait is None or attempt == self._limits.retries:
                raise RequestFailed(f"{self._spec.name}: no answer after {attempt + 1} attempts: {fault.error}")
            await self._sleep(wait)
        raise AssertionError("the loop returns or raises")

    async def _turn(self) -> None:
        """Waits until the server takes requests, and for this one's place among those of the minute."""
        while True:
            wait = max(self._not_before, self._next_slot) - self._clock()
            if wait <= 0:
                break
            await self._sleep(wait)
        if self._limits.per_minute is not None:
            self._next_slot = max(self._next_slot, self._clock()) + 60.0 / self._limits.per_minute

    async def _attempt(
        self, key: str, chat: Sequence[ChatMessage], at_most: float, attempt: int
    ) -> "Answered | _Fault":
        await self._budget.reserve(at_most)
        try:
            self._ledger.sent(key, at_most)
            try:
                with anyio.fail_after(self._limits.timeout):
                    output = await self._model.generate(list(chat), config=self._config, cache=False)
                answer = self._answer(output, at_most, attempt)
            except Exception as error:
                fault = _fault(error, self._model)
                self._ledger.failed(key, fault.error, at_most if fault.maybe_billed else 0.0)
                return fault
            self._ledger.answered(key, answer)
            return answer
        finally:
            self._budget.settle()

    def _answer(self, output: ModelOutput, at_most: float, retries: int) -> Answered:
        """The answer in an output.

        Raises:
            ValueError: it holds none.
        """
        if output.error or not output.choices:
            raise ValueError(output.error or "the reply holds no choice")
        if output.stop_reason == "model_length" and output.usage is None:
            raise ValueError(f"the prompt is too long for the model: {output.completion:.200}")
        usage = output.usage
        return Answered(
            text=output.completion,
            stop_reason=output.stop_reason,
            input_tokens=None if usage is None else usage.input_tokens + (usage.input_tokens_cache_write or 0),
            cached_tokens=0 if usage is None else usage.input_tokens_cache_read or 0,
            output_tokens=None if usage is None else usage.output_tokens,
            cost=cost_of(self._spec, usage),
            at_most=at_most,
            seconds=output.time,
            retries=retries,
        )

    def _wait(self, fault: "_Fault", attempt: int) -> float | None:
        """Seconds until the next attempt; None if there should be none."""
        if not fault.again:
            return None
        if fault.retry_after is None:
            return min(self._limits.backoff * 2.0**attempt, self._limits.longest_wait)
        if fault.retry_after > self._limits.longest_wait:
            return None
        # Who is told to wait waits with all of the model's requests: the limit is on the key, not on the request.
        self._not_before = max(self._not_before, self._clock() + fault.retry_after)
        return fault.retry_after


class _Fault(NamedTuple):
    """Why an attempt has no answer.

    Attributes:
        error: for people.
        again: whether another attempt may do better.
        retry_after: seconds that the server asks to wait.
        maybe_billed: whether the provider may have done the work: it did not say that it refused.
    """

    error: str
    again: bool
    retry_after: float | None
    maybe_billed: bool


def _fault(error: Exception, model: Model) -> _Fault:
    cause: BaseException = error
    if isinstance(error, RetryError):
        cause = error.last_attempt.exception() or error
    # Inspect's own text begins with the whole request.
    said = getattr(cause, "provider_message", None) or str(cause)
    text = f"{type(cause).__name__}: {said}"[:_LONGEST_ERROR]
    status = getattr(cause, "status_code", getattr(cause, "code", None))
    if isinstance(cause, TimeoutError):
        return _Fault(f"no reply in time: {text}", again=True, retry_after=None, maybe_billed=True)
    decision = model.api.should_retry(cause) if isinstance(cause, Exception) else False
    again = bool(decision) or not isinstance(status, int)  # what is no HTTP error is a reply that cannot be read
    return _Fault(text, again, getattr(decision, "retry_after", None), maybe_billed=not isinstance(status, int))


def cost_of(spec: ModelSpec, usage: ModelUsage | None) -> float | None:
    """Dollars of a request; None without a price or a count of tokens."""
    if spec.price is None or usage is None:
        return None
    fresh = usage.input_tokens + (usage.input_tokens_cache_write or 0)
    return spec.price.cost(fresh, usage.input_tokens_cache_read or 0, usage.output_tokens)


def most_cost(spec: ModelSpec, texts: Sequence[str]) -> float:
    """The most that a request can cost, in dollars: no token is shorter than a byte, no answer than it may be long."""
    if spec.price is None or spec.max_tokens is None:
        return 0.0
    prompt = sum(len(text.encode()) + _TOKENS_PER_MESSAGE for text in texts)
    return spec.price.cost(prompt, 0, spec.max_tokens)
