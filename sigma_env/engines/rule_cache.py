"""Parsed rules, kept by content: a set of files that was read before costs a tenth of parsing it."""

import gc
import hashlib
import io
import logging
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sigma_env.corpora.cache import rules_dir
from sigma_env.sigma import chainsaw_tree, switches
from sigma_env.sigma import rule as rule_types
from sigma_env.sigma.chainsaw_files import parse_switched_file
from sigma_env.sigma.files import LoadedRule, rule_files
from sigma_env.sigma.switches import SIGMA, Switch, name_of

_log = logging.getLogger(__name__)
_SETS_KEPT = 16
_PREFIX = "rules-"
_TYPES = {module.__name__: module for module in (rule_types, chainsaw_tree, switches)}


def load_rules(paths: Iterable[Path], on: frozenset[Switch] = SIGMA) -> list[LoadedRule]:
    """Loads every rule of files and folders as `sigma_env.sigma.files.load_rules` does, from the cache if it can.

    A cached rule has no `document`: nothing in process needs what the tree says.

    Args:
        paths: rule files and folders.
        on: the meaning that the rules are loaded for.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    files = list(rule_files(paths))
    kept_at = _place(files, on)
    with no_collection():
        loaded = None if kept_at is None else _read(kept_at, files)
        if loaded is None:
            loaded = [_without_documents(parse_switched_file(file, on)) for file in files]
            if kept_at is not None:
                _keep(kept_at, loaded)
    return [rule for of_file in loaded for rule in of_file]


@contextmanager
def no_collection() -> Iterator[None]:
    """Holds the garbage collector while many small objects are made that all stay: it takes ten times their making."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _place(files: Sequence[Path], on: frozenset[Switch]) -> Path | None:
    """Where the parsed rules of these contents are kept; None if a file or the cache cannot be used."""
    digest = hashlib.blake2b(_language() + name_of(on).encode(), digest_size=16)
    try:
        for file in files:
            with open(file, "rb") as stream:  # noqa: PTH123 - thousands of files
                content = stream.read()
            digest.update(f"{file.name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            digest.update(content)
        return rules_dir() / f"{_PREFIX}{digest.hexdigest()}.pickle"
    except OSError as error:
        _log.info("parsed rules are not kept: %s", error)
        return None


@lru_cache(maxsize=1)
def _language() -> bytes:
    """Hash of the code that parses: whatever changes there makes every kept rule stale."""
    folder = Path(rule_types.__file__).parent
    digest = hashlib.blake2b()
    for file in sorted(folder.glob("*.*")):
        if file.suffix in (".py", ".yaml"):
            digest.update(file.read_bytes())
    return digest.digest()


class _Unpickler(pickle.Unpickler):
    """Makes nothing but rules, whatever the file asks for."""

    def find_class(self, module: str, name: str) -> Any:
        types = _TYPES.get(module)
        if types is not None and not name.startswith("_"):
            return getattr(types, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a rule")


def _read(kept_at: Path, files: Sequence[Path]) -> list[list[LoadedRule]] | None:
    try:
        kept = _Unpickler(io.BytesIO(kept_at.read_bytes())).load()
        return [[LoadedRule(file, *rest) for rest in of_file] for file, of_file in zip(files, kept, strict=True)]
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged file may raise anything
        _log.warning("%s is damaged (%s); the rules are parsed again", kept_at, error)
        return None


def _keep(kept_at: Path, loaded: Sequence[Sequence[LoadedRule]]) -> None:
    temporary = kept_at.with_suffix(f".{os.getpid()}.tmp")
    try:
        temporary.write_bytes(pickle.dumps([[tuple(rule)[1:] for rule in of_file] for of_file in loaded], protocol=5))
        temporary.replace(kept_at)
        kept = sorted(kept_at.parent.glob(f"{_PREFIX}*.pickle"), key=lambda p: p.stat().st_mtime)
        for old in kept[:-_SETS_KEPT]:
            old.unlink()
    except OSError as error:
        _log.info("parsed rules are not kept: %s", error)
        with suppress(OSError):
            temporary.unlink()


def _without_documents(loaded: Sequence[LoadedRule]) -> list[LoadedRule]:
    return [one if one.rule is None else one._replace(rule=one.rule._replace(document={})) for one in loaded]
