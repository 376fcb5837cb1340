"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import settings

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.catalogue import Source, catalogue
from sigma_env.corpora.extract import MANIFEST_NAME
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.errors import SourceError
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.names import EMBEDDED
from tests.real import real  # noqa: F401 - a fixture
from tests.small import NAME as SMALL
from tests.small import build_small

# The same examples on every machine, and none is a failure for being slow on a busy one. To look for new ones:
# pytest --hypothesis-profile default
settings.register_profile("sigmaforge", deadline=None, derandomize=True)
settings.load_profile("sigmaforge")


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the archives of the pinned sources, of which tests know how many events they hold.

    It is the one that SIGMA_ENV_MIRROR names; without it, what `sigma-env fetch` got is packed again. Files whose
    blob ids are not recorded are left out: some archives have them and some don't. A test that needs the mirror
    fails if there is neither: it never skips.
    """
    value = os.environ.get(MIRROR_VARIABLE)
    if not value:
        return packed(fetched(), tmp_path_factory.mktemp("mirror"))
    folder = Path(value)
    if not any(folder.glob("*.tar.gz")):
        pytest.fail(f"{MIRROR_VARIABLE}={value}: this folder holds no *.tar.gz; it should have one archive per source")
    if not any(has_unverified(folder, source) for source in catalogue().sources.values()):
        return folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("unpacked")))
        return packed(fetched(), tmp_path_factory.mktemp("mirror"))


def fetched() -> dict[str, Path]:
    try:
        return ensure_sources()
    except SourceError as error:
        pytest.fail(f"{error}; or name a folder with the archives of all sources in {MIRROR_VARIABLE}")


def has_unverified(folder: Path, source: Source) -> bool:
    with tarfile.open(folder / source.archive_name) as archive:
        names = (name.removeprefix(f"{source.top_folder}/") for name in archive.getnames())
        return any(source.unverified_entry(name) is not None for name in names)


def packed(folders: dict[str, Path], target: Path) -> Path:
    """Packs extracted sources again as the forge does, but for what tests do not count."""
    for name, folder in folders.items():
        source = catalogue().find(name)
        with tarfile.open(target / source.archive_name, "w:gz", compresslevel=1) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                path = file.relative_to(folder).as_posix()
                if path != MANIFEST_NAME and source.unverified_entry(path) is None:
                    archive.add(file, f"{source.top_folder}/{path}")
    return target


@pytest.fixture(scope="session")
def starter_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the embedded datasets. Copy it to change it."""
    folder = tmp_path_factory.mktemp("starter") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        for name in EMBEDDED:
            load_dataset(name)
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
