"""Datasets of SigmaHQ's rules for Windows: on public logs, on simulated ones, and what is made of these."""

from collections.abc import Sequence
from typing import Final

from sigma_env.errors import DatasetNotBuilt
from sigma_env.tasks.abstain import build_abstain
from sigma_env.tasks.assemble import BuildProgress, Candidate
from sigma_env.tasks.build import build_dataset, candidates_of
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.derive import with_few_for_training
from sigma_env.tasks.fresh import fresh_candidates
from sigma_env.tasks.manifest import LogsFrom, Manifest, SourceUsed
from sigma_env.tasks.names import SIGMAHQ, SIGMAHQ_100, SIGMAHQ_ABSTAIN, SIGMAHQ_FRESH, SIGMAHQ_REAL
from sigma_env.tasks.simulated import build_simulated

SIGMA_SOURCE: Final = "sigma"
RULE_FOLDERS: Final = ("rules", "rules-emerging-threats", "rules-threat-hunting")
PUBLIC_LOGS: Final = (
    LogsFrom(kind="source", source="EVTX-ATTACK-SAMPLES", prefix="EVTX-ATTACK-SAMPLES"),
    LogsFrom(kind="source", source="hayabusa-sample-evtx", prefix="hayabusa-sample-evtx"),
    LogsFrom(kind="source", source=SIGMA_SOURCE, path="regression_data", prefix="sigma/regression_data"),
)
TRAINING_TASKS: Final = 100
"""Of sigmahq-100, as published."""


def build_sigmahq_real(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq-real`: every SigmaHQ rule for Windows that fires on the public logs.

    The sources must have been fetched; with `SIGMA_ENV_MIRROR` set, those that are missing are taken from there.

    Args:
        seed: of the splits.
        progress: is told how far it is.

    Raises:
        SourceError: a source is missing; the message names the command.
    """
    names = list(dict.fromkeys([SIGMA_SOURCE, *(logs.source for logs in PUBLIC_LOGS)]))
    used = sources_used(names)
    return build_dataset(SIGMAHQ_REAL, sigmahq_candidates(), PUBLIC_LOGS, sources=used, seed=seed, progress=progress)


def build_sigmahq(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq`: every SigmaHQ rule for Windows that can be satisfied, with simulated logs and requests.

    Args:
        seed: of events, words and splits.
        progress: is told how far it is.

    Raises:
        SourceError: the rules have not been fetched; the message names the command.
    """
    used = sources_used([SIGMA_SOURCE])
    return build_simulated(SIGMAHQ, sigmahq_candidates(), sources=used, seed=seed, progress=progress)


def build_sigmahq_100(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq-100`: the tasks of `sigmahq`, of which 100 are for training. Builds `sigmahq` if it is missing.

    Args:
        seed: chooses the 100.
        progress: is told how far it is.

    Raises:
        SourceError: see `build_sigmahq`.
    """
    return with_few_for_training(SIGMAHQ_100, _sigmahq(progress), TRAINING_TASKS, seed)


def build_sigmahq_abstain(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq-abstain`: tasks of `sigmahq`, and beside every four one that is not detectable.

    Args:
        seed: of `sigmahq`, if that is missing.
        progress: is told how far it is.

    Raises:
        SourceError: see `build_sigmahq`.
    """
    return build_abstain(SIGMAHQ_ABSTAIN, _sigmahq(progress, seed))


def build_sigmahq_fresh(seed: int = 0, progress: BuildProgress | None = None) -> Manifest:
    """Builds `sigmahq-fresh`: the test split of `sigmahq` about files, keys and programs that no public rule names.

    Args:
        seed: of the new names, and of `sigmahq` if that is missing.
        progress: is told how far it is.

    Raises:
        SourceError: see `build_sigmahq`.
    """
    held_out = {task.source for task in _sigmahq(progress, seed).of_split("test")}
    every = sigmahq_candidates()
    chosen = [candidate for candidate in every if candidate.source in held_out]
    fresh, left_out = fresh_candidates(chosen, known=[one.text for one in every], seed=seed, progress=progress)
    return build_simulated(
        SIGMAHQ_FRESH,
        fresh,
        sources=sources_used([SIGMA_SOURCE]),
        only="test",
        left_out=left_out,
        seed=seed,
        progress=progress,
    )


def _sigmahq(progress: BuildProgress | None, seed: int = 0) -> Dataset:
    try:
        return load_dataset(SIGMAHQ)
    except DatasetNotBuilt:
        build_sigmahq(seed, progress)
        return load_dataset(SIGMAHQ)


def sources_used(names: Sequence[str]) -> list[SourceUsed]:
    """What a manifest says of public sources; those that are missing are taken from the mirror, if there is one.

    Raises:
        SourceError: a source is missing; the message names the command.
    """
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.corpora.sources import ensure_sources, source_manifest

    ensure_sources(names)
    used = []
    for name in names:
        source = catalogue().find(name)
        fetched = source_manifest(source)
        absent = fetched.absent if fetched is not None else ()
        used.append(SourceUsed(name=name, commit=source.commit, licence=source.licence, absent=absent))
    return used


def sigmahq_candidates() -> list[Candidate]:
    """SigmaHQ's rules for Windows.

    Raises:
        SourceError: they have not been fetched; the message names the command.
    """
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.corpora.sources import ensure_sources

    root = ensure_sources([SIGMA_SOURCE])[SIGMA_SOURCE]
    licence = catalogue().find(SIGMA_SOURCE).licence
    return [
        candidate
        for folder in RULE_FOLDERS
        for candidate in candidates_of(root / folder, root, SIGMA_SOURCE, licence)
        if _says_windows(candidate)
    ]


def _says_windows(candidate: Candidate) -> bool:
    """Whether a rule's logsource says Windows, also if the rule cannot be run."""
    if candidate.loaded.rule is not None:
        return candidate.loaded.rule.logsource.product == "windows"
    return "product: windows" in candidate.text
