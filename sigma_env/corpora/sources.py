"""Getting the pinned sources, and finding them: the part of this room that the other rooms use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from sigma_env.corpora.archive import ByteProgress, DamagedArchive
from sigma_env.corpora.blobs import load_blobs
from sigma_env.corpora.cache import downloads_dir, locks_dir, sources_dir
from sigma_env.corpora.catalogue import Source, catalogue
from sigma_env.corpora.download import DownloadPolicy, download
from sigma_env.corpora.extract import SourceManifest, extract_source, is_whole
from sigma_env.errors import SourceError

MIRROR_VARIABLE = "SIGMA_ENV_MIRROR"
"""Environment variable that names a folder with the archives, instead of the forge."""

_LOCK_SECONDS = 1800

Origin = Literal["cache", "mirror", "download"]


class FetchProgress(Protocol):
    """What a fetch tells while it works."""

    def advance(self, source: str, phase: Literal["download", "verify"], done: int, total: int | None) -> None:
        """Some bytes of an archive have arrived, or have been verified and extracted."""

    def retrying(self, source: str, reason: str, seconds: float) -> None:
        """A request failed and is repeated in some seconds."""


@dataclass(frozen=True)
class FetchReport:
    """What came of fetching one source.

    Attributes:
        name: Of the source in the catalogue.
        path: The folder that holds its files.
        origin: Where it came from: it was there already, a mirror, a download.
        manifest: Its files, licence, and what is absent or unverified.
    """

    name: str
    path: Path
    origin: Origin
    manifest: SourceManifest


def fetch(
    names: Iterable[str] = (),
    *,
    mirror: Path | None = None,
    force: bool = False,
    progress: FetchProgress | None = None,
    policy: DownloadPolicy | None = None,
) -> list[FetchReport]:
    """Gets sources into the cache, verified file by file against the pinned commit.

    A source that is there and whole is left alone. Several processes may fetch at once: the others wait for the first.

    Args:
        names: Sources of the catalogue; all of them if empty.
        mirror: Folder with the archives; by default the one that ``SIGMA_ENV_MIRROR`` names, else the forge.
        force: Fetch also what is there. What is there stays until the new one is verified.
        progress: Told what happens.
        policy: How patient downloads are.

    Returns:
        One report per source, in the order of ``names``.

    Raises:
        SourceError: A name is unknown, or an archive cannot be had or is refused. Nothing of it is left behind, but an
            interrupted download is kept to be continued.
    """
    sources = catalogue().select(names)
    mirror = mirror or _mirror_of_environment()
    return [_fetch_one(source, mirror, force, progress, policy) for source in sources]


def source_path(name: str) -> Path:
    """Returns the folder of a fetched source; its layout is that of the repository.

    Raises:
        SourceError: The name is unknown, or the source has not been fetched; the message names the command.
    """
    source = catalogue().find(name)
    if source_manifest(source) is None:
        raise SourceError(f"the source {source.name} is not here yet; get it with: sigma-env fetch {source.name}")
    return _target(source)


def source_manifest(source: Source) -> SourceManifest | None:
    """Returns the manifest of a source at its pinned commit, or None if that has not been fetched."""
    manifest = SourceManifest.read(_target(source))
    return manifest if manifest is not None and manifest.commit == source.commit else None


def ensure_sources(names: Iterable[str] = (), mirror: Path | None = None) -> dict[str, Path]:
    """Returns the folders of sources, fetching from a mirror what is missing. It never uses the network.

    Args:
        names: Sources of the catalogue; all of them if empty.
        mirror: Folder with the archives; by default the one that ``SIGMA_ENV_MIRROR`` names.

    Raises:
        SourceError: A name is unknown, or a source is missing and there is no mirror, or its archive is refused.
    """
    sources = catalogue().select(names)
    mirror = mirror or _mirror_of_environment()
    missing = [source.name for source in sources if source_manifest(source) is None]
    if missing and mirror is not None:
        fetch(missing, mirror=mirror)
    return {source.name: source_path(source.name) for source in sources}


def _fetch_one(
    source: Source, mirror: Path | None, force: bool, progress: FetchProgress | None, policy: DownloadPolicy | None
) -> FetchReport:
    try:
        with FileLock(locks_dir() / f"source-{source.name}.lock", timeout=_LOCK_SECONDS):
            return _fetch_locked(source, mirror, force, progress, policy)
    except Timeout as error:
        raise SourceError(f"{error.lock_file}: another process fetches {source.name} and does not end") from error
    except OSError as error:
        raise SourceError(
            f"{error.filename or source.name}: {error.strerror or error}; free it and fetch again"
        ) from error


def _fetch_locked(
    source: Source, mirror: Path | None, force: bool, progress: FetchProgress | None, policy: DownloadPolicy | None
) -> FetchReport:
    target = _target(source)
    manifest = source_manifest(source)
    if manifest is not None and not force and is_whole(target, manifest):
        return FetchReport(source.name, target, "cache", manifest)
    origin: Origin
    if mirror is not None:
        archive = mirror / source.archive_name
        if not archive.is_file():
            raise SourceError(f"{archive}: the mirror has no such file; put the archive there: {source.url}")
        origin, manifest = "mirror", _extract(archive, source, progress)
    else:
        origin, manifest = "download", _download_and_extract(source, progress, policy)
    return FetchReport(source.name, target, origin, manifest)


def _download_and_extract(
    source: Source, progress: FetchProgress | None, policy: DownloadPolicy | None
) -> SourceManifest:
    """Downloads the archive, takes it apart and deletes it.

    One that is put together of several requests, or damaged, is refused only after a second, fresh one is refused too.
    """
    archive = downloads_dir() / source.archive_name
    resumed = archive.exists()
    try:
        if not resumed:
            resumed = _download(source, archive, progress, policy)
        try:
            return _extract(archive, source, progress)
        except SourceError as error:
            if not resumed and not isinstance(error, DamagedArchive):
                raise
            archive.unlink()
            if progress is not None:
                progress.retrying(source.name, str(error), 0.0)
            _download(source, archive, progress, policy)
            return _extract(archive, source, progress)
    finally:
        archive.unlink(missing_ok=True)


def _download(source: Source, archive: Path, progress: FetchProgress | None, policy: DownloadPolicy | None) -> bool:
    def on_retry(reason: str, seconds: float) -> None:
        if progress is not None:
            progress.retrying(source.name, reason, seconds)

    return download(
        source.url, archive, policy=policy, progress=_bytes_of(progress, source, "download"), on_retry=on_retry
    )


def _extract(archive: Path, source: Source, progress: FetchProgress | None) -> SourceManifest:
    blobs = load_blobs(source.name)
    return extract_source(archive, source, blobs, _target(source), progress=_bytes_of(progress, source, "verify"))


def _bytes_of(
    progress: FetchProgress | None, source: Source, phase: Literal["download", "verify"]
) -> ByteProgress | None:
    if progress is None:
        return None
    return lambda done, total: progress.advance(source.name, phase, done, total)


def _target(source: Source) -> Path:
    return sources_dir() / source.top_folder


def _mirror_of_environment() -> Path | None:
    mirror = os.environ.get(MIRROR_VARIABLE)
    return Path(mirror).expanduser() if mirror else None
