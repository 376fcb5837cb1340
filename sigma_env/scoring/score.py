"""Score: what an answer earned, out of which parts, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from sigma_env.events.ref import EventRef
from sigma_env.scoring.options import COMPONENTS
from sigma_env.sigma.answer import STATUSES, Status

Examples = Mapping[str, tuple[EventRef, ...]]


class Detail(Protocol):
    """What a score can tell beyond its numbers; worked out when it is asked for."""

    def examples(self) -> Examples:
        """See Score.examples."""
        ...

    def explain(self, score: "Score") -> str:
        """See Score.explain."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one answer to one task.

    Attributes:
        task_id: the task that was answered.
        reward: weighted sum of the components.
        components: always the keys of COMPONENTS; yaml_valid and logsource_correct are 0 or 1, iou is 0…1.
        status: what became of the answer; see DESIGN's table.
        reason: what is wrong with the answer as such: why the status is not "ok", or why its logsource
            selects nothing. "" if there is nothing to say. It knows nothing of the reference.
        tp: scored events that answer and reference both match.
        fp: scored events that only the answer matches.
        fn: scored events that only the reference matches.
        detail: where examples and explanation come from; a pickled score keeps its examples only.
    """

    task_id: str
    reward: float
    components: Mapping[str, float]
    status: Status
    reason: str = ""
    tp: int = 0
    fp: int = 0
    fn: int = 0
    detail: Detail | None = field(default=None, repr=False, compare=False)

    @property
    def examples(self) -> Examples:
        """The first few events under each of "tp", "fp" and "fn", in the order of the store."""
        return _NO_EXAMPLES if self.detail is None else self.detail.examples()

    def explain(self) -> str:
        """A text for a detection engineer: the components, and per missed or extra event the line that decided."""
        return self.summary() if self.detail is None else self.detail.explain(self)

    def summary(self) -> str:
        """The numbers in one line."""
        parts = ", ".join(f"{name} {self.components[name]:.4g}" for name in COMPONENTS)
        counts = f"{self.tp} right, {self.fn} missed, {self.fp} extra"
        text = f"reward {self.reward:.4g} ({parts}; {counts}), status {self.status}"
        return f"{text}: {self.reason}" if self.reason else text

    def metrics(self) -> dict[str, float]:
        """Numbers only, the same keys for every answer: the one form that trainers and benchmarks see."""
        counts = {"tp": float(self.tp), "fp": float(self.fp), "fn": float(self.fn)}
        statuses = {f"status_{s}": float(s == self.status) for s in STATUSES}
        return {"reward": self.reward, **self.components, **counts, **statuses}

    def __reduce__(self) -> tuple[Any, ...]:
        # The detail leads to the whole store, which no other process should be sent.
        values = (self.task_id, self.reward, dict(self.components), self.status, self.reason, self.tp, self.fp, self.fn)
        return Score, (*values, None if self.detail is None else _Kept(dict(self.examples)))


class _Kept(NamedTuple):
    """What is left of a Detail in another process."""

    events: Examples

    def examples(self) -> Examples:
        return self.events

    def explain(self, score: Score) -> str:
        return score.summary()


_NO_EXAMPLES: Final[Examples] = {"tp": (), "fp": (), "fn": ()}
