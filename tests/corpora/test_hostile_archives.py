"""Whatever an archive tries, it is refused by name and leaves nothing behind."""

from __future__ import annotations

import gzip
import random
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.corpora.archive import ArchiveLimits, DamagedArchive
from sigma_env.corpora.extract import MANIFEST_NAME, SourceManifest, extract_source
from sigma_env.errors import SourceError
from tests.corpora import packed
from tests.corpora.packed import BLOBS, FILES, SOURCE, TOP, Entry, entry, file_entries, forge_entries, pack

SMALL_LIMITS = ArchiveLimits(
    archive_bytes=200_000,
    members=30,
    header_bytes=2048,
    member_bytes=60_000,
    unpacked_bytes=400_000,
    ratio=20,
    ratio_free_bytes=100_000,
)
GOOD = pack(forge_entries())
NOISE = random.Random(0).randbytes(150_000)


def sparse_file() -> bytes:
    """A used file that claims to be 1 TiB of holes (GNU sparse format 1.0)."""
    info, data = entry(f"{TOP}/logs/one.evtx", b"0\n" + bytes(510))
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": info.name,
        "GNU.sparse.realsize": str(1 << 40),
    }
    return pack([(info, data)])


def pax_path(path: str) -> bytes:
    """A member whose extended header gives another path than its plain one."""
    info, data = entry(f"{TOP}/README.md")
    info.pax_headers = {"path": path}
    return pack([*file_entries(), (info, data)])


def negative_size() -> bytes:
    """A member whose size, in the binary form of GNU tar, would send a reader back to where it was."""
    info, _ = entry(f"{TOP}/README.md")
    info.size = -512
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + packed.tar(file_entries()))


def negative_extended_size() -> bytes:
    """The same by an extended header."""
    info, data = entry(f"{TOP}/README.md")
    info.pax_headers = {"size": "-512"}
    return pack([*file_entries(), (info, data)])


