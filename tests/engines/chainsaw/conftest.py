"""The engine on a program of the tests, and the rules and logs of the mirror that were recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.files import load_rules
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import DATA, KINDS, Maker, maker


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a folder for temporary files of the test's own."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)


@pytest.fixture(params=KINDS)
def chainsaw(request: pytest.FixtureRequest) -> Maker:
    """Makes the engine on the replaying program and, where there is one, on the real one."""
    return maker(request.param)


@pytest.fixture(scope="session")
def sources(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of SigmaHQ and of EVTX-ATTACK-SAMPLES."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("sources")))
        return ensure_sources(["sigma", "EVTX-ATTACK-SAMPLES"], mirror)


@pytest.fixture(scope="session")
def sixty_four(
    sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[EventStore, dict[str, Rule], set[str]]:
    """The events, the rules by id, and the ids of those that Chainsaw did not load."""
    listed = json.loads((DATA / "sigma64.json").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        loaded = load_rules([sources["sigma"] / path for path in listed["rules"].values()])
        store = build([LogRoot(sources["EVTX-ATTACK-SAMPLES"])])
    rules = {one.meta.id: one.rule for one in loaded if one.rule is not None}
    assert len(rules) == 64
    return store, rules, set(listed["not_loaded"])
