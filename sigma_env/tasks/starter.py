"""The embedded datasets: rules of our own; their events and requests are simulated when they are first asked for.

That takes some seconds and nothing but this package; the same version makes the same dataset on every machine.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

from sigma_env.corpora.cache import CACHE_VARIABLE, locks_dir
from sigma_env.errors import DatasetError
from sigma_env.sigma.files import parse_rule_file, rule_files
from sigma_env.tasks.assemble import Candidate
from sigma_env.tasks.code import PACKAGE, code_hash, hash_of
from sigma_env.tasks.folder import read_manifest
from sigma_env.tasks.names import STARTER, STARTER_ABSTAIN

DATA: Final = PACKAGE / "_data"
RULES: Final[Path] = DATA / "starter" / "rules"
LICENCE: Final = "Apache-2.0"


def ensure_embedded(name: str) -> None:
    """Builds one of the embedded datasets in the cache unless it is there, made from what this package holds.

    Args:
        name: one of `names.EMBEDDED`.

    Raises:
        DatasetError: the package's data are damaged, or the cache cannot be written.
    """
    from filelock import FileLock

    inputs = _inputs()
    try:
        if _is_built(name, inputs):
            return
        with FileLock(locks_dir() / f"{name}.lock"):
            if not _is_built(name, inputs):  # another process may have been first
                _build(name, inputs)
    except OSError as error:
        raise DatasetError(
            f"the {name} dataset cannot be kept: {error}; set {CACHE_VARIABLE} to a folder that can be written"
        ) from error


def _build(name: str, inputs: str) -> None:
    if name == STARTER:
        from sigma_env.tasks.simulated import build_simulated

        build_simulated(STARTER, starter_candidates(), inputs=inputs)
    else:
        from sigma_env.tasks.abstain import build_abstain
        from sigma_env.tasks.dataset import load_dataset

        build_abstain(STARTER_ABSTAIN, load_dataset(STARTER), inputs=inputs)


def starter_candidates() -> list[Candidate]:
    """The rules that were written for this project."""
    candidates = []
    for path in rule_files([RULES]):
        [loaded] = parse_rule_file(path)
        text = path.read_text(encoding="utf-8")
        candidates.append(Candidate(f"{STARTER}:{path.stem}", loaded, text, licence=LICENCE))
    return candidates


def _is_built(name: str, inputs: str) -> bool:
    try:
        return read_manifest(name).inputs == inputs
    except DatasetError:
        return False


@lru_cache(maxsize=1)
def _inputs() -> str:
    """Hash of the package's data and of the code that makes tasks of them, so that an upgrade builds anew."""
    return f"{code_hash()}-{hash_of([file for file in DATA.rglob('*') if file.is_file()])}"