def broken_header() -> bytes:
    """An intact gzip whose tar has one flipped bit in the header of its second member."""
    body = bytearray(packed.tar(file_entries(), comment=None))
    start = 512 + 512 * -(-len(FILES["LICENSE"]) // 512)
    body[start] ^= 1
    return gzip.compress(bytes(body), mtime=0)


def evil(name: str, **options: bytes | str) -> Callable[[], bytes]:
    return lambda: pack([*file_entries(), entry(name, **options)])  # type: ignore[arg-type]


def without_end(blocks: int) -> bytes:
    body = packed.tar(file_entries(), comment=None)
    size = len(body.rstrip(b"\0"))
    return gzip.compress(body[: -(-size // 512) * 512 + blocks * 512], mtime=0)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "path climbs out": (evil(f"{TOP}/../../evil"), "leads out of the archive"),
    "path of a used file climbs out": (evil(f"{TOP}/logs/../../one.evtx"), "leads out of the archive"),
    "path climbs out in Windows' way": (evil(f"{TOP}/logs\\..\\..\\one.evtx"), "leads out of the archive"),
    "path of an extended header climbs out": (lambda: pax_path(f"{TOP}/../evil"), "leads out of the archive"),
    "absolute path": (evil("/etc/cron.d/evil"), "absolute or unreadable path"),
    "absolute path of Windows": (evil("C:/evil.evtx"), "absolute or unreadable path"),
    "network path of Windows": (evil("\\\\host\\share\\evil.evtx"), "absolute or unreadable path"),
    "path with a zero byte": (lambda: pax_path(f"{TOP}/a\0b"), "absolute or unreadable path|damaged"),
    "second top folder": (evil("other/logs/one.evtx"), "is not in the folder"),
    "no top folder": (lambda: pack([entry(path, data) for path, data in FILES.items()]), "is not in the folder"),
    "top folder of another commit": (
        lambda: pack([entry(f"sample-{'f' * 40}/{path}", data) for path, data in FILES.items()], comment=None),
        "is not in the folder",
    ),
    "commit id of another commit": (lambda: pack(file_entries(), comment="f" * 40), "is of commit f{40}, not of"),
    "path with an empty part": (evil(f"{TOP}//logs/one.evtx"), "empty part"),
    "path with a dot part": (evil(f"{TOP}/./logs/one.evtx"), "empty part"),
    "symbolic link at a used path": (
        evil(f"{TOP}/logs/extra.evtx", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        "link, a device or another special file",
    ),
    "hard link at a used path": (
        evil(f"{TOP}/logs/extra.evtx", kind=tarfile.LNKTYPE, link=f"{TOP}/logs/one.evtx"),
        "link, a device or another special file",
    ),
    "device at a used path": (evil(f"{TOP}/logs/extra.evtx", kind=tarfile.CHRTYPE), "special file"),
    "pipe at a used path": (evil(f"{TOP}/logs/extra.evtx", kind=tarfile.FIFOTYPE), "special file"),
    "sparse file": (sparse_file, "special file"),
    "same path twice": (evil(f"{TOP}/logs/one.evtx", data=FILES["logs/one.evtx"]), "occurs twice"),
    "paths that differ in case": (evil(f"{TOP}/logs/ONE.evtx"), "differ only in case"),
    "escape sequence in a used path": (evil(f"{TOP}/logs/\x1b[2Jx.evtx"), r"'logs/\\x1b\[2Jx.evtx' has a character"),
    "stream of a Windows file": (evil(f"{TOP}/logs/one.txt:x.evtx"), "no part of a portable file name"),
    "path that is no text": (evil(f"{TOP}/logs/\udcff.evtx"), "no part of a portable file name"),
    "wrong content": (
        lambda: pack(file_entries({**FILES, "logs/one.evtx": b"ElfFile\0evil"})),
        f"'logs/one.evtx' has blob id [0-9a-f]{{40}}, but commit {SOURCE.commit[:12]} has {BLOBS['logs/one.evtx']}",
    ),
    "foreign file": (lambda: pack(file_entries({**FILES, "rules/mine.yml": b"title: mine\n"})), "foreign file"),
    "more files than one entry allows": (
        lambda: pack(
            file_entries({**FILES, "logs/a/T1000.1/odd.evtx": b"first", "logs/b/T1000.2/odd.evtx": b"second"})
        ),
        "'logs/b/T1000.2/odd.evtx' is a foreign file",
    ),
    "none of the files": (lambda: pack([entry(f"{TOP}/README.md", b"# sample\n")]), "none of the files"),
    "huge archive": (lambda: GOOD + NOISE + NOISE, "more than the 200000 of the limit"),
    "too many members": (
        lambda: pack([*file_entries(), *(entry(f"{TOP}/{number}") for number in range(30))]),
        "more than 30 members",
    ),
    "huge used file": (
        lambda: pack(file_entries({**FILES, "logs/extra.evtx": NOISE[:60_001]})),
        "more than the 60000 of a file's limit",
    ),
    "bomb in one file": (evil(f"{TOP}/big.bin", data=bytes(350_000)), "more than 20 times its size"),
    "bomb in many files": (
        lambda: pack([*file_entries(), *(entry(f"{TOP}/{number}", bytes(30_000)) for number in range(10))]),
        "more than 20 times its size",
    ),
    "bomb after the end": (lambda: gzip.compress(packed.tar(file_entries()) + bytes(350_000)), "20 times its size"),
    "too big unpacked": (
        lambda: pack([entry(f"{TOP}/{at}", NOISE[at : at + 5000] * 10) for at in range(0, 45_000, 5000)]),
        "unpacks to more than 400000 bytes",
    ),
    "huge extended header": (evil(f"{TOP}/{'x' * 3000}"), r"a header of \d+ bytes"),
    "negative size": (negative_size, "a header of -512 bytes"),
}

DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "damaged"),
    "web page": (lambda: b"<!DOCTYPE html><p>Sign in", "damaged or truncated gzip"),
    "gzip of a web page": (lambda: gzip.compress(b"<!DOCTYPE html><p>Sign in" * 50), "damaged tar"),
    "gzip of nothing": (lambda: gzip.compress(b""), "damaged tar"),
    "tar without gzip": (lambda: packed.tar(file_entries()), "damaged or truncated gzip"),
    "cut in its middle": (lambda: GOOD[: len(GOOD) // 2], "damaged or truncated gzip"),
    "cut before its checksum": (lambda: GOOD[:-8], "damaged or truncated gzip"),
    "cut by one byte": (lambda: GOOD[:-1], "damaged or truncated gzip"),
    "wrong checksum": (lambda: GOOD[:-8] + bytes(4) + GOOD[-4:], "damaged or truncated gzip"),
    "something after it": (lambda: GOOD + b"more", "damaged or truncated gzip"),
    "broken header in the middle": (broken_header, "no end marker"),
    "tar cut inside a file": (
        lambda: gzip.compress(packed.tar(file_entries(), comment=None)[: 512 * 4], mtime=0),
        "truncated tar|unexpected end",
    ),
    "tar without its end marker": (lambda: without_end(0), "no end marker"),
    "tar with half its end marker": (lambda: without_end(1), "end marker is cut off"),
    "negative size in an extended header": (negative_extended_size, "damaged"),
    "data after the end marker": (
        lambda: gzip.compress(packed.tar(file_entries()) + packed.tar(file_entries()), mtime=0),
        "data after its end marker",
    ),
}


def extract(body: bytes, folder: Path, limits: ArchiveLimits = SMALL_LIMITS) -> SourceManifest:
    """Extracts an archive in ``folder`` into ``folder/cache/target``, with the small source's blob ids."""
    (folder / "cache").mkdir(exist_ok=True)
    archive = folder / SOURCE.archive_name
    archive.write_bytes(body)
    return extract_source(archive, SOURCE, BLOBS, folder / "cache" / "target", limits=limits)


def everything_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an extracted source, without the manifest."""
    found = everything_below(folder)
    found.pop(MANIFEST_NAME)
    return found


@pytest.mark.parametrize(("body", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_or_foreign_archive_is_refused(body: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        extract(body(), tmp_path)
    assert str(tmp_path / SOURCE.archive_name) in str(caught.value)
    assert str(caught.value).isprintable()
    assert not isinstance(caught.value, DamagedArchive)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(("body", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_archive_is_refused_as_damaged(body: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedArchive, match=reason) as caught:
        extract(body(), tmp_path)
    assert str(tmp_path / SOURCE.archive_name) in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_extended_headers_without_end_are_refused(tmp_path: Path) -> None:
    """Each announces another one; tarfile calls itself for each."""
    header = entry(f"{TOP}/x", b"11 path=ab\n", kind=tarfile.XHDTYPE)
    body = gzip.compress(packed.tar([header] * 3000, comment=None, form=tarfile.USTAR_FORMAT))
    with pytest.raises(SourceError, match="nests extended headers without end"):
        extract(body, tmp_path, limits=ArchiveLimits())
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("name", ["wrong content", "bomb in one file", "absolute path"])
def test_a_refused_archive_leaves_the_earlier_extraction_as_it_was(name: str, tmp_path: Path) -> None:
    extract(GOOD, tmp_path)
    before = everything_below(tmp_path / "cache")
    with pytest.raises(SourceError):
        extract(HOSTILE[name][0](), tmp_path)
    assert everything_below(tmp_path / "cache") == before


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_common_form_of_tar_is_read(form: int, tmp_path: Path) -> None:
    entries: list[Entry] = file_entries() if form == tarfile.USTAR_FORMAT else forge_entries()
    assert extract(pack(entries, form=form), tmp_path).files == len(FILES)
    assert contents(tmp_path / "cache" / "target") == FILES


def test_what_is_not_used_is_never_extracted(tmp_path: Path) -> None:
    extract(GOOD, tmp_path)
    assert contents(tmp_path / "cache" / "target") == FILES
    assert not (tmp_path / "cache" / "target" / "latest").is_symlink()


@given(st.data())
def test_a_changed_archive_is_refused_or_changes_nothing(data: st.DataObject) -> None:
    """Any bytes overwritten, and any cut: the content is right or there is none."""
    body = bytearray(GOOD)
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3), label="positions"):
        body[at] = data.draw(st.integers(0, 255), label="byte")
    end = data.draw(st.none() | st.integers(0, len(body)), label="cut")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            extract(bytes(body[:end]), folder)
        except SourceError:
            assert list((folder / "cache").iterdir()) == []
        else:
            assert contents(folder / "cache" / "target") == FILES


@given(st.data())
def test_a_changed_tar_inside_an_intact_gzip_never_yields_a_wrong_file(data: st.DataObject) -> None:
    body = bytearray(packed.tar(forge_entries()))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=3), label="positions"):
        body[at] = data.draw(st.integers(0, 255), label="byte")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            manifest = extract(gzip.compress(bytes(body), compresslevel=1), folder)
        except SourceError:
            assert list((folder / "cache").iterdir()) == []
        else:
            found = contents(folder / "cache" / "target")
            assert found == {path: FILES[path] for path in found}
            assert {*found, *manifest.absent} >= FILES.keys()
