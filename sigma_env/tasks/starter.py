"""The starter dataset: it comes with the package and is put together when it is first asked for, within a second."""

from sigma_env.corpora.cache import CACHE_VARIABLE, locks_dir
from sigma_env.errors import DatasetError
from sigma_env.sigma.files import parse_rule_text
from sigma_env.simulation.starter.files import DATA, LOGS
from sigma_env.tasks.assemble import Candidate
from sigma_env.tasks.code import code_hash, hash_of
from sigma_env.tasks.folder import read_manifest
from sigma_env.tasks.manifest import LogsFrom
from sigma_env.tasks.names import STARTER


def ensure_starter() -> None:
    """Builds the starter dataset in the cache unless it is there, made from what this package holds.

    Raises:
        DatasetError: the package's data are damaged, or the cache cannot be written.
    """
    from filelock import FileLock

    inputs = _inputs()
    try:
        if _is_built(inputs):
            return
        with FileLock(locks_dir() / "starter.lock"):
            if not _is_built(inputs):  # another process may have been first
                _build(inputs)
    except OSError as error:
        raise DatasetError(
            f"the starter dataset cannot be kept: {error}; set {CACHE_VARIABLE} to a folder that can be written"
        ) from error


def _build(inputs: str) -> None:
    from sigma_env.tasks.build import build_dataset

    build_dataset(STARTER, starter_candidates(), [LogsFrom(kind="starter", path=LOGS)], inputs=inputs)


def starter_candidates() -> list[Candidate]:
    """The starter's rules with the requests that were written for them."""
    from sigma_env.simulation.starter.scenario import load_rules

    candidates = []
    for rule in load_rules():
        [loaded] = parse_rule_text(rule.text, rule.path)
        candidates.append(
            Candidate(
                source=f"{STARTER}:{rule.name}",
                loaded=loaded,
                text=rule.text,
                request=rule.request,
                persona=rule.persona,
                licence="Apache-2.0",
                coverage=1.0,  # a request of ours says all that its rule tests, some of it in other words
            )
        )
    return candidates


def _is_built(inputs: str) -> bool:
    try:
        return read_manifest(STARTER).inputs == inputs
    except DatasetError:
        return False


def _inputs() -> str:
    """Hash of the starter's data and of the code that makes tasks of them, so that an upgrade builds anew."""
    return f"{code_hash()}-{hash_of([file for file in DATA.rglob('*') if file.is_file()])}"
