"""Where public logs and rules come from: the pinned catalogue, the fetch, a mirror, the cache.

The names are loaded when they are first used, so that ``sigma_env.corpora.cache`` stays cheap to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sigma_env.corpora.sources import FetchReport, ensure_sources, fetch, source_path

__all__ = ["FetchReport", "ensure_sources", "fetch", "source_path"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sigma_env.corpora import sources

    return getattr(sources, name)
