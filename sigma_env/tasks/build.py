"""Datasets built from rules and logs: SigmaHQ's on the public logs, and a user's own on theirs."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.events.build import build as build_store
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import parse_rule_file, rule_files
from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.yaml import iterate_documents
from sigma_env.tasks.assemble import Assembly, BuildProgress, Candidate, assemble
from sigma_env.tasks.folder import write_dataset
from sigma_env.tasks.manifest import Clusters, LogsFrom, Manifest, SourceUsed, StoreUsed
from sigma_env.tasks.names import SIGMAHQ_REAL, check_private_name
from sigma_env.tasks.requests import request_of
from sigma_env.tasks.rewrite import to_yaml
from sigma_env.tasks.truth_table import EngineKey

SIGMA_SOURCE: Final = "sigma"
RULE_FOLDERS: Final = ("rules", "rules-emerging-threats", "rules-threat-hunting")
PUBLIC_LOGS: Final = (
    LogsFrom(kind="source", source="EVTX-ATTACK-SAMPLES", prefix="EVTX-ATTACK-SAMPLES"),
    LogsFrom(kind="source", source="hayabusa-sample-evtx", prefix="hayabusa-sample-evtx"),
    LogsFrom(kind="source", source=SIGMA_SOURCE, path="regression_data", prefix="sigma/regression_data"),
)

_LICENCE: Final = re.compile(r"^license:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


def build_sigmahq_real(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq-real`: every SigmaHQ rule for Windows that fires on the public logs.

    The sources must have been fetched; with `SIGMA_ENV_MIRROR` set, those that are missing are taken from there.

    Args:
        seed: of the splits.
        progress: is told how far it is.

    Raises:
        SourceError: a source is missing; the message names the command.
    """
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.corpora.sources import ensure_sources, source_manifest

    names = list(dict.fromkeys([SIGMA_SOURCE, *(logs.source for logs in PUBLIC_LOGS)]))
    paths = ensure_sources(names)
    used = []
    for name in names:
        source = catalogue().find(name)
        fetched = source_manifest(source)
        absent = fetched.absent if fetched is not None else ()
        used.append(SourceUsed(name=name, commit=source.commit, licence=source.licence, absent=absent))
    root = paths[SIGMA_SOURCE]
    licence = catalogue().find(SIGMA_SOURCE).licence
    candidates = [
        candidate
        for folder in RULE_FOLDERS
        for candidate in _candidates(root / folder, root, SIGMA_SOURCE, licence)
        if _says_windows(candidate)
    ]
    return build_dataset(SIGMAHQ_REAL, candidates, PUBLIC_LOGS, sources=used, seed=seed, progress=progress)


def build_private(
    name: str,
    rules: Sequence[Path],
    logs: Sequence[Path],
    *,
    seed: int = 0,
    progress: BuildProgress | None = None,
) -> Manifest:
    """Builds a dataset of a user's own rules and logs. Nothing leaves the machine.

    Args:
        name: under which `load_dataset` and the environments will find it.
        rules: rule files, and folders that are searched for them.
        logs: EVTX files, and folders that are searched for them; files of JSON events.
        seed: of the splits.
        progress: is told how far it is.

    Raises:
        DatasetError: the name cannot be used, a path does not exist, or no rule became a task.
        StoreError: there are no logs under the paths.
    """
    check_private_name(name)
    for path in (*rules, *logs):
        if not path.exists():
            raise DatasetError(f"{path} does not exist")
    candidates = [c for path in rules for c in _candidates(path, path if path.is_dir() else path.parent, name, "")]
    if not candidates:
        raise DatasetError(
            f"there is no rule file (.yml, .yaml) under {', '.join(map(str, rules)) or 'no path at all'}"
        )
    places = [LogsFrom(kind="path", path=str(path.resolve())) for path in logs]
    return build_dataset(name, candidates, places, seed=seed, progress=progress)


