"""Datasets whose events and requests are simulated: of every rule that can be satisfied, a task that decides."""

import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.corpora.cache import locks_dir, simulated_dir
from sigma_env.engines.base import Matches
from sigma_env.events.build import build as build_store
from sigma_env.events.ref import EventRef
from sigma_env.events.store import EventStore
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.taxonomy import select
from sigma_env.simulation.draft import Draft
from sigma_env.simulation.labels import Labeller, rows_of, write_labels
from sigma_env.simulation.plan import Scenario
from sigma_env.simulation.produce import Produced, Wish, produce_all
from sigma_env.simulation.requests import PERSONAS
from sigma_env.simulation.world import Company, Written, background, write_logs
from sigma_env.tasks.assemble import BuildProgress, Candidate, LeftOut, assemble
from sigma_env.tasks.build import finish
from sigma_env.tasks.folder import write_cost
from sigma_env.tasks.manifest import LogsFrom, Manifest, SourceUsed
from sigma_env.tasks.task import Split

BACKGROUND_PER_RULE: Final = 4
"""Events of the quiet enterprise for each rule; the other rules' events are background too."""
LEAST_BACKGROUND: Final = 2_000

_LOGS: Final = "logs"
_REAL: Final = "real"
"""Stands before the names of log files that were not simulated."""


class _Simulated(NamedTuple):
    """A candidate with what was made of its rule."""

    candidate: Candidate
    rule: Rule
    persona: str
    produced: Produced


def build_simulated(
    name: str,
    candidates: Sequence[Candidate],
    *,
    logs: Sequence[Path] = (),
    scenario: Scenario = "default",
    sources: Sequence[SourceUsed] = (),
    inputs: str = "",
    only: Split | None = None,
    left_out: Sequence[LeftOut] = (),
    seed: int = 0,
    progress: BuildProgress | None = None,
) -> Manifest:
    """Simulates logs and requests for rules and writes the tasks as a dataset, in the place of one of the same name.

    Args:
        name: of the dataset.
        candidates: rules; their own requests are not used.
        logs: real logs beside the simulated ones; what the rules match there counts too.
        scenario: what is special about the requests.
        sources: public sources that the rules come from.
        inputs: hash of what the dataset is made from, if that is quick to compute again.
        only: the split of all tasks; None: near tasks share one of the three.
        left_out: rules that were left out before.
        seed: of events, words and splits.
        progress: is told how far it is.

    Raises:
        DatasetError: no rule became a task.
        SimulationError: the simulator is at fault.
    """
    began = time.perf_counter()
    company = Company.default(seed)
    simulated, impossible = _simulate(candidates, company, scenario, seed, progress)
    drafts = [draft for one in simulated for draft in one.produced.drafts]
    quiet = background(company, seed, max(LEAST_BACKGROUND, BACKGROUND_PER_RULE * len(simulated)))
    everything = [*drafts, *quiet]
    written = _write(name, everything, company, seed, progress)
    places = [LogsFrom(kind="simulated", path=f"{name}/{_LOGS}")]
    places += [LogsFrom(kind="path", path=str(path.resolve()), prefix=_REAL) for path in logs]
    store = build_store([place.root() for place in places], partial(_reading, progress))
    _label([one.rule for one in simulated], everything, written, store, simulated_dir() / name, progress)
    ready = _candidates(simulated, drafts, written, store)
    assembly = assemble(ready, store, seed, progress, only=only)
    assembly = assembly._replace(left_out=(*left_out, *impossible, *assembly.left_out))
    read = len(candidates) + len(left_out)
    manifest = finish(name, assembly, store, places, read, sources=sources, inputs=inputs, seed=seed)
    write_cost(name, time.perf_counter() - began)
    return manifest


def _reading(progress: BuildProgress | None, file: str, done: int, total: int) -> None:  # noqa: ARG001
    if progress is not None:
        progress("reading logs", done, total)


