"""Rules, requests and a store → tasks with their truth and split; the same for every dataset."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.events.ref import EventRef
from sigma_env.events.store import EventStore
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.files import LoadedRule, parse_rule_text
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.taxonomy import select
from sigma_env.sigma.tree import field_tests
from sigma_env.tasks.difficulty import difficulty
from sigma_env.tasks.requests import coverage, telling_pairs
from sigma_env.tasks.split import Profile, assign, clusters, word_pairs
from sigma_env.tasks.task import Split, Task
from sigma_env.tasks.truth import IgnoredEvents, Truth
from sigma_env.tasks.truth_table import EngineKey, TruthTable, why_left_out

BuildProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_CHECKED_EVERY: Final = 16


class Candidate(NamedTuple):
    """A rule that may become a task.

    Attributes:
        source: where it comes from, as the task will say.
        loaded: the rule, or why it is none.
        text: its YAML, one document.
        request: the analyst's words; "" if there are none, or none yet.
        persona: who asks.
        licence: of the rule.
        coverage: what the request discloses, as its author knows; None: measure it.
        scenario: what is special about the request.
        disclosed: YAML of the disclosed part of the rule; "" if that is all of it.
        own: the events that were made for the task, of which the true ones count; None if all true ones do.
        visible: events that the request shows.
        split: where its task belongs, if that is known from how the rule was made; None: follows from its cluster.
    """

    source: str
    loaded: LoadedRule
    text: str
    request: str = ""
    persona: str = "rule_text"
    licence: str = ""
    coverage: float | None = None
    scenario: str = "default"
    disclosed: str = ""
    own: Matches | None = None
    visible: tuple[EventRef, ...] = ()
    split: Split | None = None


class LeftOut(NamedTuple):
    """A rule that became no task: the reason for the count, and what a person would want to know."""

    source: str
    reason: str
    detail: str


class Assembly(NamedTuple):
    """What became of the candidates; the tasks are sorted by id. `own` holds by task id what `Candidate.own` says."""

    tasks: tuple[Task, ...]
    table: TruthTable
    left_out: tuple[LeftOut, ...]
    clusters: tuple[int, ...]
    own: Mapping[str, Matches]


class _Scored(NamedTuple):
    candidate: Candidate
    rule: Rule
    truth: Truth


def assemble(
    candidates: Sequence[Candidate],
    store: EventStore,
    seed: int,
    progress: BuildProgress | None = None,
    *,
    only: Split | None = None,
) -> Assembly:
    """Makes a task of every candidate that can be scored.

    Args:
        candidates: rules with requests.
        store: the events.
        seed: of the splits.
        progress: is told how far it is.
        only: the split of all tasks; None: near tasks share one of the three.

    Raises:
        EngineError: the engine failed.
    """
    engine = NativeEngine()
    ignored = IgnoredEvents(store)
    runnable, left_out = _runnable(candidates)
    scored = _score(runnable, store, engine, ignored, left_out, progress)
    profiles = [profile(one.candidate.text, one.candidate.request, one.rule, one.truth, store) for one in scored]
    sides = assign(profiles, seed) if only is None else [only] * len(profiles)
    truths: dict[str, Truth] = {}
    own: dict[str, Matches] = {}
    tasks: list[Task] = []
    for number, (one, side) in enumerate(zip(scored, sides, strict=True)):
        _tell(progress, "rating tasks", number, len(scored))
        task = _task(one, difficulty(one.rule, one.truth, store, engine), one.candidate.split or side)
        truths[task.id] = one.truth
        if one.candidate.own is not None:
            own[task.id] = one.candidate.own
        tasks.append(task)
    _tell(progress, "rating tasks", len(scored), len(scored))
    tasks.sort(key=lambda task: task.id)
    table = TruthTable.of(EngineKey.of(engine), ignored, truths, {})
    sizes = sorted((len(group) for group in clusters(profiles)), reverse=True)
    return Assembly(tuple(tasks), table, tuple(left_out), tuple(sizes), own)


def _runnable(candidates: Sequence[Candidate]) -> tuple[list[tuple[Candidate, Rule]], list[LeftOut]]:
    """The candidates that can be asked for and run, and the others."""
    good: list[tuple[Candidate, Rule]] = []
    left_out: list[LeftOut] = []
    for candidate in candidates:
        source, loaded = candidate.source, candidate.loaded
        rule = loaded.rule
        if rule is None:
            left_out.append(LeftOut(source, str(loaded.status), str(loaded.reason)))
        elif not (selected := select(rule.logsource)).targets:
            note = selected.note or "the logsource selects no Windows event"
            left_out.append(LeftOut(source, "no_event_source", note))
        elif not candidate.request:
            left_out.append(LeftOut(source, "no_request", "it has neither title nor description to ask for it with"))
        else:
            good.append((candidate, rule))
    return good, left_out


def _score(
    runnable: Sequence[tuple[Candidate, Rule]],
    store: EventStore,
    engine: NativeEngine,
    ignored: IgnoredEvents,
    left_out: list[LeftOut],
    progress: BuildProgress | None,
) -> list[_Scored]:
    """Runs the rules; those that cannot be scored go to `left_out`."""
    scored: list[_Scored] = []
    seen: dict[tuple[str, str], str] = {}
    for number, (candidate, rule) in enumerate(runnable):
        _tell(progress, "running rules", number, len(runnable))
        [found] = engine.match([rule], store)
        truth = _truth(candidate, rule, found, ignored, engine) if isinstance(found, Matches) and found else None
        reason = why_left_out(found, truth)
        if truth is None or reason is not None:
            kind = "unsupported" if isinstance(found, Unsupported) else "nothing_scored" if found else "no_match"
            left_out.append(LeftOut(candidate.source, kind, str(reason)))
        elif (fault := _fault_of_answer(candidate, rule, seen)) is not None:
            left_out.append(fault)
        else:
            scored.append(_Scored(candidate, rule, truth))
    _tell(progress, "running rules", len(runnable), len(runnable))
    return scored


def _truth(candidate: Candidate, rule: Rule, found: Matches, ignored: IgnoredEvents, engine: NativeEngine) -> Truth:
    """The truth of the candidate's task."""
    disclosed = None
    if candidate.disclosed:
        [cut] = parse_rule_text(candidate.disclosed, Path(candidate.source))
        if cut.rule is None:
            raise DatasetError(f"{candidate.source}: its disclosed part is no rule: {cut.reason}")
        disclosed = engine.match_rule(cut.rule, ignored.store)
    return Truth(found, ignored.of(rule, found, candidate.visible, disclosed=disclosed, own=candidate.own))


