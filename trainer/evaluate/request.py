"""What is asked of an evaluation, and what comes of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Decoding(BaseModel):
    """How answers are drawn from a model's probabilities.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        samples: answers to each task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=0.0, ge=0)
    samples: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "Decoding":
        if not self.temperature and self.samples > 1:
            raise ValueError(f"samples is {self.samples}, but at temperature 0 all of them would be the same")
        return self

    @property
    def name(self) -> str:
        """For people and files: "greedy", or "t1.0x4" for 4 samples at temperature 1."""
        return f"t{self.temperature}x{self.samples}" if self.temperature else "greedy"


class Request(BaseModel):
    """One evaluation.

    Attributes:
        model: folder of a run, a checkpoint, a model or an adapter, or a name on Hugging Face's hub; see
            `trainer.checkpoints.find`. With `endpoint`, the name that the server knows the model by.
        endpoint: address of an OpenAI-compatible server, such as http://localhost:8000/v1; "" for none.
        dataset: name of a dataset; "" for the one that the configuration names.
        split: "train", "validation", "test" or "all".
        tasks: only so many of them, always the same ones; None for all.
        decoding: how answers are drawn.
        seed: of the samples. Step, task and place of an answer go into the seed of its request as in training.
        overlay: which configuration says how the model is asked; "" for that of the model's run.
        name: of the two files; "" for one that is made of the other fields.
        folder: where the files go; None for the run's folder `evaluation`, or out/evaluation where there is no run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    endpoint: str = ""
    dataset: str = ""
    split: str = "test"
    tasks: int | None = Field(default=None, ge=1)
    decoding: Decoding = Decoding()
    seed: int = 0
    overlay: str = ""
    name: str = Field(default="", pattern=r"^[\w.-]*$")
    folder: Path | None = None


class Result(NamedTuple):
    """A finished evaluation.

    Attributes:
        summary: what NAME.json holds.
        answers: NAME.jsonl, a line for each answer.
    """

    summary: Mapping[str, Any]
    answers: Path

    @classmethod
    def load(cls, summary: Path) -> "Result":
        """Reads NAME.json."""
        return cls(orjson.loads(summary.read_bytes()), summary.with_suffix(".jsonl"))

    def rows(self) -> Iterator[dict[str, Any]]:
        """The lines of `answers`, by task and sample."""
        with self.answers.open("rb") as lines:
            for line in lines:
                yield orjson.loads(line)
