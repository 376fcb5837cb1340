"""What the answers to one task are measured by, and the measuring."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sigma_env.engines.base import Engine, Matches, Unsupported
from sigma_env.errors import EngineError, OptionError, SigmaEnvError
from sigma_env.events.ref import EventRef
from sigma_env.events.store import EventStore
from sigma_env.scoring.logsource import LogsourceCheck
from sigma_env.scoring.options import weighted
from sigma_env.scoring.score import Examples, Score
from sigma_env.sigma.answer import Answer, Status, parse_answer
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.taxonomy import select

_EXAMPLES: Final = 5


class Counts(NamedTuple):
    """Scored events: in both, in the answer only, in the reference only."""

    tp: int
    fp: int
    fn: int

    @property
    def iou(self) -> float:
        """Intersection over union; 0 where the answer matches nothing."""
        return self.tp / (self.tp + self.fp + self.fn) if self.tp else 0.0


class Yardstick:
    """The truth of one task on one store, ready for many answers.

    Attributes:
        task_id: the task.
        reference: its rule.
        store: the events.
        scored: true events that count, by partition.
        ignored: events that count for nobody, by partition.
        check: judges logsources.
        detectable: whether the logs can show what is asked for; if not, to say so is the one right answer.
    """

    def __init__(
        self,
        task_id: str,
        reference: Rule,
        store: EventStore,
        true: Matches,
        ignored: Matches,
        *,
        detectable: bool = True,
    ) -> None:
        self.detectable = detectable
        self.task_id = task_id
        self.reference = reference
        self.store = store
        scored = true - ignored
        self.scored: Mapping[int, int] = scored.bits
        self.ignored: Mapping[int, int] = ignored.bits
        self._n_scored = len(scored)
        pairs = ((store.partitions[i].channel, store.partitions[i].event_id) for i in scored.bits)
        self.check = LogsourceCheck(reference.logsource, reference.condition, pairs)

    def count(self, matches: Matches) -> Counts:
        """Compares an answer's events with the scored ones."""
        scored, ignored = self.scored, self.ignored
        tp = counted = 0
        for index, bits in matches.bits.items():
            if index in ignored:
                bits &= ~ignored[index]
            counted += bits.bit_count()
            if index in scored:
                tp += (bits & scored[index]).bit_count()
        return Counts(tp, counted - tp, self._n_scored - tp)

    def events(self, matches: Matches) -> dict[str, Matches]:
        """The events behind the counts, under "tp", "fp" and "fn"."""
        scored, found = Matches(self.scored), matches - Matches(self.ignored)
        return {"tp": found & scored, "fp": found - scored, "fn": scored - found}


def measure(answers: Sequence[tuple[Yardstick, str]], engine: Engine, weights: Mapping[str, float]) -> list[Score]:
    """Scores answers with one call of the engine per store: the one place where a reward comes from.

    Args:
        answers: each with what it is measured by.
        engine: runs the rules.
        weights: of the components.

    Raises:
        OptionError: an answer is no text.
        EngineError: the engine failed; no answer is scored.
    """
    for _, text in answers:
        if not isinstance(text, str):
            raise OptionError(f"an answer is a text, not {text!r:.100}")
    parsed = [parse_answer(text) for _, text in answers]
    results: list[Matches | Unsupported | None] = [None] * len(answers)
    for store in {id(yardstick.store): yardstick.store for yardstick, _ in answers}.values():
        batch = [i for i, (y, _) in enumerate(answers) if y.store is store and parsed[i].status == "ok"]
        rules = [rule for i in batch if (rule := parsed[i].rule) is not None]
        for i, result in zip(batch, run(engine, rules, store), strict=True):
            results[i] = result
    return [
        _score(yardstick, answer, result, weights, engine)
        for (yardstick, _), answer, result in zip(answers, parsed, results, strict=True)
    ]


def run(engine: Engine, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
    """What the rules match; whatever goes wrong in the engine is an EngineError.

    Raises:
        EngineError: the engine failed.
    """
    if not rules:
        return []
    try:
        results = engine.match(rules, store)
    except SigmaEnvError:
        raise
    except Exception as error:
        raise EngineError(f"the {engine.name} engine failed on {len(rules)} rules: {error!r}") from error
    if len(results) != len(rules):
        raise EngineError(f"the {engine.name} engine gave {len(results)} results for {len(rules)} rules")
    return results


def _score(
    yardstick: Yardstick,
    answer: Answer,
    result: Matches | Unsupported | None,
    weights: Mapping[str, float],
    engine: Engine,
) -> Score:
    status: Status = answer.status
    reason = answer.reason or ""
    matches = result if isinstance(result, Matches) else _NOTHING
    if isinstance(result, Unsupported):
        status, reason = "unsupported", result.reason
    logsource, rule = answer.logsource, answer.rule
    is_rule = status in ("ok", "unsupported")
    in_place = False
    if is_rule and logsource is not None:
        in_place = yardstick.check.correct(logsource, None if rule is None else rule.condition)
        if not in_place and not reason:
            reason = select(logsource).note or ""
    counts = yardstick.count(matches)
    components = {"yaml_valid": float(is_rule), "logsource_correct": float(in_place), "iou": counts.iou}
    if not yardstick.detectable:  # then no rule can be right, and to abstain is all that is asked for
        components = dict.fromkeys(components, float(status == "abstained"))
    reward = weighted(components, weights)
    detail = _Detail(yardstick, answer, matches, weights, engine)
    return Score(yardstick.task_id, reward, components, status, reason, *counts, detail)


class _Detail:
    """What is needed to tell how an answer got its score."""

    __slots__ = ("_answer", "_engine", "_matches", "_weights", "_yardstick")

    def __init__(
        self, yardstick: Yardstick, answer: Answer, matches: Matches, weights: Mapping[str, float], engine: Engine
    ) -> None:
        self._yardstick, self._answer, self._matches = yardstick, answer, matches
        self._weights, self._engine = weights, engine

    def examples(self) -> Examples:
        store = self._yardstick.store
        events = self._yardstick.events(self._matches)
        return {kind: tuple(_first_refs(store, matches)) for kind, matches in events.items()}

    def explain(self, score: Score) -> str:
        from sigma_env.scoring.explain import explain

        return explain(score, self._yardstick, self._answer, self._matches, self._weights, self._engine)


def _first_refs(store: EventStore, matches: Matches) -> Iterator[EventRef]:
    yield from store.refs(matches.rows(store)[:_EXAMPLES].tolist())


_NOTHING: Final = Matches({})
