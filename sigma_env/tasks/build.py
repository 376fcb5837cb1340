"""Datasets built from rules and logs, such as a user's own."""

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
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.yaml import iterate_documents
from sigma_env.tasks.assemble import Assembly, BuildProgress, Candidate, assemble
from sigma_env.tasks.folder import write_dataset
from sigma_env.tasks.manifest import Clusters, LogsFrom, Manifest, SourceUsed, StoreUsed
from sigma_env.tasks.names import check_private_name
from sigma_env.tasks.requests import request_of
from sigma_env.tasks.truth_table import EngineKey

_LICENCE: Final = re.compile(r"^license:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


def build_private(
    name: str,
    rules: Sequence[Path],
    logs: Sequence[Path],
    *,
    seed: int = 0,
    progress: BuildProgress | None = None,
) -> Manifest:
    """Builds a dataset of a user's own rules on their own logs. Nothing leaves the machine.

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
    candidates = private_candidates(name, rules)
    for path in logs:
        if not path.exists():
            raise DatasetError(f"{path} does not exist")
    places = [LogsFrom(kind="path", path=str(path.resolve())) for path in logs]
    return build_dataset(name, candidates, places, seed=seed, progress=progress)


def private_candidates(name: str, rules: Sequence[Path]) -> list[Candidate]:
    """A user's rules.

    Args:
        name: of their dataset.
        rules: rule files, and folders that are searched for them.

    Raises:
        DatasetError: a path does not exist, or there is no rule file under any.
    """
    for path in rules:
        if not path.exists():
            raise DatasetError(f"{path} does not exist")
    candidates = [c for path in rules for c in candidates_of(path, path if path.is_dir() else path.parent, name)]
    if not candidates:
        raise DatasetError(
            f"there is no rule file (.yml, .yaml) under {', '.join(map(str, rules)) or 'no path at all'}"
        )
    return candidates


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


def candidates_of(path: Path, root: Path, origin: str, licence: str = "") -> Iterator[Candidate]:
    """The rules of a file or folder, in order, each with a request made of its own title and description.

    Args:
        path: file or folder.
        root: what the rules' names are relative to.
        origin: stands before their names.
        licence: of rules that say nothing of theirs.
    """
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
