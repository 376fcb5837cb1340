from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from sigma_env.corpora import ensure_sources, fetch, source_path
from sigma_env.corpora.catalogue import catalogue
from sigma_env.corpora.download import DownloadPolicy
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.errors import SourceError
from tests.corpora.packed import BLOBS, FILES, SOURCE, TOP, file_entries, forge_entries, pack
from tests.corpora.served import Forge, cut, ranged, status, whole

GOOD = pack(forge_entries())
WRONG = pack(file_entries({**FILES, "logs/one.evtx": b"ElfFile\0evil"}))
NO_WAIT = DownloadPolicy(sleep=lambda _: None)


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def remains(cache: Path) -> list[str]:
    """Everything in the cache but the lock files, which stay for the next fetch."""
    return [path for path in files_below(cache) if not path.startswith("locks/")]


class Notes:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.phases: dict[str, tuple[int, int | None]] = {}
        self.retries: list[str] = []

    def advance(self, source: str, phase: str, done: int, total: int | None) -> None:
        self.phases[f"{source} {phase}"] = (done, total)

    def retrying(self, *notice: str) -> None:
        self.retries.append(notice[1])


def test_a_source_is_downloaded_verified_and_found(sample: Path, forge: Forge) -> None:
    forge.script = [ranged(GOOD)]
    [report] = fetch(["sample"])
    assert (report.name, report.origin, report.path) == ("sample", "download", sample)
    assert forge.requests[0][0] == f"/someone/sample/archive/{SOURCE.commit}.tar.gz"
    assert source_path("sample") == sample
    assert {path: (sample / path).read_bytes() for path in FILES} == FILES
    assert files_below(sample) == sorted([*FILES, "manifest.json"])


def test_nothing_but_the_source_remains_of_a_download(cache: Path, sample: Path, forge: Forge) -> None:
    forge.script = [ranged(GOOD)]
    fetch()
    assert all(path.startswith(f"sources/{TOP}/") for path in remains(cache))


def test_what_is_here_and_whole_is_not_fetched_again(sample: Path, forge: Forge) -> None:
    forge.script = [ranged(GOOD)]
    [first] = fetch()
    [second] = fetch()
    assert second.origin == "cache"
    assert second.manifest == first.manifest
    assert len(forge.requests) == 1


def test_what_is_here_is_fetched_again_by_force(sample: Path, forge: Forge) -> None:
    forge.otherwise = ranged(GOOD)
    fetch()
    assert fetch(force=True)[0].origin == "download"
    assert len(forge.requests) == 2


def test_what_is_no_longer_whole_is_fetched_again(sample: Path, forge: Forge) -> None:
    forge.otherwise = ranged(GOOD)
    fetch()
    (sample / "logs/one.evtx").unlink()
    assert fetch()[0].origin == "download"
    assert (sample / "logs/one.evtx").read_bytes() == FILES["logs/one.evtx"]


def test_a_wrong_archive_is_refused_at_once_and_leaves_nothing(cache: Path, sample: Path, forge: Forge) -> None:
    forge.otherwise = ranged(WRONG)
    with pytest.raises(SourceError, match=r"'logs/one\.evtx' has blob id"):
        fetch()
    assert len(forge.requests) == 1
    assert remains(cache) == []
    with pytest.raises(SourceError, match="sigma-env fetch sample"):
        source_path("sample")


def test_force_keeps_what_is_here_when_the_new_archive_is_refused(sample: Path, forge: Forge) -> None:
    forge.script = [ranged(GOOD), ranged(WRONG)]
    [first] = fetch()
    with pytest.raises(SourceError):
        fetch(force=True)
    assert fetch()[0].manifest == first.manifest


def test_a_damaged_download_is_repeated_once(cache: Path, sample: Path, forge: Forge) -> None:
    notes = Notes()
    forge.script = [whole(GOOD[:-10]), whole(GOOD)]
    assert fetch(progress=notes)[0].origin == "download"
    assert len(notes.retries) == 1
    assert "truncated gzip" in notes.retries[0]


def test_a_download_that_stays_damaged_is_refused(cache: Path, sample: Path, forge: Forge) -> None:
    forge.otherwise = whole(GOOD[:-10])
    with pytest.raises(SourceError, match="truncated gzip"):
        fetch()
    assert len(forge.requests) == 2
    assert remains(cache) == []


def test_a_continued_download_that_does_not_fit_together_is_repeated(sample: Path, forge: Forge) -> None:
    """The forge packed the commit anew meanwhile, to the same size, and sends no tag that would tell."""
    changed = bytearray(GOOD)
    changed[len(GOOD) - 20] ^= 0xFF
    forge.script = [ranged(GOOD, etag=None, at=500), ranged(bytes(changed), etag=None), ranged(GOOD, etag=None)]
    assert fetch(policy=NO_WAIT)[0].origin == "download"
    assert forge.ranges == [None, "bytes=500-", None]


def test_a_continued_download_that_is_refused_is_repeated(sample: Path, forge: Forge) -> None:
    """What is put together of two requests may mix two files, so its refusal says nothing of the forge's own."""
    forge.script = [ranged(WRONG, at=200), ranged(WRONG), ranged(GOOD)]
    assert fetch(policy=NO_WAIT)[0].origin == "download"
    assert len(forge.requests) == 3


def test_an_interrupted_download_is_continued_by_the_next_fetch(cache: Path, sample: Path, forge: Forge) -> None:
    forge.script = [cut(GOOD, 500)]
    with pytest.raises(SourceError, match="500 bytes are kept"):
        fetch(policy=DownloadPolicy(attempts=1))
    assert remains(cache) == [f"downloads/{SOURCE.archive_name}.part", f"downloads/{SOURCE.archive_name}.part.json"]
    forge.script = [ranged(GOOD)]
    fetch()
    assert forge.ranges == [None, "bytes=500-"]
    assert source_path("sample") == sample


