"""A language model as the voice: it says the offline request in other words, and is held to the same plan.

Any server with an OpenAI-compatible `/chat/completions` will do. Answers are kept on disk by the hash of what was
asked, so that a dataset is made of the same texts again without the server.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.simulation.plan import MAX_REQUEST, Plan
from sigma_env.simulation.requests.check import faults
from sigma_env.simulation.requests.errors import RequestError
from sigma_env.simulation.requests.writing import Request, write_request

_INSTRUCTIONS: Final = """\
You rewrite a request that a {persona} sends to a detection engineer. Say it in natural words of such a person.
Every text in backticks, quotation marks or « » must stay, verbatim and in the same marks. Keep exactly what is \
asked: which log, which field each text belongs to, how it is compared (starts with, ends in, contains, is exactly, \
…), what is joined by `and` or `or`, and every exception. Add no condition and no example value. Write no YAML and \
no rule. At most {most} characters. Answer with the request only."""
_MORE_TRIES: Final = "That does not do: {faults}. Write it again."
_MARGIN: Final = 100
_TRANSIENT: Final = frozenset({408, 409, 425, 429})
_MILLION: Final = 1_000_000


@dataclass
class Usage:
    """What a voice has cost so far.

    Attributes:
        calls: answers of the server.
        cached: answers that were on disk.
        fallbacks: requests for which the offline text was taken.
        prompt_tokens: as the server counts them; cached answers cost nothing.
        completion_tokens: the same.
        dollars: by the prices that were given.
    """

    calls: int = 0
    cached: int = 0
    fallbacks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


class Voiced(NamedTuple):
    """A request, and where its words come from.

    Attributes:
        request: its text is the model's, or the offline one.
        fallback: why it is the offline one; None if it is the model's.
    """

    request: Request
    fallback: str | None


@dataclass
class LlmVoice:
    """Voices requests by a language model.

    Attributes:
        base_url: of the server, such as "http://localhost:8000/v1".
        model: its name there.
        api_key_env: environment variable that holds the key; "" if the server wants none.
        cache_dir: folder for the answers.
        tries: most answers that are asked for one request; then the offline text is taken.
        temperature: of the sampling.
        timeout: seconds for one answer.
        dollars_per_million: of tokens, as (prompt, completion).
        usage: what it has cost so far.

    Raises:
        RequestError: the environment variable is not set.
    """

    base_url: str
    model: str
    cache_dir: Path
    api_key_env: str = ""
    tries: int = 3
    temperature: float = 0.7
    timeout: float = 60.0
    dollars_per_million: tuple[float, float] = (0.0, 0.0)
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        if self.api_key_env and not os.environ.get(self.api_key_env):
            raise RequestError(
                f"the key for {self.base_url} is missing: set the environment variable {self.api_key_env}"
            )

    def write(
        self,
        plan: Plan,
        persona: str,
        seed: int,
        *,
        profile: str = "",
        visible: Sequence[Mapping[str, object]] = (),
    ) -> Voiced:
        """Like `write_request`, in the model's words if they tell the same.

        Raises:
            RequestError: the server refuses the request for good (a wrong key, model or address).
        """
        offline = write_request(plan, persona, seed, profile=profile, visible=visible)
        messages = [
            {"role": "system", "content": _instructions(persona)},
            {"role": "user", "content": offline.text},
        ]
        reason = "no answer"
        for attempt in range(self.tries):
            try:
                text = self._answer(messages, seed, attempt).strip()
            except _NoAnswer as error:
                reason = str(error)
                continue
            wrong = faults(text, plan)
            if not wrong and text:
                return Voiced(offline._replace(text=text), None)
            reason = "; ".join(wrong[:5]) or "an empty answer"
            retry = {"role": "user", "content": _MORE_TRIES.format(faults=reason)}
            messages = [*messages[:2], {"role": "assistant", "content": text}, retry]
        self.usage.fallbacks += 1
        return Voiced(offline, f"{self.tries} tries, the last one: {reason}")

    def _answer(self, messages: list[dict[str, str]], seed: int, attempt: int) -> str:
        asked = {"model": self.model, "messages": messages, "temperature": self.temperature, "seed": seed + attempt}
        name = hashlib.blake2b(json.dumps([self.base_url, asked], sort_keys=True).encode(), digest_size=16).hexdigest()
        file = self.cache_dir / f"{name}.json"
        if file.exists():
            self.usage.cached += 1
            return str(json.loads(file.read_text(encoding="utf-8"))["text"])
        answer = self._asked(asked)
        text = _text_of(answer, self.base_url)
        self._count(answer.get("usage") or {})
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps({"text": text, "usage": answer.get("usage")}), encoding="utf-8")
        part.replace(file)
        return text

    def _asked(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        import httpx

        headers = {"Authorization": f"Bearer {os.environ[self.api_key_env]}"} if self.api_key_env else {}
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        try:
            response = httpx.post(url, json=asked, headers=headers, timeout=self.timeout)
        except httpx.TransportError as error:
            raise _NoAnswer(f"{url}: {error or type(error).__name__}") from None
        if response.status_code >= 500 or response.status_code in _TRANSIENT:
            raise _NoAnswer(f"{url}: status {response.status_code}")
        if response.status_code != 200:
            raise RequestError(
                f"{url} refuses model '{self.model}': status {response.status_code}, {response.text[:200]}"
            )
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            raise _NoAnswer(f"{url}: the answer is no JSON") from None
        return answer

    def _count(self, usage: Mapping[str, int]) -> None:
        prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        self.usage.calls += 1
        self.usage.prompt_tokens += prompt
        self.usage.completion_tokens += completion
        of_prompt, of_completion = self.dollars_per_million
        self.usage.dollars += (prompt * of_prompt + completion * of_completion) / _MILLION


class _NoAnswer(Exception):
    """The server gave no answer this time."""


def _instructions(persona: str) -> str:
    return _INSTRUCTIONS.format(persona=persona.replace("_", " "), most=MAX_REQUEST - _MARGIN)


def _text_of(answer: Any, url: str) -> str:
    try:
        text = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise _NoAnswer(f"{url}: the answer has no choices[0].message.content") from None
    if not isinstance(text, str):
        raise _NoAnswer(f"{url}: the answer holds no text")
    return text
