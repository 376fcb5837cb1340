"""The catalogue of models: what each is called, who serves it, and what it costs (`models.yaml` beside this file)."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml
from inspect_ai.model import GenerateConfig, Model, get_model
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sigma_env.errors import OptionError

CATALOGUE: Final = Path(__file__).with_suffix(".yaml")

Group = Literal["agent", "closed", "base", "warm-started", "trained", "endpoint"]

_OPENAI_CLIENTS: Final = ("openai/", "openai-api/")
_NO_KEY: Final = "none"
"""What servers without keys are given: OpenAI's client insists on one."""
_ENDPOINT: Final = re.compile(r"(?P<name>[\w.-]+)=(?P<url>https?://[^#\s]+)#(?P<model>\S+)")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Frozen):
    """What a provider charges, in US dollars per million tokens.

    Attributes:
        input: of the prompt.
        cached_input: of the part of the prompt that the provider had cached; that of `input` if it gives no rebate.
        output: of the answer, with what the model thought.
        date: when the price held: a year and month, or a day.
        source: where it was read.
    """

    input: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    date: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    source: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _date_as_text(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "date" in data:
            return {**data, "date": str(data["date"])}  # YAML reads a whole date as one
        return data

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """Dollars of one request.

        Args:
            input_tokens: of the prompt that were not cached.
            cached_tokens: of the prompt that were.
            output_tokens: of the answer.
        """
        cached = self.input if self.cached_input is None else self.cached_input
        return (input_tokens * self.input + cached_tokens * cached + output_tokens * self.output) / 1e6


class ModelSpec(_Frozen):
    """A model of the table.

    Attributes:
        name: by which it is asked for and compared.
        title: in the tables.
        group: which table it belongs to.
        base: of a warm-started or trained model: what it is compared with.
        inspect: Inspect's name of it, provider first.
        key: the environment variable with the provider's key; "" if it needs none.
        url: the environment variable with the server's address, or the address; "" for the provider's own.
        price: None if it is not known, or nobody is billed.
        generation: how it answers: options of Inspect's GenerateConfig; max_tokens bounds what a request can cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    title: str
    group: Group
    base: str = Field(default="", alias="from")
    inspect: str = Field(pattern=r"^[^/\s]+/\S+$")
    key: str = ""
    url: str = ""
    price: Price | None = None
    generation: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "ModelSpec":
        GenerateConfig.model_validate(self.generation)
        if self.price is not None and self.max_tokens is None:
            raise ValueError("a model with a price needs generation.max_tokens, which bounds what an answer can cost")
        return self

    @property
    def max_tokens(self) -> int | None:
        """The most that it may answer; None if nothing is set."""
        found = self.generation.get("max_tokens")
        return found if isinstance(found, int) else None

    def missing(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """What keeps it from running here, for people; None if nothing does."""
        needed = [self.key, "" if self.url.startswith("http") else self.url]
        absent = [variable for variable in needed if variable and not environ.get(variable)]
        return f"set {' and '.join(absent)}" if absent else None

    def identity(self, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
        """What makes its answers those of another model: the name, the server and the options, but no key."""
        return {"inspect": self.inspect, "url": self._address(environ), "generation": self.generation}

    def _address(self, environ: Mapping[str, str]) -> str | None:
        if not self.url:
            return None
        return self.url if self.url.startswith("http") else environ[self.url]

    def connect(self, environ: Mapping[str, str] = os.environ) -> Model:
        """Inspect's model. It makes one attempt per request: repeating is for us, who count and pay."""
        extra: dict[str, Any] = {"max_retries": 0} if self.inspect.startswith(_OPENAI_CLIENTS) else {}
        return get_model(
            self.inspect,
            config=GenerateConfig(**self.generation),
            base_url=self._address(environ),
            api_key=environ[self.key] if self.key else _NO_KEY,
            memoize=False,
            **extra,
        )


class Choice(NamedTuple):
    """The models of a run, and those that were asked for but cannot run here, with the reason."""

    ready: tuple[ModelSpec, ...]
    skipped: Mapping[str, str]


def load_models(path: Path = CATALOGUE) -> dict[str, ModelSpec]:
    """The models of a catalogue, by name.

    Raises:
        OptionError: the catalogue cannot be read; the message names the model and the field.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise OptionError(f"{path}: cannot be read: {error}") from error
    entries = document.get("models") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise OptionError(f"{path}: it needs a list under the key 'models'")
    models: dict[str, ModelSpec] = {}
    for number, entry in enumerate(entries):
        name = entry.get("name", f"number {number + 1}") if isinstance(entry, dict) else f"number {number + 1}"
        try:
            spec = ModelSpec.model_validate(entry)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg']}" for e in error.errors())
            raise OptionError(f"{path}: model {name}: {faults}") from error
        if spec.name in models:
            raise OptionError(f"{path}: model {name}: there are two of this name")
        models[spec.name] = spec
    for spec in models.values():
        if spec.base and spec.base not in models:
            raise OptionError(f"{path}: model {spec.name}: from: there is no model {spec.base!r}")
    return models


def endpoint(text: str, max_tokens: int | None = None) -> ModelSpec:
    """The model that `NAME=URL#MODEL` names: one of an OpenAI-compatible server, such as vLLM's or Ollama's.

    Args:
        text: what names it.
        max_tokens: the most that it may answer; None for what its server allows. More than fits beside the prompt into
            the model's context is an error for some servers, so that no number is right for all.

    Raises:
        OptionError: the text is not of that form.
    """
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise OptionError(f"{text!r} is no endpoint; write NAME=URL#MODEL, such as mine=http://localhost:8000/v1#Qwen3")
    return ModelSpec(
        name=found["name"],
        title=found["name"],
        group="endpoint",
        inspect=f"openai-api/local/{found['model']}",
        url=found["url"],
        generation={} if max_tokens is None else {"max_tokens": max_tokens},
    )


def choose(models: Mapping[str, ModelSpec], names: Sequence[str], environ: Mapping[str, str] = os.environ) -> Choice:
    """The models that can run here.

    Args:
        models: the catalogue.
        names: which of them; "all" is every one.
        environ: where keys and addresses are.

    Raises:
        OptionError: a name is unknown.
    """
    unknown = [name for name in names if name != "all" and name not in models]
    if unknown:
        raise OptionError(f"unknown model {unknown[0]!r}; there is {', '.join(models)} and all")
    wanted = list(models) if "all" in names else list(dict.fromkeys(names))
    reasons = {name: models[name].missing(environ) for name in wanted}
    ready = tuple(models[name] for name in wanted if reasons[name] is None)
    return Choice(ready, {name: why for name, why in reasons.items() if why is not None})
