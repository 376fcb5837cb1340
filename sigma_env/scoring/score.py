"""Score: what an answer earned, out of which parts, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sigma_env.events.ref import EventRef

Status = Literal["no_rule", "bad_yaml", "invalid_rule", "too_complex", "unsupported", "ok"]
STATUSES: Final[tuple[Status, ...]] = ("no_rule", "bad_yaml", "invalid_rule", "too_complex", "unsupported", "ok")
COMPONENTS: Final = ("yaml_valid", "logsource_correct", "iou")
DEFAULT_WEIGHTS: Final[Mapping[str, float]] = {"yaml_valid": 0.1, "logsource_correct": 0.3, "iou": 0.7}
"""The published formula. The sum is 1.1 on purpose."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one answer to one task.

    Attributes:
        task_id: the task that was answered.
        reward: weighted sum of the components.
        components: always the keys of COMPONENTS; yaml_valid and logsource_correct are 0 or 1, iou is 0…1.
        status: what became of the answer; see DESIGN's table.
        reason: why the status is not "ok", or what the logsource lacks; "" if there is nothing to say.
        tp: scored events that answer and reference both match.
        fp: scored events that only the answer matches.
        fn: scored events that only the reference matches.
        examples: up to a few events each under "tp", "fp" and "fn".
    """

    task_id: str
    reward: float
    components: Mapping[str, float]
    status: Status
    reason: str = ""
    tp: int = 0
    fp: int = 0
    fn: int = 0
    examples: Mapping[str, tuple[EventRef, ...]] = field(default_factory=dict)
    explainer: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    def explain(self) -> str:
        """A text for a detection engineer: the components, and per missed or extra event the line that decided."""
        return self.explainer() if self.explainer is not None else self.reason

    def metrics(self) -> dict[str, float]:
        """Numbers only, the same keys for every answer: the one form that trainers and benchmarks see."""
        counts = {"tp": float(self.tp), "fp": float(self.fp), "fn": float(self.fn)}
        statuses = {f"status_{s}": float(s == self.status) for s in STATUSES}
        return {"reward": self.reward, **self.components, **counts, **statuses}
