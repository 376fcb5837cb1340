"""What ``sigma-env doctor`` looks at, one function per subject. No check uses the network.

None changes anything either, but that the embedded dataset is put together in the cache when it is first used.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sigma_env.errors import SigmaEnvError

State = Literal["ok", "missing", "broken"]

PROVIDER_KEYS = (
    "ANTHROPIC_API_KEY",
    "DEEPSEEK_API_KEY",
    "GOOGLE_API_KEY",
    "GROQ_API_KEY",
    "HF_TOKEN",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
)

_OLDEST_PYTHON = (3, 11)
_GPU_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is there or is not.

    Attributes:
        group: The heading it stands under.
        name: What it is.
        state: ``missing`` is no fault: nothing but what was asked for needs it. ``broken`` is there and does not work.
        found: What is there, or what its lack means.
        mend: The command, or the step, that gets it or repairs it; "" if there is nothing to do.
        required: Whether the embedded default needs it.
    """

    group: str
    name: str
    state: State
    found: str
    mend: str = ""
    required: bool = False


def all_findings() -> list[Finding]:
    """Runs every check. One that fails in a way of its own is a broken finding, so that the others are still told."""
    findings: list[Finding] = []
    for group, check, required in _CHECKS:
        try:
            findings.extend(check(group))
        except Exception as error:
            what = str(error) if isinstance(error, SigmaEnvError) else f"{type(error).__name__}: {error}"
            findings.append(Finding(group, check.__name__.strip("_"), "broken", what, required=required))
    return findings


def _python(group: str) -> Iterator[Finding]:
    fine = sys.version_info >= _OLDEST_PYTHON
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    yield Finding(
        group, "Python", "ok" if fine else "broken", found, "" if fine else f"use Python {oldest} or newer", True
    )


def _packages(group: str) -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, requires, version

    needed = [line for line in requires("sigmaforge") or () if "extra ==" not in line]
    names = ["sigmaforge", *(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in needed)]
    there, absent = [], []
    for name in names:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    yield Finding(group, "packages", "ok", ", ".join(there), required=True)
    if absent:
        yield Finding(group, "packages", "broken", f"not installed: {', '.join(absent)}", "make setup", True)


def _starter(group: str) -> Iterator[Finding]:
    from sigma_env.scoring.scorer import Scorer
    from sigma_env.tasks.dataset import load_dataset
    from sigma_env.tasks.names import STARTER
    from sigma_env.tasks.reference import reference_answer

    dataset = load_dataset(STARTER)
    scorer = Scorer(dataset)
    task = dataset.playable(scorer.engine)[0]
    score = scorer.score(task, reference_answer(task))
    found = f"{len(dataset.tasks)} tasks; a reference answer earns {score.reward:.1f} of {scorer.max_reward:.1f}"
    if score.reward == scorer.max_reward:
        yield Finding(group, STARTER, "ok", found, required=True)
    else:
        yield Finding(group, STARTER, "broken", found, f"sigma-env validate {STARTER}", True)


def _datasets(group: str) -> Iterator[Finding]:
    from sigma_env.corpora.cache import cache_root
    from sigma_env.errors import DatasetError, DatasetNotBuilt
    from sigma_env.tasks.folder import read_manifest
    from sigma_env.tasks.names import SIGMAHQ_REAL, STARTER, how_to_build

    folder = cache_root() / "datasets"
    built = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} if folder.is_dir() else set()
    for name in sorted((built | {SIGMAHQ_REAL}) - {STARTER}):
        command = f"sigma-env build {name}" if name == SIGMAHQ_REAL else how_to_build(name)
        try:
            manifest = read_manifest(name)
        except DatasetNotBuilt:
            yield Finding(group, name, "missing", "not built, or by another version", command)
        except DatasetError as error:
            yield Finding(group, name, "broken", str(error), command)
        else:
            yield Finding(group, name, "ok", f"{manifest.tasks:,} tasks on {manifest.store.events:,} events")


def _cache(group: str) -> Iterator[Finding]:
    from sigma_env.corpora.cache import CACHE_VARIABLE, cache_root

    root = cache_root()
    parts = sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    sizes = [(entry.name, _size(entry)) for entry in parts]
    held = ", ".join(f"{name} {_megabytes(size)}" for name, size in sizes if size) or "empty"
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    if os.access(existing, os.W_OK):
        yield Finding(group, "cache", "ok", f"{root}: {held}")
    else:
        yield Finding(
            group, "cache", "broken", f"{root}: cannot be written", f"export {CACHE_VARIABLE}=/a/folder/of/yours"
        )