def _simulate(
    candidates: Sequence[Candidate],
    company: Company,
    scenario: Scenario,
    seed: int,
    progress: BuildProgress | None,
) -> tuple[list[_Simulated], list[LeftOut]]:
    """Makes events and requests; rules of which nothing can be made go to the second list."""
    left_out: list[LeftOut] = []
    able: list[tuple[Candidate, Rule]] = []
    ids: set[str] = set()
    for candidate in candidates:
        rule = candidate.loaded.rule
        if rule is None:
            left_out.append(LeftOut(candidate.source, str(candidate.loaded.status), str(candidate.loaded.reason)))
        elif not (selected := select(rule.logsource)).targets:
            note = selected.note or "the logsource selects no Windows event"
            left_out.append(LeftOut(candidate.source, "no_event_source", note))
        else:
            able.append((candidate, _with_id(rule, candidate.source, ids)))
            ids.add(able[-1][1].meta.id)
    wishes = [Wish(rule, _persona(number), scenario) for number, (_, rule) in enumerate(able)]

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress("simulating events", done, total)

    simulated: list[_Simulated] = []
    produced = produce_all(wishes, company, seed, progress=tell)
    for (candidate, rule), wish, made in zip(able, wishes, produced, strict=True):
        if made.fault:
            left_out.append(LeftOut(candidate.source, "no_request", made.fault))
        elif not any(draft.role == "positive" for draft in made.drafts):
            way = made.unsatisfiable[0]
            left_out.append(LeftOut(candidate.source, f"unsatisfiable: {way.reason}", way.detail))
        else:
            simulated.append(_Simulated(candidate, rule, str(wish.persona), made))
    return simulated, left_out


def _with_id(rule: Rule, source: str, taken: set[str]) -> Rule:
    """The rule with an id of its own: a user's rules may lack one, or share one."""
    if rule.meta.id and rule.meta.id not in taken:
        return rule
    return rule._replace(meta=rule.meta._replace(id=source))


def _persona(number: int) -> str:
    """Who asks for the rule of a number: all personas in turn."""
    return PERSONAS[number % len(PERSONAS)]


def _write(
    name: str, drafts: Sequence[Draft], company: Company, seed: int, progress: BuildProgress | None
) -> list[Written]:
    """Writes the logs in the place of those of the same name, whole."""
    from filelock import FileLock

    def tell(host: str, done: int, total: int) -> None:  # noqa: ARG001 - the bar has no room for the host's name
        if progress is not None:
            progress("writing logs", done, total)

    target = simulated_dir() / name
    new = target.with_name(f".{name}.new")
    with FileLock(locks_dir() / f"simulated-{name}.lock"):
        shutil.rmtree(new, ignore_errors=True)
        written = write_logs(drafts, company, new / _LOGS, seed, progress=tell)
        shutil.rmtree(target, ignore_errors=True)
        new.replace(target)
    return written


def _label(
    rules: Sequence[Rule],
    drafts: Sequence[Draft],
    written: Sequence[Written],
    store: EventStore,
    folder: Path,
    progress: BuildProgress | None,
) -> None:
    """Writes what each event is for, as the engine sees it; an event that misses its aim is an error."""

    def tell(rule_id: str, done: int, total: int) -> None:  # noqa: ARG001 - ids say nothing to people
        if progress is not None:
            progress("labelling events", done, total)

    write_labels(Labeller(store, drafts, written).label(rules, progress=tell), folder)


def _candidates(
    simulated: Sequence[_Simulated], drafts: Sequence[Draft], written: Sequence[Written], store: EventStore
) -> list[Candidate]:
    """The candidates with what was made of them, now that their events have rows."""
    # Of starts that a host logs twice, the first record is the case; the second shows less.
    pairs = zip(written, rows_of(store, written).tolist(), strict=True)
    rows = {entry.draft: row for entry, row in pairs if not entry.twin}
    is_real = [file.name.startswith(f"{_REAL}/") for file in store.files]
    real = Matches.from_rows(
        store, [row for index, yes in enumerate(is_real) if yes for row in store.rows_of_file(index).tolist()]
    )
    ready: list[Candidate] = []
    begin = 0
    for one in simulated:
        of_rule = range(begin, begin + len(one.produced.drafts))
        begin = of_rule.stop
        positives = [at for at in of_rule if drafts[at].role == "positive"]
        own = real | Matches.from_rows(store, [rows[at] for at in positives if not drafts[at].visible])
        visible = tuple(store.refs([rows[at] for at in positives if drafts[at].visible]))
        ready.append(_candidate(one, own, visible))
    return ready


def _candidate(one: _Simulated, own: Matches, visible: tuple[EventRef, ...]) -> Candidate:
    made, request = one.produced, one.produced.request
    assert request is not None  # somebody asks for every rule of a dataset
    return one.candidate._replace(
        request=request.text,
        persona=one.persona,
        scenario=request.scenario,
        coverage=round(made.coverage, 3),
        disclosed="" if made.cut is None else to_yaml(made.cut),
        own=own,
        visible=visible,
    )
