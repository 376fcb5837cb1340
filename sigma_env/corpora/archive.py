"""Reading a forge's source archive as the hostile input that it may be: nothing here writes a file.

A forge packs a commit as one gzipped tar with one top folder ``REPO-COMMIT/``. Members that the project does not use
are skipped, whatever they are (a repository may hold links); a path that leads out of the top folder refuses the whole
archive, used or not.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, Self

from sigma_env.corpora.catalogue import Source
from sigma_env.errors import SourceError

ByteProgress = Callable[[int, int | None], None]
"""Called with the bytes done so far and the bytes expected, None if that is unknown."""

_CHUNK = 1 << 20
_HEADER_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class DamagedArchive(SourceError):
    """The archive's own structure is broken: a second download may be whole."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What a source archive may cost. The largest pinned one is 6 MB packed, 104 MB unpacked and has 4,400 members.

    Attributes:
        archive_bytes: Size of the archive itself, also while it is downloaded.
        members: Number of files, folders and links.
        header_bytes: Size of one extended header (a long name), which tarfile reads into memory whole.
        member_bytes: Size of one file.
        unpacked_bytes: Everything that comes out of the compression, headers and skipped files included.
        ratio: Unpacked bytes per packed byte, for what lies beyond the first ``ratio_free_bytes``. Event logs are
            mostly zeros, so the pinned archives reach 18.
        ratio_free_bytes: See ratio.
    """

    archive_bytes: int = 512 << 20
    members: int = 100_000
    header_bytes: int = 64 << 10
    member_bytes: int = 256 << 20
    unpacked_bytes: int = 2 << 30
    ratio: int = 100
    ratio_free_bytes: int = 64 << 20


LIMITS = ArchiveLimits()


@dataclass(frozen=True)
class ArchiveFile:
    """A used file of an archive.

    Attributes:
        path: Relative to the top folder, with ``/`` between its parts.
        size: Bytes.
        chunks: The content, to be read before the archive is asked for its next file.
    """

    path: str
    size: int
    chunks: Iterator[bytes]


class SourceArchive:
    """One pass over the files of an archive that the project uses; a context manager.

    Attributes:
        path: The archive.
        sha256: Of the whole archive, known once ``files`` has ended.
    """

    def __init__(
        self, path: Path, source: Source, limits: ArchiveLimits = LIMITS, progress: ByteProgress | None = None
    ) -> None:
        """Opens the archive.

        Args:
            path: The archive.
            source: What it should hold.
            limits: What it may cost.
            progress: Called as the archive's bytes are read.

        Raises:
            SourceError: The archive cannot be opened.
        """
        self.path = path
        self.sha256 = ""
        self._source = source
        self._limits = limits
        try:
            self._packed = _PackedReader(path, limits, progress)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
        self._unpacked = _UnpackedReader(self._packed, path, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._unpacked.close()
        self._packed.close()

    def files(self) -> Iterator[ArchiveFile]:
        """Yields the used files in the order of the archive, once.

        Raises:
            DamagedArchive: It is not a whole gzipped tar.
            SourceError: It is hostile, too big, or of another repository or commit.
        """
        try:
            yield from self._files()
        except RecursionError:
            self._refuse("it nests extended headers without end")
        except (tarfile.TarError, UnicodeError, ValueError, OverflowError) as error:
            raise DamagedArchive(f"{self.path}: damaged tar: {error}") from error

    def _files(self) -> Iterator[ArchiveFile]:
        seen: dict[str, str] = {}
        with tarfile.open(fileobj=self._unpacked, mode="r:", tarinfo=self._header_class(), encoding="utf-8") as tar:  # type: ignore[call-overload]
            count = 0
            while (info := tar.next()) is not None:
                count += 1
                if count > self._limits.members:
                    self._refuse(f"it has more than {self._limits.members} members")
                self._check_commit(tar.pax_headers)
                path = self._relative_path(info.name)
                if info.isdir() or not self._source.selects(path):
                    continue
                self._check_used(info, path, seen)
                self._unpacked.seek(info.offset_data)
                yield ArchiveFile(path, info.size, self._unpacked.chunks(info.size))
        self._check_end()
        self.sha256 = self._packed.digest()

    def _header_class(self) -> type[tarfile.TarInfo]:
        """Returns the class by which tarfile reads headers, made to look at sizes before tarfile trusts them."""
        refuse, cap = self._refuse, self._limits.header_bytes

        class Header(tarfile.TarInfo):
            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
                header = super().frombuf(buf, encoding, errors)
                if header.size < 0 or (header.type in _HEADER_TYPES and header.size > cap):
                    refuse(f"it has a header of {header.size} bytes")
                return header

        return Header

    def _check_commit(self, headers: dict[str, str]) -> None:
        """Refuses an archive whose global header, where git writes the commit id, names another commit."""
        comment = headers.get("comment", self._source.commit)
        if comment != self._source.commit and re.fullmatch(r"[0-9a-f]{40}", comment):
            self._refuse(f"it is of commit {comment}, not of the pinned {self._source.commit}")

    def _relative_path(self, name: str) -> str:
        """Returns a member's path below the top folder, '' for that folder itself."""
        if "\0" in name or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
            self._refuse(f"member {name!r} has an absolute or unreadable path")
        if ".." in re.split(r"[/\\]", name):
            self._refuse(f"member {name!r} leads out of the archive")
        top, *below = name.split("/")
        if top != self._source.top_folder:
            self._refuse(f"member {name!r} is not in the folder {self._source.top_folder!r}")
        if any(part in ("", ".") for part in below):
            self._refuse(f"member {name!r} has an empty part in its path")
        return "/".join(below)

    def _check_used(self, info: tarfile.TarInfo, path: str, seen: dict[str, str]) -> None:
        """Refuses a member at a used path that is not one plain file with one plain name of its own."""
        if not info.isreg() or info.issparse():
            self._refuse(f"{path!r} is a link, a device or another special file, where a plain file belongs")
        if not 0 <= info.size <= self._limits.member_bytes:
            self._refuse(f"{path!r} has {info.size} bytes, more than the {self._limits.member_bytes} of a file's limit")
        # On Windows these name a drive, a stream or another folder; no used file of a source has one.
        if not path.isprintable() or any(character in path for character in '\\:*?"<>|'):
            self._refuse(f"{path!r} has a character that is no part of a portable file name")
        folded = unicodedata.normalize("NFC", path).casefold()
        if folded in seen:
            other = seen[folded]
            self._refuse(f"{path!r} occurs twice" if other == path else f"{path!r} and {other!r} differ only in case")
        seen[folded] = path

    def _check_end(self) -> None:
        """Refuses an archive that stops anywhere but at its end marker (two blocks of zeros), or goes on after it.

        tarfile takes a broken header for the end, so that a damaged archive would look like one that lacks files.
        """
        if self._unpacked.last_read != bytes(tarfile.BLOCKSIZE):
            raise DamagedArchive(
                f"{self.path}: damaged or truncated tar: no end marker at byte {self._unpacked.tell()}"
            )
        rest = 0
        while chunk := self._unpacked.read(_CHUNK):
            rest += len(chunk)
            if chunk.count(0) != len(chunk):
                raise DamagedArchive(f"{self.path}: damaged tar: data after its end marker")
        if rest < tarfile.BLOCKSIZE:
            raise DamagedArchive(f"{self.path}: truncated tar: its end marker is cut off")

    def _refuse(self, reason: str) -> NoReturn:
        raise SourceError(f"{self.path}: refused: {reason}; get the archive from {self._source.url}")


