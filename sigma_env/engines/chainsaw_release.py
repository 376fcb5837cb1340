"""Getting the pinned release of Chainsaw from its forge into the cache: all of it, verified, or nothing."""

import hashlib
import json
import platform
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from os import environ
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, NamedTuple, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from sigma_env.corpora.cache import cache_dir, cache_root, downloads_dir, locks_dir
from sigma_env.errors import SourceError

INSTALL_COMMAND: Final = "sigma-env chainsaw install"

_PUBLIC_API: Final = "https://api.github.com"
_FOLDER: Final = "programs"
_MANIFEST: Final = "manifest.json"
_LICENCE: Final = "LICENCE"
_LOCK_SECONDS: Final = 1_800
_MAX_MEMBERS: Final = 100_000
_MAX_UNPACKED: Final = 2 << 30
_MAX_FILE: Final = 256 << 20

AssetProgress = Callable[[str, int, int | None], None]
"""Called with an asset's name, the bytes here and the bytes expected, None if that is unknown."""


class Release(BaseModel):
    """The pinned release; see `sigma_env/corpora/data/chainsaw.yaml`, which says what each field is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str
    repo: str
    tag: str
    version: str
    licence: str
    assets: Mapping[str, tuple[str, ...]]
    program: Mapping[str, tuple[str, ...]]
    mapping: str

    def url(self, asset: str) -> str:
        """Where a file of the release is downloaded from."""
        from sigma_env.corpora.catalogue import forge_url

        return f"{forge_url()}/{self.owner}/{self.repo}/releases/download/{self.tag}/{quote(asset)}"

    @property
    def api_url(self) -> str:
        """Where the forge describes the release, with a digest of each file."""
        from sigma_env.corpora.catalogue import FORGE_VARIABLE, forge_url

        # A forge that is not the public one has its interface below its own address, as GitHub Enterprise does.
        base = f"{forge_url()}/api/v3" if environ.get(FORGE_VARIABLE) else _PUBLIC_API
        return f"{base}/repos/{self.owner}/{self.repo}/releases/tags/{self.tag}"


class Installed(NamedTuple):
    """An installed release.

    Attributes:
        program: the executable.
        mapping: the mapping file.
        licence: the licence's name.
        licence_file: its text, None if the release came without.
    """

    program: Path
    mapping: Path
    licence: str
    licence_file: Path | None

    @classmethod
    def read(cls, folder: Path, release: Release) -> Self | None:
        """What is installed in a folder; None if that is not a whole installation of the release."""
        try:
            manifest = json.loads((folder / _MANIFEST).read_bytes())
            program, mapping = folder / manifest["program"], folder / release.mapping
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if manifest.get("tag") != release.tag or not (program.is_file() and mapping.is_file()):
            return None
        text = folder / _LICENCE
        return cls(program, mapping, release.licence, text if text.is_file() else None)


@cache
def release() -> Release:
    """The pinned release."""
    import yaml

    text = (files("sigma_env.corpora") / "data" / "chainsaw.yaml").read_text(encoding="utf-8")
    return Release.model_validate(yaml.safe_load(text))


def installed() -> Installed | None:
    """The installed release, if there is one; looks only."""
    return Installed.read(_target(cache_root() / _FOLDER), release())


def install(*, force: bool = False, progress: AssetProgress | None = None, policy: Any = None) -> Installed:
    """Gets the pinned release for this platform into the cache, unless it is there.

    Args:
        force: get it also if it is there; what is there stays until the new one is verified.
        progress: told what arrives.
        policy: how patient downloads are; see `DownloadPolicy`.

    Raises:
        SourceError: there is none for this platform, the forge cannot be reached or publishes no digest, or a file
            is not what it publishes, or lacks the program. Nothing of it is left behind.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(locks_dir() / "chainsaw.lock", timeout=_LOCK_SECONDS):
            here = None if force else installed()
            return here or _install(cache_dir(_FOLDER), progress, policy)
    except Timeout as error:
        raise SourceError(f"{error.lock_file}: another process installs Chainsaw and does not end") from error
    except OSError as error:
        raise SourceError(
            f"{error.filename or 'Chainsaw'}: {error.strerror or error}; free it and try again"
        ) from error


