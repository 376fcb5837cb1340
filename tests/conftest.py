"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MIRROR_VARIABLE = "SIGMA_ENV_MIRROR"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the archives of the pinned sources. A test that needs it fails without it: it never skips."""
    value = os.environ.get(MIRROR_VARIABLE)
    if not value:
        pytest.fail(
            f"{MIRROR_VARIABLE} is not set: name the folder that holds the archives REPO-COMMIT.tar.gz of the sources"
        )
    folder = Path(value)
    if not any(folder.glob("*.tar.gz")):
        pytest.fail(f"{MIRROR_VARIABLE}={value}: this folder holds no *.tar.gz; it should have one archive per source")
    return folder