def build_dataset(
    name: str,
    candidates: Sequence[Candidate],
    logs: Sequence[LogsFrom],
    *,
    sources: Sequence[SourceUsed] = (),
    inputs: str = "",
    seed: int = 0,
    progress: BuildProgress | None = None,
) -> Manifest:
    """Makes tasks of candidates and writes them as a dataset, in the place of one of the same name.

    Raises:
        DatasetError: no candidate became a task; nothing is written.
    """

    def reading(file: str, done: int, total: int) -> None:  # noqa: ARG001 - the bar has no room for the file's name
        if progress is not None:
            progress("reading logs", done, total)

    store = build_store([place.root() for place in logs], reading)
    assembly = assemble(candidates, store, seed, progress)
    return finish(name, assembly, store, logs, len(candidates), sources=sources, inputs=inputs, seed=seed)


def finish(
    name: str,
    assembly: Assembly,
    store: EventStore,
    logs: Sequence[LogsFrom],
    rules_read: int,
    *,
    sources: Sequence[SourceUsed] = (),
    inputs: str = "",
    seed: int = 0,
) -> Manifest:
    """Writes tasks as a dataset, in the place of one of the same name.

    Raises:
        DatasetError: there are no tasks; nothing is written.
    """
    reasons = Counter(left.reason for left in assembly.left_out)
    if not assembly.tasks:
        raise DatasetError(f"none of {rules_read} rules can be a task on these logs: {_most_common(assembly)}")
    manifest = Manifest(
        name=name,
        inputs=inputs,
        seed=seed,
        engine=EngineKey.of(NativeEngine()),
        sources=tuple(sources),
        logs=tuple(logs),
        store=StoreUsed(
            fingerprint=store.fingerprint,
            events=store.n_events,
            files=len(store.files),
            unreadable=len(store.unreadable),
        ),
        rules_read=rules_read,
        tasks=len(assembly.tasks),
        left_out=dict(sorted(reasons.items())),
        splits=dict(sorted(Counter(task.split for task in assembly.tasks).items())),
        clusters=Clusters(count=len(assembly.clusters), largest=max(assembly.clusters)),
    )
    write_dataset(manifest, assembly)
    return manifest


def _most_common(assembly: Assembly) -> str:
    """The reasons why rules became no tasks, each with one example."""
    counts = Counter(left.reason for left in assembly.left_out)
    examples = {left.reason: left for left in reversed(assembly.left_out)}
    return "; ".join(
        f"{count} × {reason} (such as {examples[reason].source}: {examples[reason].detail})"
        for reason, count in counts.most_common()
    )


def _candidates(path: Path, root: Path, origin: str, licence: str) -> Iterator[Candidate]:
    """The rules of a file or folder, in order; `root` is what their names are relative to."""
    for file in rule_files([path]):
        source = f"{origin}:{file.relative_to(root).as_posix()}"
        loaded_rules = parse_rule_file(file)
        if len(loaded_rules) == 1:
            readable = loaded_rules[0].rule is not None
            texts = [file.read_text(encoding="utf-8") if readable else file.read_text("utf-8", errors="replace")]
            names = [source]
        else:
            documents = iterate_documents(file.read_text(encoding="utf-8"), RULE_LIMITS)
            texts = [to_yaml(document) for document in documents if document is not None]
            names = [f"{source}#{number}" for number in range(1, len(texts) + 1)]
        for name, loaded, text in zip(names, loaded_rules, texts, strict=True):
            yield Candidate(name, loaded, text, request_of(loaded.meta), licence=_licence(text) or licence)


def _licence(text: str) -> str:
    """What a rule says of its licence."""
    found = _LICENCE.search(text)
    return found[1].strip("\"'") if found else ""


def _says_windows(candidate: Candidate) -> bool:
    """Whether a rule's logsource says Windows, also if the rule cannot be run."""
    if candidate.loaded.rule is not None:
        return candidate.loaded.rule.logsource.product == "windows"
    return "product: windows" in candidate.text
