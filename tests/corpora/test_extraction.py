from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from sigma_env.corpora import pin
from sigma_env.corpora.blobs import blob_file_name, load_blobs, parse_blobs
from sigma_env.corpora.catalogue import catalogue
from sigma_env.corpora.extract import MANIFEST_NAME, SourceManifest, extract_source, is_whole
from sigma_env.errors import SourceError
from tests.corpora.packed import BLOBS, COMMIT, FILES, SOURCE, file_entries, forge_entries, pack


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    return tmp_path / "sources" / "sample"


def put(tmp_path: Path, body: bytes) -> Path:
    archive = tmp_path / SOURCE.archive_name
    archive.write_bytes(body)
    return archive


def without(*paths: str) -> dict[str, bytes]:
    return {path: data for path, data in FILES.items() if path not in paths}


def test_the_manifest_says_what_was_extracted(tmp_path: Path, target: Path) -> None:
    body = pack(forge_entries())
    manifest = extract_source(put(tmp_path, body), SOURCE, BLOBS, target)
    assert manifest == SourceManifest(
        source="sample",
        owner="someone",
        repo="sample",
        commit=COMMIT,
        licence="CC0-1.0",
        archive_sha256=hashlib.sha256(body).hexdigest(),
        files=len(FILES),
        bytes=sum(map(len, FILES.values())),
        absent=("logs/*/T1000*/odd.evtx", "logs/extra.evtx"),
        unverified=(),
    )
    assert SourceManifest.read(target) == manifest


def test_absent_files_are_recorded_and_not_an_error(tmp_path: Path, target: Path) -> None:
    archive = put(tmp_path, pack(file_entries(without("logs/one.evtx", "rules/windows/a.yml"))))
    manifest = extract_source(archive, SOURCE, BLOBS, target)
    assert manifest.files == 2
    assert manifest.absent == ("logs/*/T1000*/odd.evtx", "logs/extra.evtx", "logs/one.evtx", "rules/windows/a.yml")


def test_files_without_a_recorded_id_are_taken_and_reported(tmp_path: Path, target: Path) -> None:
    extra = {"logs/extra.evtx": b"ElfFile\0extra", "logs/x y/T1000.004-z/odd.evtx": b"ElfFile\0odd"}
    manifest = extract_source(put(tmp_path, pack(file_entries({**FILES, **extra}))), SOURCE, BLOBS, target)
    assert manifest.unverified == tuple(extra)
    assert manifest.absent == ()
    assert manifest.files == len(FILES) + 2
    assert (target / "logs/x y/T1000.004-z/odd.evtx").read_bytes() == b"ElfFile\0odd"


def test_a_recorded_id_is_checked_also_where_an_entry_would_allow_the_file(tmp_path: Path, target: Path) -> None:
    archive = put(tmp_path, pack(file_entries({**FILES, "logs/extra.evtx": b"evil"})))
    with pytest.raises(SourceError, match=r"'logs/extra\.evtx' has blob id"):
        extract_source(archive, SOURCE, {**BLOBS, "logs/extra.evtx": "0" * 40}, target)


def test_a_second_extraction_replaces_the_first(tmp_path: Path, target: Path) -> None:
    extract_source(put(tmp_path, pack(forge_entries())), SOURCE, BLOBS, target)
    (target / "logs" / "stray.evtx").write_bytes(b"left by hand")
    extract_source(put(tmp_path, pack(file_entries(without("LICENSE")))), SOURCE, BLOBS, target)
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == sorted(
        [MANIFEST_NAME, "one.evtx", "Two (b) & c.evtx", "a.yml"]
    )
    assert [path.name for path in target.parent.iterdir()] == ["sample"]


@pytest.mark.parametrize("before", [False, True], ids=["first time", "over an earlier one"])
def test_an_interrupt_leaves_nothing_behind(before: bool, tmp_path: Path, target: Path) -> None:
    archive = put(tmp_path, pack(forge_entries()))
    if before:
        extract_source(archive, SOURCE, BLOBS, target)

    def interrupt(done: int, total: int | None) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_source(archive, SOURCE, BLOBS, target, progress=interrupt)
    assert [path.name for path in target.parent.iterdir()] == ["sample"] * before
    manifest = SourceManifest.read(target)
    assert (manifest is not None and is_whole(target, manifest)) == before


def test_a_failed_swap_puts_the_earlier_extraction_back(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = put(tmp_path, pack(forge_entries()))
    first = extract_source(archive, SOURCE, BLOBS, target)
    rename = Path.rename

    def fail_for_new(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fail_for_new)
    with pytest.raises(OSError, match="No space"):
        extract_source(archive, SOURCE, BLOBS, target)
    assert [path.name for path in target.parent.iterdir()] == ["sample"]
    assert is_whole(target, first)


def test_what_a_killed_fetch_left_is_removed_by_the_next(tmp_path: Path, target: Path) -> None:
    left = target.parent / ".sample-abc123" / "new"
    left.mkdir(parents=True)
    (left / "half.evtx").write_bytes(b"ElfF")
    extract_source(put(tmp_path, pack(forge_entries())), SOURCE, BLOBS, target)
    assert [path.name for path in target.parent.iterdir()] == ["sample"]


def test_progress_counts_the_archives_bytes(tmp_path: Path, target: Path) -> None:
    body = pack(forge_entries())
    seen: list[tuple[int, int | None]] = []
    extract_source(put(tmp_path, body), SOURCE, BLOBS, target, progress=lambda *call: seen.append(call))
    assert seen == sorted(seen)
    assert seen[-1] == (len(body), len(body))


def test_an_extraction_is_whole_until_a_file_is_gone_or_changed(tmp_path: Path, target: Path) -> None:
    manifest = extract_source(put(tmp_path, pack(forge_entries())), SOURCE, BLOBS, target)
    assert is_whole(target, manifest)
    (target / "logs/one.evtx").write_bytes(b"shorter")
    assert not is_whole(target, manifest)
    (target / "logs/one.evtx").unlink()
    assert not is_whole(target, manifest)
    assert not is_whole(tmp_path / "nowhere", manifest)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": "sample"}'])
def test_a_manifest_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text)
    assert SourceManifest.read(tmp_path) is None
    assert SourceManifest.read(tmp_path / "nowhere") is None


def test_pinning_records_the_blob_ids_of_an_archive(tmp_path: Path) -> None:
    assert pin.archive_blobs(put(tmp_path, pack(forge_entries())), SOURCE) == BLOBS


def test_pinning_the_mirror_gives_the_shipped_records(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin.main([str(mirror), "--out", str(tmp_path)])
    for source in catalogue().sources.values():
        written = gzip.decompress((tmp_path / blob_file_name(source.name)).read_bytes()).decode()
        # What is recorded is what every archive has; a forge's also has the files that are named unverified.
        recorded = {path: blob for path, blob in parse_blobs(written).items() if source.unverified_entry(path) is None}
        assert recorded == load_blobs(source.name)
    assert capsys.readouterr().out.count(" new, 0 gone, 0 changed") == 3
