"""From a source archive to a verified folder: all of it or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sigma_env.corpora.archive import LIMITS, ArchiveFile, ArchiveLimits, ByteProgress, SourceArchive
from sigma_env.corpora.blobs import blob_hash
from sigma_env.corpora.catalogue import Source
from sigma_env.errors import SourceError

MANIFEST_NAME = "manifest.json"


class SourceManifest(BaseModel):
    """What an extracted source is, written into its folder as ``manifest.json``.

    Attributes:
        source: Its name in the catalogue.
        owner: Who publishes it.
        repo: The repository.
        commit: The pinned commit.
        licence: As the catalogue states it.
        archive_sha256: Of the archive it came from. A forge may pack one commit differently at different times.
        files: Number of files, without the manifest.
        bytes: Their size together.
        absent: Files of the pinned commit that the archive lacked, sorted.
        unverified: Files that were taken without a recorded blob id to compare with, sorted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    owner: str
    repo: str
    commit: str
    licence: str
    archive_sha256: str
    files: int
    bytes: int
    absent: tuple[str, ...]
    unverified: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Returns the manifest of an extracted source, or None if the folder holds none that can be read."""
        try:
            return cls.model_validate_json((folder / MANIFEST_NAME).read_bytes())
        except (OSError, ValidationError):
            return None


def extract_source(
    archive: Path,
    source: Source,
    blobs: Mapping[str, str],
    target: Path,
    *,
    limits: ArchiveLimits = LIMITS,
    progress: ByteProgress | None = None,
) -> SourceManifest:
    """Verifies an archive and puts its used files into ``target``, in one step at the end.

    The caller holds the source's lock. Whatever happens before that step, ``target`` stays as it was and nothing else
    is left behind.

    Args:
        archive: A forge's archive of the source.
        source: What it should be.
        blobs: Path to git blob id, of every file that the archive may hold but ``source.unverified``.
        target: The folder to make, or to replace.
        limits: What the archive may cost.
        progress: Called as the archive's bytes are read.

    Raises:
        SourceError: The archive is damaged, hostile or foreign, or a file of it is not the pinned commit's.
    """
    _remove_leftovers(target)
    work = Path(tempfile.mkdtemp(prefix=_work_prefix(target), dir=target.parent))
    try:
        manifest = _extract(archive, source, blobs, work / "new", limits, progress)
        swap_folder(work / "new", target, work / "old")
        return manifest
    finally:
        shutil.rmtree(work, ignore_errors=True)


def is_whole(folder: Path, manifest: SourceManifest) -> bool:
    """Says whether an extracted source still has as many files and bytes as its manifest states."""
    count = size = 0
    try:
        for parent, _, names in os.walk(folder):
            for name in names:
                count += 1
                size += os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118, a Path each costs tenfold
        size -= (folder / MANIFEST_NAME).stat().st_size
    except OSError:
        return False
    return (count - 1, size) == (manifest.files, manifest.bytes)


def _extract(
    archive: Path,
    source: Source,
    blobs: Mapping[str, str],
    folder: Path,
    limits: ArchiveLimits,
    progress: ByteProgress | None,
) -> SourceManifest:
    """Writes the archive's used files and the manifest into ``folder``."""
    seen: set[str] = set()
    entries: dict[str, str] = {}
    total = 0
    with SourceArchive(archive, source, limits, progress) as contents:
        for file in contents.files():
            blob = blobs.get(file.path)
            if blob is None:
                _admit_unverified(archive, source, file.path, entries)
            found = _write(file, folder)
            if blob not in (None, found):
                raise SourceError(
                    f"{archive}: refused: {file.path!r} has blob id {found}, but commit {source.commit[:12]} has "
                    f"{blob}; get the archive from {source.url}"
                )
            seen.add(file.path)
            total += file.size
    if not seen:
        raise SourceError(f"{archive}: refused: it has none of the files of {source.name}; get it from {source.url}")
    manifest = SourceManifest(
        source=source.name,
        owner=source.owner,
        repo=source.repo,
        commit=source.commit,
        licence=source.licence,
        archive_sha256=contents.sha256,
        files=len(seen),
        bytes=total,
        absent=tuple(sorted((blobs.keys() - seen) | (set(source.unverified) - blobs.keys() - entries.keys()))),
        unverified=tuple(sorted(entries.values())),
    )
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return manifest


def _admit_unverified(archive: Path, source: Source, path: str, entries: dict[str, str]) -> None:
    """Notes a file without a blob id under the catalogue's entry that allows it, which allows one file.

    Raises:
        SourceError: No entry allows it, or one file was admitted by it before.
    """
    entry = source.unverified_entry(path)
    if entry is None or entry in entries:
        raise SourceError(
            f"{archive}: refused: {path!r} is a foreign file: it has no blob id at commit {source.commit[:12]}; "
            f"get the archive from {source.url}"
        )
    entries[entry] = path


def _write(file: ArchiveFile, folder: Path) -> str:
    """Writes one file below ``folder`` and returns its blob id."""
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = blob_hash(file.size)
    with path.open("xb") as out:
        for chunk in file.chunks:
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def swap_folder(new: Path, target: Path, old: Path) -> None:
    """Puts ``new`` in the place of ``target``; a previous one goes to ``old``, or back if that fails."""
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise


def _work_prefix(target: Path) -> str:
    return f".{target.name}-"


def _remove_leftovers(target: Path) -> None:
    """Removes the work folders of fetches that were killed: under the source's lock no live fetch has one."""
    for folder in target.parent.glob(f"{_work_prefix(target)}*"):
        shutil.rmtree(folder, ignore_errors=True)