def _mirror(group: str) -> Iterator[Finding]:
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.corpora.sources import MIRROR_VARIABLE

    value = os.environ.get(MIRROR_VARIABLE)
    if not value:
        yield Finding(group, "mirror", "ok", f"none: {MIRROR_VARIABLE} is not set, so sources are downloaded")
        return
    folder = Path(value).expanduser()
    lacking = [s.archive_name for s in catalogue().sources.values() if not (folder / s.archive_name).is_file()]
    if lacking:
        step = f"put the archives there, or: unset {MIRROR_VARIABLE}"
        yield Finding(group, "mirror", "broken", f"{folder} lacks {', '.join(lacking)}", step)
    else:
        yield Finding(group, "mirror", "ok", f"{folder}: every archive is there")


def _sources(group: str) -> Iterator[Finding]:
    from sigma_env.corpora.catalogue import catalogue
    from sigma_env.corpora.sources import source_manifest

    for source in catalogue().sources.values():
        manifest = source_manifest(source)
        if manifest is None:
            yield Finding(group, source.name, "missing", "not fetched", f"sigma-env fetch {source.name}")
        else:
            found = f"{manifest.files:,} files, {_megabytes(manifest.bytes)}, licence: {manifest.licence}"
            yield Finding(group, source.name, "ok", found)


def _stores(group: str) -> Iterator[Finding]:
    from sigma_env.corpora.cache import cache_root

    folder = cache_root() / "stores"
    stores = [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    if stores:
        yield Finding(group, "event stores", "ok", f"{len(stores)}, {_megabytes(_size(folder))}")
    else:
        yield Finding(
            group, "event stores", "missing", "none yet: logs are read when they are first used", "sigma-env index LOGS"
        )


def _chainsaw(group: str) -> Iterator[Finding]:
    from sigma_env.engines.chainsaw_binary import PROGRAM_VARIABLE, ChainsawMissing, find_chainsaw
    from sigma_env.engines.chainsaw_release import INSTALL_COMMAND, installed

    try:
        found = find_chainsaw()
    except ChainsawMissing as error:
        there = os.environ.get(PROGRAM_VARIABLE) or shutil.which("chainsaw") or installed()
        if there:
            yield Finding(group, "Chainsaw", "broken", str(error), INSTALL_COMMAND)
        else:
            what = "not here; only the engine 'chainsaw' and SigmaForge-Chainsaw-v0 need it"
            yield Finding(group, "Chainsaw", "missing", what, INSTALL_COMMAND)
        return
    untested = "" if found.tested else ", which is newer than the version that this package was made for"
    what = f"{found.program}, version {found.version_text}{untested}; mapping: {found.mapping}"
    yield Finding(group, "Chainsaw", "ok", what)


def _gpu(group: str) -> Iterator[Finding]:
    program = shutil.which("nvidia-smi")
    if program is None:
        yield Finding(group, "GPU", "missing", "no nvidia-smi; nothing in this version needs one")
        return
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(group, "GPU", "broken", f"nvidia-smi fails: {error}", "repair the NVIDIA driver")
        return
    for line in done.stdout.splitlines():
        yield Finding(group, "GPU", "ok", line.strip())


def _keys(group: str) -> Iterator[Finding]:
    """Says which keys are set, and shows nothing of their values."""
    here = [name for name in PROVIDER_KEYS if os.environ.get(name)]
    if here:
        yield Finding(group, "API keys", "ok", f"set: {', '.join(here)}; nothing in this version uses them")
    else:
        yield Finding(group, "API keys", "missing", "none set; nothing in this version needs one")


def _size(folder: Path) -> int:
    """Bytes of all files under a folder; files that vanish meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118
            except OSError:
                continue
    return total


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


_CHECKS: tuple[tuple[str, Callable[[str], Iterator[Finding]], bool], ...] = (
    ("Program", _python, True),
    ("Program", _packages, True),
    ("Datasets", _starter, True),
    ("Datasets", _datasets, False),
    ("Data", _cache, False),
    ("Data", _mirror, False),
    ("Data", _sources, False),
    ("Data", _stores, False),
    ("Optional", _chainsaw, False),
    ("Optional", _gpu, False),
    ("Optional", _keys, False),
)
