"""Which files are logs, what they are called, and when their content is read again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sigma_env.errors import StoreError
from sigma_env.events import logs
from sigma_env.events.logs import UNREADABLE, LogRoot, digests, find_logs

OLD = 1_000_000_000


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (OLD, OLD))
    return path


def names(*roots: Path | LogRoot) -> list[str]:
    return [f.name for f in find_logs([r if isinstance(r, LogRoot) else LogRoot(r) for r in roots])]


def test_folders_are_searched_at_any_depth_and_names_are_sorted(tmp_path: Path) -> None:
    for name in ("b.evtx", "a/z.EVTX", "a/b/c.Evtx", "B.evtx", "a.evtx", "a/notes.txt", "a/x.json", "evtx"):
        put(tmp_path / "logs" / name)
    assert names(tmp_path / "logs") == ["B.evtx", "a.evtx", "a/b/c.Evtx", "a/z.EVTX", "b.evtx"]


def test_a_file_that_is_named_is_a_log_whatever_its_suffix(tmp_path: Path) -> None:
    files = [put(tmp_path / name) for name in ("a.json", "b.evt", "c.evtx")]
    assert names(*files) == ["a.json", "b.evt", "c.evtx"]


def test_prefixes_stand_before_names(tmp_path: Path) -> None:
    put(tmp_path / "one" / "a.evtx")
    put(tmp_path / "two" / "a.evtx", "y")
    assert names(LogRoot(tmp_path / "one", "first"), LogRoot(tmp_path / "two", "x/y")) == ["first/a.evtx", "x/y/a.evtx"]


def test_roots_with_files_of_one_name_give_them_their_own(tmp_path: Path) -> None:
    for name in ("p/logs/a.evtx", "q/logs/a.evtx", "r/b.evtx"):
        put(tmp_path / name)
    found = names(tmp_path / "p" / "logs", tmp_path / "q" / "logs", tmp_path / "r")
    assert found == ["b.evtx", "logs-2/a.evtx", "logs/a.evtx"]
    assert names(tmp_path / "p" / "logs" / "a.evtx", tmp_path / "r") == ["a.evtx", "b.evtx"]


def test_a_file_under_two_roots_is_one_file(tmp_path: Path) -> None:
    path = put(tmp_path / "logs" / "a.evtx")
    assert names(tmp_path / "logs", path, tmp_path / "logs") == ["a.evtx"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "logs" / "a" / "x.evtx")
    put(tmp_path / "elsewhere" / "y.evtx")
    (tmp_path / "logs" / "a" / "up").symlink_to(tmp_path / "logs")
    (tmp_path / "logs" / "far").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "logs" / "same.evtx").symlink_to(tmp_path / "logs" / "a" / "x.evtx")
    (tmp_path / "logs" / "gone.evtx").symlink_to(tmp_path / "nothing")
    assert names(tmp_path / "logs") == ["a/x.evtx", "far/y.evtx"]


def test_a_folder_called_like_a_log_is_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "logs" / "dir.evtx" / "x.evtx")
    assert names(tmp_path / "logs") == ["dir.evtx/x.evtx"]


def test_names_that_are_no_unicode_can_be_shown(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.evtx")).write_text("x")
    assert names(folder) == ["\\udcff.evtx"]


def test_a_root_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere: No such file"):
        find_logs([LogRoot(tmp_path / "nowhere")])


class TestDigests:
    def test_they_are_of_the_content(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.evtx", "content")
        assert digests(find_logs([LogRoot(path)])) == [hashlib.sha256(b"content").hexdigest()]

    def test_files_that_kept_size_and_times_are_not_read_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "_SETTLED_NS", -(10**12))  # as if the files had been written long ago
        paths = [put(tmp_path / "logs" / name, name) for name in ("a.evtx", "b.evtx")]
        files = find_logs([LogRoot(tmp_path / "logs")])
        first = digests(files)
        read: list[str] = []
        monkeypatch.setattr(logs, "_digest", lambda file: read.append(file.name) or "new")
        assert digests(files) == first
        assert read == []
        put(paths[1], "other")
        os.utime(paths[1], (OLD + 1, OLD + 1))
        assert digests(find_logs([LogRoot(tmp_path / "logs")])) == [first[0], "new"]
        assert read == ["b.evtx"]

    def test_a_file_written_just_now_is_read_again(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.evtx", "one")  # its change time is now, whatever its time of modification says
        first = digests(find_logs([LogRoot(path)]))
        [notes] = (tmp_path / "cache" / "digests").iterdir()
        assert notes.read_bytes() == b"{}"
        put(path, "two")
        assert digests(find_logs([LogRoot(path)])) != first

    @pytest.mark.parametrize("junk", [b"", b"[]", b"{", b'{"a.evtx": 5}', b'{"a.evtx": [1, 2]}', b"\xff"])
    def test_damaged_notes_are_ignored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junk: bytes) -> None:
        monkeypatch.setattr(logs, "_SETTLED_NS", -(10**12))
        files = find_logs([LogRoot(put(tmp_path / "a.evtx"))])
        first = digests(files)
        [notes] = (tmp_path / "cache" / "digests").iterdir()
        notes.write_bytes(junk)
        assert digests(files) == first

    def test_a_file_that_cannot_be_read_has_the_reason_instead(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.evtx")
        files = find_logs([LogRoot(path)])
        path.unlink()
        assert digests(files) == [UNREADABLE + "No such file or directory"]
