"""A small source and the archives of it, as a forge packs them or as an attacker would."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable

from sigma_env.corpora.catalogue import Selection, Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = Source(
    name="sample",
    title="A small source",
    owner="someone",
    repo="sample",
    commit=COMMIT,
    licence="CC0-1.0",
    licence_file="LICENSE",
    data=(Selection(folder="logs", suffixes=(".evtx",)), Selection(folder="rules", suffixes=(".yml",))),
    unverified=("logs/extra.evtx", "logs/*/T1000*/odd.evtx"),
)
TOP = SOURCE.top_folder
FILES = {
    "LICENSE": b"Do as you like.\n",
    "logs/one.evtx": b"ElfFile\0" + bytes(range(256)) * 40,
    "logs/deep/Two (b) & c.evtx": b"ElfFile\0" + bytes(5000),
    "rules/windows/a.yml": b"title: A\n",
}
BLOBS = {
    path: hashlib.sha1(b"blob " + str(len(data)).encode() + b"\0" + data).hexdigest() for path, data in FILES.items()
}

Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Entry:
    """One member, under exactly the name given."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mtime = kind, link, len(data), 1_700_000_000
    return info, data


def file_entries(files: dict[str, bytes] = FILES) -> list[Entry]:
    return [entry(f"{TOP}/{path}", data) for path, data in files.items()]


def forge_entries(files: dict[str, bytes] = FILES) -> list[Entry]:
    """What a forge packs: the used files among folders, links and files that nobody asked for."""
    return [
        entry(TOP, kind=tarfile.DIRTYPE),
        entry(f"{TOP}/README.md", b"# sample\n"),
        entry(f"{TOP}/readme.md", b"another, on a forge that tells case apart\n"),
        entry(f"{TOP}/latest", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        entry(f"{TOP}/logs", kind=tarfile.DIRTYPE),
        entry(f"{TOP}/logs/folder.evtx", kind=tarfile.DIRTYPE),
        *file_entries(files),
        entry(f"{TOP}/tools/{'long/' * 60}name.py", b"print()\n"),
    ]


def tar(entries: Iterable[Entry], comment: str | None = COMMIT, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An uncompressed archive; ``comment`` is the global header in which git writes the commit id."""
    out = io.BytesIO()
    headers = {"comment": comment} if comment and form == tarfile.PAX_FORMAT else None
    with tarfile.open(fileobj=out, mode="w", format=form, pax_headers=headers) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(entries: Iterable[Entry], comment: str | None = COMMIT, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A compressed archive."""
    return gzip.compress(tar(entries, comment, form), compresslevel=6, mtime=0)