def test_an_interrupt_while_verifying_leaves_nothing(cache: Path, sample: Path, forge: Forge) -> None:
    class Interrupt(Notes):
        def advance(self, *event: object) -> None:
            if "verify" in event:
                raise KeyboardInterrupt

    forge.script = [ranged(GOOD)]
    with pytest.raises(KeyboardInterrupt):
        fetch(progress=Interrupt())
    assert remains(cache) == []


def test_progress_covers_both_phases_and_retries(sample: Path, forge: Forge) -> None:
    notes = Notes()
    forge.script = [status(503), ranged(GOOD)]
    fetch(progress=notes, policy=NO_WAIT)
    assert notes.phases == {"sample download": (len(GOOD), len(GOOD)), "sample verify": (len(GOOD), len(GOOD))}
    assert notes.retries == ["status 503"]


def test_fetches_at_the_same_time_download_once(sample: Path, forge: Forge) -> None:
    arrived, go = threading.Event(), threading.Event()

    class Wait(Notes):
        def advance(self, *_: object) -> None:
            arrived.set()
            go.wait(60)

    forge.otherwise = ranged(GOOD)
    origins: list[str] = []
    first = threading.Thread(target=lambda: origins.append(fetch(progress=Wait())[0].origin))
    first.start()
    assert arrived.wait(60)
    second = threading.Thread(target=lambda: origins.append(fetch()[0].origin))
    second.start()
    go.set()
    first.join()
    second.join()
    assert Counter(origins) == {"download": 1, "cache": 1}
    assert len(forge.requests) == 1


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_mirror_is_read_by_the_same_code_and_without_the_forge(
    by_variable: bool, sample: Path, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / SOURCE.archive_name).write_bytes(GOOD)
    if by_variable:
        monkeypatch.setenv(MIRROR_VARIABLE, str(folder))
    [report] = fetch(mirror=None if by_variable else folder)
    assert report.origin == "mirror"
    assert files_below(folder) == [SOURCE.archive_name]
    (folder / SOURCE.archive_name).write_bytes(WRONG)
    with pytest.raises(SourceError, match=r"'logs/one\.evtx' has blob id"):
        fetch(mirror=folder, force=True)
    assert forge.requests == []


def test_a_mirror_without_the_archive_names_the_file(sample: Path, forge: Forge, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"{SOURCE.archive_name}: the mirror has no such file.*{SOURCE.url}"):
        fetch(mirror=tmp_path)
    assert forge.requests == []


def test_an_unknown_name_fetches_nothing(sample: Path, forge: Forge) -> None:
    with pytest.raises(SourceError, match="'other'; the catalogue has sample"):
        fetch(["sample", "other"])
    assert forge.requests == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match=f"{tmp_path / 'file'}"):
        fetch()


def test_ensuring_uses_a_mirror_but_never_the_forge(sample: Path, forge: Forge, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="get it with: sigma-env fetch sample"):
        ensure_sources(["sample"])
    (tmp_path / SOURCE.archive_name).write_bytes(GOOD)
    assert ensure_sources(["sample"], mirror=tmp_path) == {"sample": sample}
    (tmp_path / SOURCE.archive_name).unlink()
    assert ensure_sources(["sample"], mirror=tmp_path) == {"sample": sample}
    assert forge.requests == []


def test_an_extraction_of_another_commit_is_not_this_source(sample: Path, forge: Forge) -> None:
    forge.script = [ranged(GOOD)]
    fetch()
    manifest = sample / "manifest.json"
    manifest.write_text(manifest.read_text().replace(SOURCE.commit, "f" * 40))
    with pytest.raises(SourceError, match="is not here yet"):
        source_path("sample")


def test_the_small_sources_ids_are_as_many_as_its_files() -> None:
    assert BLOBS.keys() == FILES.keys()


def test_the_real_sources_come_from_the_mirror(cache: Path, mirror: Path) -> None:
    reports = {report.name: report for report in fetch(mirror=mirror)}
    suffixes = {
        name: Counter(Path(path).suffix for path in files_below(report.path)) for name, report in reports.items()
    }
    for name, logs in {"sigma": 202, "EVTX-ATTACK-SAMPLES": 277, "hayabusa-sample-evtx": 593}.items():
        assert suffixes[name][".evtx"] == logs + len(reports[name].manifest.unverified)
    assert (source_path("sigma") / "LICENSE").is_file()
    for name, report in reports.items():
        source = catalogue().find(name)
        assert report.manifest.licence == source.licence
        assert report.manifest.files == sum(suffixes[name].values()) - 1
        # A mirror may have the files whose ids are not recorded or lack them; none is lost from sight.
        assert len(report.manifest.absent) + len(report.manifest.unverified) == len(source.unverified)
    assert {report.origin for report in fetch()} == {"cache"}


def test_a_real_source_comes_from_a_forge(cache: Path, mirror: Path, forge: Forge) -> None:
    source = catalogue().find("EVTX-ATTACK-SAMPLES")
    body = (mirror / source.archive_name).read_bytes()
    forge.script = [ranged(body, at=len(body) // 3), ranged(body)]
    [report] = fetch([source.name], policy=NO_WAIT)
    assert forge.requests[0][0] == f"/sbousseaden/EVTX-ATTACK-SAMPLES/archive/{source.commit}.tar.gz"
    assert (report.origin, report.manifest.files) == ("download", 278 + len(report.manifest.unverified))