class _PackedReader:
    """The archive's own bytes: counts, caps and hashes them."""

    def __init__(self, path: Path, limits: ArchiveLimits, progress: ByteProgress | None) -> None:
        self.count = 0
        self._file: IO[bytes] = path.open("rb")
        self._size = path.stat().st_size
        self._hash = hashlib.sha256()
        self._progress = progress
        if self._size > limits.archive_bytes:
            self._file.close()
            raise SourceError(f"{path}: refused: {self._size} bytes, more than the {limits.archive_bytes} of the limit")

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.count += len(data)
        self._hash.update(data)
        if self._progress is not None:
            self._progress(self.count, self._size)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()


class _UnpackedReader:
    """What comes out of the compression, as the forward-only file that tarfile needs: counts and caps it."""

    def __init__(self, packed: _PackedReader, path: Path, limits: ArchiveLimits) -> None:
        self.last_read = b""
        self._packed = packed
        self._gzip = gzip.GzipFile(fileobj=packed, mode="rb")  # type: ignore[call-overload]
        self._path = path
        self._limits = limits
        self._position = 0

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes, fewer only at the end."""
        try:
            self.last_read = self._gzip.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedArchive(f"{self._path}: damaged or truncated gzip: {error}") from error
        self._position += len(self.last_read)
        limits = self._limits
        if self._position > limits.unpacked_bytes:
            raise SourceError(f"{self._path}: refused: it unpacks to more than {limits.unpacked_bytes} bytes")
        if self._position > limits.ratio_free_bytes + limits.ratio * self._packed.count:
            raise SourceError(f"{self._path}: refused: it unpacks to more than {limits.ratio} times its size")
        return self.last_read

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yields the next ``size`` bytes in pieces."""
        while size > 0:
            data = self.read(min(size, _CHUNK))
            if not data:
                raise DamagedArchive(f"{self._path}: truncated tar: a file's data ends at byte {self._position}")
            size -= len(data)
            yield data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        """Goes forward to ``position``, counting what is passed."""
        if position < self._position:
            raise tarfile.StreamError("a header points backwards")
        while self._position < position and self.read(min(_CHUNK, position - self._position)):
            pass

    def close(self) -> None:
        self._gzip.close()
