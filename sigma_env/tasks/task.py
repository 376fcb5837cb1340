"""Task: a request, the reference rule that answers it, and what is known about both."""

import hashlib
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigma_env.events.ref import EventRef
from sigma_env.simulation.plan import MAX_REQUEST

Split = Literal["train", "validation", "test"]


class Task(BaseModel):
    """One thing to detect. Frozen; equal contents have equal ids on every machine.

    The reference, whole or cut, never enters a prompt (`sigma_env.tasks.messages` is the only place that renders one),
    and the truth is no part of a task: it lies beside it, per engine, semantics and version.

    Attributes:
        id: hash of all other fields but `split` and `tags`; filled in if not given, refused if wrong.
        request: the analyst's words.
        persona: who asks, such as "soc_analyst"; "rule_text" where the request is a rule's own title and description.
        scenario: what is special about the task; "default" if nothing is.
        reference: Sigma YAML of the rule that answers the request.
        disclosed: Sigma YAML of as much of the reference as the request discloses; "" if it discloses all of it.
        logsource: the reference's logsource, as written.
        split: which part of the dataset it belongs to.
        source: where the reference comes from: a dataset's name, or source and path.
        author: of the reference.
        licence: of the reference.
        coverage: share of the reference's values, conditions and filters that the request discloses, 0…1.
        difficulty: 0 (one literal decides) … 1.
        detectable: whether the logs can show the behaviour at all.
        may_abstain: whether the prompt offers to say that the logs cannot show it.
        visible: events that the request or prompt shows; they are not scored.
        tags: ATT&CK techniques and the like; no part of the id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    request: str = Field(min_length=1, max_length=MAX_REQUEST)
    persona: str = "rule_text"
    scenario: str = "default"
    reference: str = Field(min_length=1)
    disclosed: str = ""
    logsource: dict[str, str]
    split: Split
    source: str
    author: str = ""
    licence: str = ""
    coverage: float = Field(default=1.0, ge=0, le=1)
    difficulty: float = Field(default=0.0, ge=0, le=1)
    detectable: bool = True
    may_abstain: bool = False
    visible: tuple[EventRef, ...] = ()
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_id(self) -> "Task":
        expected = content_id(self)
        if not self.detectable and not self.may_abstain:
            raise ValueError("a task that is not detectable must offer to abstain: may_abstain must be true")
        if not self.id:
            object.__setattr__(self, "id", expected)
        elif self.id != expected:
            raise ValueError(f"task id {self.id!r} does not fit its contents, whose id is {expected!r}")
        return self


def content_id(task: Task) -> str:
    """The id that the contents ask for: 16 hex digits of BLAKE2b over canonical JSON."""
    contents = task.model_dump(mode="json", exclude={"id", "split", "tags"})
    return hashlib.blake2b(orjson.dumps(contents, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
