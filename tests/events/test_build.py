"""Stores in the cache: built once, shared by processes, built again when anything about them is not right."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from sigma_env.errors import StoreError
from sigma_env.events import build as build_module
from sigma_env.events import reader
from sigma_env.events.build import build, log_paths
from sigma_env.events.content import LogFile, Unreadable
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from tests.events.logs_made import event, numbered, same, write_log


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with three logs, two of them equal."""
    folder = tmp_path / "logs"
    write_log(folder / "b" / "two.evtx", numbered(3, "b"))
    write_log(folder / "a.evtx", [*numbered(2, "a"), event([("New Value", "1")], event_id=3)])
    shutil.copyfile(folder / "a.evtx", folder / "z.evtx")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that a build reads, from here on."""
    names: list[str] = []
    read_logs = reader.read_logs

    def noted(paths: Sequence[Path]) -> Any:
        names.extend(path.name for path in paths)
        return read_logs(paths)

    monkeypatch.setattr(reader, "read_logs", noted)
    return names


def built(*paths: Path) -> EventStore:
    return build([LogRoot(path) for path in paths])


def kept(tmp_path: Path) -> Path:
    [folder] = (tmp_path / "cache" / "stores").iterdir()
    return folder


def test_events_of_all_files_in_one_store(logs: Path) -> None:
    store = built(logs)
    assert [(p.event_id, p.n_rows) for p in store.partitions] == [(1, 5), (3, 1)]
    assert [(r.file, r.record_id, r.position) for r in store.refs(range(6))] == [
        ("a.evtx", 1, 0),
        ("a.evtx", 2, 1),
        ("b/two.evtx", 1, 0),
        ("b/two.evtx", 2, 1),
        ("b/two.evtx", 3, 2),
        ("a.evtx", 1, 2),
    ]
    assert [store.event(r).get("Image") for r in range(5)] == ["a1.exe", "a2.exe", "b1.exe", "b2.exe", "b3.exe"]
    assert store.event(5)["NewValue"] == "1"


def test_equal_files_are_read_once_under_the_first_name(logs: Path, reads: list[str]) -> None:
    store = built(logs)
    size = (logs / "a.evtx").stat().st_size
    assert reads == ["a.evtx", "two.evtx"]
    assert store.files[0] == LogFile("a.evtx", ("z.evtx",), size, 3)
    assert store.resolve("z.evtx:2") == store.resolve("a.evtx:2") == 1


def test_the_second_time_nothing_is_read(logs: Path, reads: list[str]) -> None:
    first = built(logs)
    second = built(logs)
    assert reads == ["a.evtx", "two.evtx"]
    assert same(first, second)
    assert first.fingerprint == second.fingerprint


def test_what_stands_elsewhere_under_the_same_names_is_the_same_store(logs: Path, reads: list[str]) -> None:
    first = built(logs)
    logs.rename(logs.with_name("moved"))
    assert built(logs.with_name("moved")).fingerprint == first.fingerprint
    assert len(reads) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda logs: (logs / "a.evtx").rename(logs / "c.evtx"),
        lambda logs: (logs / "z.evtx").unlink(),
        lambda logs: write_log(logs / "a.evtx", numbered(2, "other")),
        lambda logs: write_log(logs / "new.evtx", []),
    ],
)
def test_other_names_or_contents_are_another_store(logs: Path, change: Callable[[Path], object]) -> None:
    first = built(logs)
    change(logs)
    assert built(logs).fingerprint != first.fingerprint


def test_an_open_store_outlives_its_files(logs: Path, tmp_path: Path) -> None:
    built(logs)
    store = built(logs)
    shutil.rmtree(tmp_path / "cache")
    assert store.event(0)["Image"] == "a1.exe"


def test_what_cannot_be_read_is_listed_and_stays_listed(logs: Path) -> None:
    (logs / "empty.evtx").touch()
    (logs / "other.evtx").write_bytes(b"no log" * 1000)
    for store in (built(logs), built(logs)):
        assert store.n_events == 6
        empty, other = store.unreadable
        assert empty == Unreadable("empty.evtx", None, "the file is empty")
        assert other[:2] == ("other.evtx", None)
        assert "header" in other.reason


def test_a_file_that_cannot_be_opened_is_listed(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = build_module.digests
    monkeypatch.setattr(
        build_module,
        "digests",
        lambda files: [
            "unreadable: Permission denied" if f.name == "a.evtx" else d
            for f, d in zip(files, digests(files), strict=True)
        ],
    )
    store = built(logs)
    assert store.unreadable == [Unreadable("a.evtx", None, "Permission denied")]
    assert [f.name for f in store.files] == ["b/two.evtx", "z.evtx"]


def test_a_flood_of_problems_is_counted_not_listed(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "_PROBLEMS_LISTED", 2)
    path = logs / "lines.jsonl"
    path.write_text("no\n" * 7)
    store = built(path)
    assert [u.position for u in store.unreadable] == [0, 1, None]
    assert store.unreadable[2].reason == "5 more records like these"


def test_records_over_a_limit_are_listed(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigma_env.events.builder.MAX_PARTITIONS", 1)
    store = built(logs)
    assert [(p.event_id, p.n_rows) for p in store.partitions] == [(1, 5)]
    assert store.unreadable == [Unreadable("a.evtx", 2, "the logs have over 1 pairs of channel and EventID")]


def test_no_logs_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(StoreError, match=r"no \.evtx file under .*nothing"):
        built(tmp_path / "nothing")


def test_a_file_that_changes_while_it_is_read_is_an_error(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changing(paths: Sequence[Path]) -> Any:
        with paths[0].open("ab") as stream:
            stream.write(b"more")
        return read_logs(paths)

    read_logs = reader.read_logs
    monkeypatch.setattr(reader, "read_logs", changing)
    with pytest.raises(StoreError, match=r"a\.evtx changed while it was read"):
        built(logs)


def test_progress_goes_from_nothing_to_all(logs: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    build([LogRoot(logs)], lambda *call: calls.append(call))
    total = sum((logs / name).stat().st_size for name in ("a.evtx", "b/two.evtx"))
    assert [c[0] for c in calls] == ["a.evtx", "b/two.evtx", ""]
    assert [c[1] for c in calls] == [0, (logs / "a.evtx").stat().st_size, total]
    assert {c[2] for c in calls} == {total}


def rewrite_meta(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "store.json"
        path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changes))

    return change


def shifted(content: bytes) -> bytes:
    """The content with its beginning and its end, but not as long."""
    return content[:1000] + b"inserted" + content[1000:]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut columns": lambda f: os.truncate(f / "columns.arrow", (f / "columns.arrow").stat().st_size - 100),
    "empty columns": lambda f: os.truncate(f / "columns.arrow", 0),
    "overwritten columns": lambda f: (f / "columns.arrow").write_bytes(b"\0" * (f / "columns.arrow").stat().st_size),
    "longer columns": lambda f: (f / "columns.arrow").write_bytes(shifted((f / "columns.arrow").read_bytes())),
    "no columns": lambda f: (f / "columns.arrow").unlink(),
    "cut refs": lambda f: os.truncate(f / "refs.arrow", 10),
    "no refs": lambda f: (f / "refs.arrow").unlink(),
    "no meta": lambda f: (f / "store.json").unlink(),
    "cut meta": lambda f: os.truncate(f / "store.json", 50),
    "empty meta": lambda f: (f / "store.json").write_bytes(b"{}"),
    "meta is a list": lambda f: (f / "store.json").write_bytes(b"[]"),
    "older format": rewrite_meta(format=0),
    "more rows than refs": rewrite_meta(n_rows=7),
    "more columns than there are": rewrite_meta(n_columns=10**9),
    "an empty folder": lambda f: [p.unlink() for p in f.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_outdated_store_is_built_again_and_said_so(
    logs: Path, tmp_path: Path, reads: list[str], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = pickle_of_events(built(logs))
    reads.clear()
    DAMAGES[damage](kept(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert pickle_of_events(built(logs)) == first
    assert reads == ["a.evtx", "two.evtx"]
    assert "the kept store is built again" in caplog.text
    reads.clear()
    assert pickle_of_events(built(logs)) == first
    assert reads == []


def pickle_of_events(store: EventStore) -> list[object]:
    return [store.event(row) for row in range(store.n_events)]


def test_a_build_that_fails_leaves_nothing(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object, folder: Path) -> None:
        (folder / "columns.arrow").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sigma_env.events.arrow.save", full)
    store = built(logs)  # what was read can still be used
    assert store.n_events == 6
    assert list((tmp_path / "cache" / "stores").iterdir()) == []


def test_what_a_killed_build_left_is_no_hindrance(logs: Path, tmp_path: Path) -> None:
    fingerprint = built(logs).fingerprint
    stores = tmp_path / "cache" / "stores"
    (stores / fingerprint).rename(stores / f"{fingerprint}.tmp")
    assert built(logs).n_events == 6
    assert [p.name for p in stores.iterdir()] == [fingerprint]


def test_without_a_cache_folder_the_store_is_in_memory(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        assert built(logs).n_events == 6
    assert "the store is not kept" in caplog.text


def test_a_store_knows_where_its_files_lie_until_they_change(logs: Path) -> None:
    for store in (built(logs), pickle.loads(pickle.dumps(built(logs)))):
        assert log_paths(store) == [str(logs / "a.evtx"), str(logs / "b" / "two.evtx")]
    write_log(logs / "a.evtx", numbered(1))
    with pytest.raises(StoreError, match="have changed since they were read"):
        log_paths(store)
    with pytest.raises(StoreError, match="not known where the log files"):
        log_paths(EventStore.from_documents([]))


def test_the_files_are_arrow_that_any_tool_reads(logs: Path, tmp_path: Path) -> None:
    store = built(logs)
    with pa.memory_map(str(kept(tmp_path) / "columns.arrow")) as source:
        rows = pa.ipc.open_file(source).read_all().to_pylist()
    [image] = [r for r in rows if r["field"] == "Image"]
    assert (image["channel"], image["event_id"]) == (store.partitions[0].channel, 1)
    assert image["text"].split(b"\xff")[1:-1] == [b"a1.exe", b"a2.exe", b"b1.exe", b"b2.exe", b"b3.exe"]
    assert image["codes"] == [0, 1, 2, 3, 4]
    [renamed] = [r for r in rows if r["field"] == "NewValue"]
    assert renamed["aliases"] == ["New_Value"]
    with pa.memory_map(str(kept(tmp_path) / "refs.arrow")) as source:
        refs = pa.ipc.open_file(source).read_all().to_pylist()
    assert [r["file"] for r in refs] == [r.file for r in store.refs(range(6))]
    assert [r["time"] for r in refs] == [store.time(row) for row in range(6)]


def test_opening_a_kept_store_needs_no_pyarrow(logs: Path) -> None:
    built(logs)
    code = (
        "import sys; from pathlib import Path; from sigma_env.events.build import build, LogRoot\n"
        f"store = build([LogRoot(Path({str(logs)!r}))]); store.event(0)\n"
        "print([m for m in ('pyarrow', 'evtx', 'filelock', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _build_in_a_process(path: str, start: float) -> tuple[str, list[object]]:
    import time

    time.sleep(max(0.0, start - time.time()))
    store = build([LogRoot(Path(path))])
    return store.fingerprint, [store.event(row) for row in range(store.n_events)]


def test_processes_that_want_the_same_store_get_the_same(logs: Path, tmp_path: Path) -> None:
    import time

    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        together = time.time() + 0.5
        results = pool.starmap(_build_in_a_process, [(str(logs), together)] * 3)
    assert all(result == results[0] for result in results)
    assert kept(tmp_path).name == results[0][0]
    assert len(results[0][1]) == 6


def test_one_process_builds_and_the_others_wait(
    logs: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from threading import Barrier, Thread

    open_kept = build_module._open
    barrier = Barrier(3)
    first_looks: list[str] = []

    def look_together(folder: Path, roots: Sequence[LogRoot]) -> EventStore | None:
        if len(first_looks) < 3:
            first_looks.append(folder.name)
            barrier.wait(10)  # nobody finds the store before all have looked
        return open_kept(folder, roots)

    monkeypatch.setattr(build_module, "_open", look_together)
    stores: list[EventStore] = []
    threads = [Thread(target=lambda: stores.append(built(logs))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == ["a.evtx", "two.evtx"]
    assert [s.n_events for s in stores] == [6, 6, 6]


def test_the_mirror_is_read_whole(mirror: Path, tmp_path: Path) -> None:
    import tarfile

    for archive in sorted(mirror.glob("*.tar.gz")):
        with tarfile.open(archive) as packed:
            members = [m for m in packed if m.isfile() and m.name.lower().endswith(".evtx")]
            packed.extractall(tmp_path / "mirror", members, filter="data")
    store = built(tmp_path / "mirror")
    assert len(store.files) == 790
    assert sum(1 + len(f.aliases) for f in store.files) == 1_072
    assert store.n_events == 25_298
    assert store.unreadable == []
    # 415 events of an ETW trace have no channel, and Defender's own export has its numbers as text.
    assert [(p.event_id, p.n_rows) for p in store.by_channel("")] == [(6, 415), (111, 1)]
    defender = store.find("Microsoft-Windows-Windows Defender/Operational", 1116)
    assert defender is not None
    column = defender.column("Threat_Name")
    assert column is not None
    assert column.find_all(b"hacktool:win64/mikatz!dha")
