"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import settings

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.catalogue import catalogue
from sigma_env.corpora.extract import MANIFEST_NAME
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.errors import SourceError
from sigma_env.tasks.dataset import Dataset, load_dataset
from tests.real import real  # noqa: F401 - a fixture
from tests.small import NAME as SMALL
from tests.small import build_small

# The same examples on every machine, and none is a failure for being slow on a busy one. To look for new ones:
# pytest --hypothesis-profile default
settings.register_profile("sigmaforge", deadline=None, derandomize=True)
settings.load_profile("sigmaforge")


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the archives of the pinned sources.

    It is the one that SIGMA_ENV_MIRROR names; without it, one that is packed from what `sigma-env fetch` got. A test
    that needs it fails without either: it never skips.
    """
    value = os.environ.get(MIRROR_VARIABLE)
    if not value:
        return packed(tmp_path_factory.mktemp("mirror"))
    folder = Path(value)
    if not any(folder.glob("*.tar.gz")):
        pytest.fail(f"{MIRROR_VARIABLE}={value}: this folder holds no *.tar.gz; it should have one archive per source")
    return folder


def packed(folder: Path) -> Path:
    """Packs the fetched sources again as the forge does, but for files that SigmaForge does not use."""
    try:
        fetched = ensure_sources()
    except SourceError as error:
        pytest.fail(f"{error}; or name a folder with the archives of all sources in {MIRROR_VARIABLE}")
    for name, path in fetched.items():
        source = catalogue().find(name)
        with tarfile.open(folder / source.archive_name, "w:gz", compresslevel=1) as archive:
            for part in sorted(path.iterdir()):
                if part.name != MANIFEST_NAME:
                    archive.add(part, f"{source.top_folder}/{part.name}")
    return folder


@pytest.fixture(scope="session")
def small_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the dataset `small`."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
        build_small(folder)
    return folder / "cache"


@pytest.fixture
def small(small_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The dataset `small`, which environments find under this name too."""
    monkeypatch.setenv(CACHE_VARIABLE, str(small_cache))
    return load_dataset(SMALL)