def _fault_of_answer(candidate: Candidate, rule: Rule, seen: dict[tuple[str, str], str]) -> LeftOut | None:
    """Why the reference is no good as an answer: it costs too much for one, or another task asks for the same."""
    reference = to_yaml(rule.document)
    answer = parse_answer(fenced(reference))
    if answer.status != "ok":
        return LeftOut(candidate.source, "no_answer", f"no answer may be like this rule: {answer.reason}")
    first = seen.setdefault((reference, candidate.request), candidate.source)
    if first != candidate.source:
        return LeftOut(candidate.source, "duplicate", f"same detection and request as {first}")
    return None


def _task(one: _Scored, hardness: float, side: Split) -> Task:
    candidate, rule, _ = one
    parts = rule.logsource._asdict()
    return Task(
        request=candidate.request,
        persona=candidate.persona,
        scenario=candidate.scenario,
        reference=candidate.text,
        disclosed=candidate.disclosed,
        logsource={part: name for part, name in parts.items() if name is not None},
        split=side,
        source=candidate.source,
        author=rule.meta.author or "",
        licence=candidate.licence,
        coverage=coverage(candidate.request, rule) if candidate.coverage is None else candidate.coverage,
        difficulty=hardness,
        visible=candidate.visible,
        tags=rule.meta.tags,
    )


def profile(text: str, request: str, rule: Rule, truth: Truth, store: EventStore) -> Profile:
    """What makes a task like another.

    Args:
        text: the reference's YAML.
        request: the analyst's words.
        rule: the reference, with its title and description.
        truth: of the task.
        store: the events.
    """
    about = f"{rule.meta.title}\n{rule.meta.description or ''}"
    values = (value.written for test in field_tests(rule.condition) for value in test.values)
    return Profile(
        key=text,
        words=telling_pairs(request) | word_pairs(about),
        values=frozenset(str(value).lower() for value in values),
        events=frozenset(truth.scored.rows(store).tolist()),
    )


def _tell(progress: BuildProgress | None, doing: str, done: int, total: int) -> None:
    if progress is not None and (done % _CHECKED_EVERY == 0 or done == total):
        progress(doing, done, total)
