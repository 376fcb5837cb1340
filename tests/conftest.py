"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from sigma_env.corpora import ensure_sources
from sigma_env.corpora.catalogue import catalogue
from sigma_env.corpora.extract import MANIFEST_NAME
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.errors import SourceError


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