def _install(programs: Path, progress: AssetProgress | None, policy: Any) -> Installed:
    from sigma_env.corpora.extract import swap_folder

    wanted, system = release(), _platform()
    target = _target(programs)
    for leftover in programs.glob(f".{target.name}-*"):  # of a process that was killed: the lock is held
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=programs))
    try:
        new = work / "new"
        new.mkdir()
        used: dict[str, str] = {}
        digests = _digests(wanted, work, policy)
        members = _Members(wanted, system)
        for asset in wanted.assets[system]:
            if not members.lacking(new):
                break
            used[asset] = digests.get(asset, "")
            with _verified(wanted, asset, digests, progress, policy) as archive:
                members.take(archive, new)
        if lacking := members.lacking(new):
            raise SourceError(f"{', '.join(used)} of {wanted.tag}: refused: no {' and no '.join(lacking)} in it")
        manifest = {"tag": wanted.tag, "licence": wanted.licence, "program": members.program, "assets": used}
        (new / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        swap_folder(new, target, work / "old")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    done = Installed.read(target, wanted)
    assert done is not None
    return done


def _target(programs: Path) -> Path:
    wanted = release()
    return programs / f"{wanted.repo}-{wanted.tag}"


def _platform() -> str:
    """The catalogue's name of this platform.

    Raises:
        SourceError: the release has no file for it.
    """
    name = f"{platform.system()}-{platform.machine()}".lower()
    if name not in release().assets:
        raise SourceError(
            f"Chainsaw {release().tag} has no program for {name} (it has {', '.join(release().assets)}); build it from "
            "its source and name it in SIGMA_ENV_CHAINSAW"
        )
    return name


def _digests(wanted: Release, work: Path, policy: Any) -> dict[str, str]:
    """SHA-256 of each file of the release, in hex, as the forge publishes them."""
    from sigma_env.corpora.download import download

    answer = work / "release.json"
    download(wanted.api_url, answer, policy=policy)
    try:
        described = json.loads(answer.read_bytes())
        if described["tag_name"] != wanted.tag:
            raise SourceError(f"{wanted.api_url}: describes {described['tag_name']!r}, not {wanted.tag}")
        pairs = [(asset["name"], asset.get("digest") or "") for asset in described["assets"]]
        return {name: digest.removeprefix("sha256:") for name, digest in pairs if digest.startswith("sha256:")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{wanted.api_url}: this is no description of a release; check SIGMA_ENV_FORGE") from error


@contextmanager
def _verified(
    wanted: Release, asset: str, digests: Mapping[str, str], progress: AssetProgress | None, policy: Any
) -> Iterator[Path]:
    """A file of the release, downloaded and compared with its digest; deleted after use."""
    from sigma_env.corpora.download import download

    digest = digests.get(asset)
    if not digest:
        raise SourceError(f"{wanted.api_url}: publishes no SHA-256 of {asset}, so it cannot be verified")
    archive = downloads_dir() / f"{wanted.repo}-{wanted.tag}-{asset}"
    told = None if progress is None else lambda done, total: progress(asset, done, total)
    try:
        download(wanted.url(asset), archive, policy=policy, progress=told)
        with archive.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != digest:
            raise SourceError(
                f"{wanted.url(asset)}: refused: its SHA-256 is {found}, but the forge publishes {digest}; nothing "
                "of it was used; try again"
            )
        yield archive
    finally:
        archive.unlink(missing_ok=True)


class _Members:
    """Which files of an archive are wanted; they get names of ours, so no name in it can lead anywhere.

    Attributes:
        program: the program's name in the installation.
    """

    def __init__(self, wanted: Release, system: str) -> None:
        self._programs = wanted.program[system]
        self._mapping = wanted.mapping
        self.program = self._programs[0]

    def lacking(self, folder: Path) -> list[str]:
        """What has not been found yet."""
        return [what for what in (self.program, self._mapping) if not (folder / what).is_file()]

    def take(self, archive: Path, folder: Path) -> None:
        """Copies what is wanted and not there yet.

        Raises:
            SourceError: the archive is damaged or too big.
        """
        members = _zip_members if archive.name.endswith(".zip") else _tar_members
        unpacked = 0
        try:
            for count, (name, size, stream) in enumerate(members(archive)):
                unpacked += size
                if count >= _MAX_MEMBERS or unpacked > _MAX_UNPACKED:
                    raise SourceError(f"{archive}: refused: it unpacks to more than a release of Chainsaw has")
                own = self._own_name(name)
                if own is not None and not (folder / own).exists():
                    _copy(stream, size, folder / own, archive)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            raise SourceError(f"{archive}: damaged archive: {error}") from error
        program = folder / self.program
        if program.exists():
            program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    def _own_name(self, name: str) -> str | None:
        *folders, base = PurePosixPath(name).parts or ("",)
        if base in self._programs:
            return self.program
        if f"/{name}".endswith(f"/{self._mapping}"):
            return self._mapping
        # Deeper lie the licences of the rules that some files of the release hold.
        return _LICENCE if len(folders) < 2 and base.lower().startswith(("licence", "license")) else None


def _zip_members(archive: Path) -> Iterator[tuple[str, int, Callable[[], IO[bytes]]]]:
    with zipfile.ZipFile(archive) as contents:
        for info in contents.infolist():
            if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, info.file_size, lambda info=info: contents.open(info)  # type: ignore[misc]


def _tar_members(archive: Path) -> Iterator[tuple[str, int, Callable[[], IO[bytes]]]]:
    with tarfile.open(archive, "r:gz") as contents:
        for info in contents:
            if info.isreg():
                yield info.name, info.size, lambda info=info: contents.extractfile(info)  # type: ignore[misc]


def _copy(opened: Callable[[], IO[bytes]], size: int, target: Path, archive: Path) -> None:
    if size > _MAX_FILE:
        raise SourceError(f"{archive}: refused: {target.name} has {size:,} bytes")
    with opened() as stream:
        content = stream.read(_MAX_FILE + 1)
    if len(content) != size:
        raise SourceError(f"{archive}: refused: {target.name} has not the {size:,} bytes that the archive says")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
