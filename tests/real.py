"""The real corpora for tests: fetched once per session from the mirror, and their events as one store."""

from pathlib import Path
from typing import NamedTuple

import pytest

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.rule_cache import load_rules
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import LoadedRule


class Real(NamedTuple):
    """The public sources, SigmaHQ's Windows rules, and the events of all logs."""

    cache: Path
    sigma: Path
    logs: list[Path]
    rules: list[LoadedRule]
    store: EventStore


@pytest.fixture(scope="session")
def real(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    cache = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(cache))
        sources = ensure_sources(mirror=mirror)
        logs = [sources["EVTX-ATTACK-SAMPLES"], sources["hayabusa-sample-evtx"], sources["sigma"]]
        rules = [one for one in load_rules([sources["sigma"]]) if is_for_windows(one)]
        store = build([LogRoot(path) for path in logs])
    return Real(cache, sources["sigma"], logs, rules, store)


def is_for_windows(loaded: LoadedRule) -> bool:
    """Whether the file says `product: windows`, also where the rule cannot be run."""
    if loaded.rule is not None:
        return loaded.rule.logsource.product == "windows"
    return "product: windows" in loaded.path.read_text(encoding="utf-8")
