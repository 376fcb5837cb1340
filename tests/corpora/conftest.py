from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sigma_env.corpora import catalogue, sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.catalogue import FORGE_VARIABLE, Catalogue
from tests.corpora import packed, served


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own, and no mirror."""
    root = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(root))
    monkeypatch.delenv(sources.MIRROR_VARIABLE, raising=False)
    return root


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[served.Forge]:
    """A local server that downloads go to, past any proxy of the environment."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served.running() as server:
        monkeypatch.setenv(FORGE_VARIABLE, server.url)
        yield server


@pytest.fixture
def sample(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the small source the only one of the catalogue; returns the folder that it is extracted to."""
    small = Catalogue(sources={"sample": packed.SOURCE})
    monkeypatch.setattr(catalogue, "catalogue", lambda: small)
    monkeypatch.setattr(sources, "catalogue", lambda: small)
    monkeypatch.setattr(sources, "load_blobs", lambda _: packed.BLOBS)
    return cache / "sources" / packed.TOP
