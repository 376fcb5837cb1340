"""Where SigmaForge keeps what it downloads or computes: one folder of the user's, one sub-folder per kind of thing.

Everything under it can be deleted at any time; it is fetched or built again when it is needed.
"""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "SIGMA_ENV_CACHE"
"""Environment variable that names another cache root, read at every call."""


def cache_root() -> Path:
    """Returns the absolute path of the cache, which need not exist yet.

    It is the folder named by ``SIGMA_ENV_CACHE``, or else the platform's place for a user's caches.
    """
    override = os.environ.get(CACHE_VARIABLE)
    if override:
        return Path(override).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("sigmaforge", appauthor=False)


def cache_dir(*parts: str) -> Path:
    """Returns a folder of the cache and creates it if it is missing.

    Args:
        *parts: Names of nested sub-folders, for instance ``cache_dir("stores", fingerprint)``. Each is one plain
            name, so that no fingerprint or dataset name can lead out of the cache.

    Raises:
        ValueError: A part is empty, ``.``, ``..`` or holds a path separator.
        OSError: The folder cannot be created.
    """
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part:
            raise ValueError(f"{part!r} is not the name of one folder of the cache")
    folder = cache_root().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sources_dir() -> Path:
    """Returns the folder of the extracted public sources."""
    return cache_dir("sources")


def downloads_dir() -> Path:
    """Returns the folder of archives that are on their way, whole or in part."""
    return cache_dir("downloads")


def stores_dir() -> Path:
    """Returns the folder of event stores, named by their fingerprints."""
    return cache_dir("stores")


def rules_dir() -> Path:
    """Returns the folder of compiled rules, named by their content."""
    return cache_dir("rules")


def datasets_dir() -> Path:
    """Returns the folder of built datasets, named as the user named them."""
    return cache_dir("datasets")


def simulated_dir() -> Path:
    """Returns the folder of simulated logs, named like the datasets that they belong to."""
    return cache_dir("simulated")


def locks_dir() -> Path:
    """Returns the folder of lock files: they stand apart, so that deleting a thing never deletes its lock."""
    return cache_dir("locks")
