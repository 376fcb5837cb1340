from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sigma_env.cli.fetch import fetch
from tests.corpora.packed import FILES, SOURCE, file_entries, forge_entries, pack
from tests.corpora.served import Forge, ranged

app = typer.Typer()
app.command()(fetch)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def archives(tmp_path: Path, sample: Path) -> Path:
    """A mirror of the small source."""
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / SOURCE.archive_name).write_bytes(pack(forge_entries()))
    return folder


def test_it_shows_licence_place_and_what_is_absent(archives: Path, sample: Path) -> None:
    code, out, err = run("--mirror", str(archives))
    assert code == 0
    assert out.splitlines() == [
        "sample: A small source",
        "  licence: CC0-1.0",
        "  taken from the mirror, commit 0123456789ab: 4 files, 0.0 MB",
        f"  {sample}",
    ]
    assert err.splitlines() == [
        f"warning: sample: the archive lacks 2 of the pinned commit's files (all named in {sample / 'manifest.json'}):",
        "    logs/*/T1000*/odd.evtx",
        "    logs/extra.evtx",
    ]


def test_files_without_a_recorded_id_are_named(archives: Path) -> None:
    body = pack(file_entries({**FILES, "logs/extra.evtx": b"new"}))
    (archives / SOURCE.archive_name).write_bytes(body)
    _, _, err = run("--mirror", str(archives))
    assert "warning: sample: 1 files were taken unverified, as no blob id is recorded for them" in err
    assert "\n    logs/extra.evtx\n" in err


def test_it_downloads_when_there_is_no_mirror(sample: Path, forge: Forge) -> None:
    forge.script = [ranged(pack(forge_entries()))]
    code, out, _ = run("sample")
    assert code == 0
    assert "  downloaded, commit 0123456789ab" in out
    assert "  already here" in run("sample")[1]


def test_a_machine_reads_one_object(archives: Path, sample: Path) -> None:
    code, out, _ = run("SAMPLE", "--mirror", str(archives), "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["errors"] == {}
    [report] = answer["sources"]
    assert (report["name"], report["origin"], report["path"]) == ("sample", "mirror", str(sample))
    assert report["manifest"]["licence"] == "CC0-1.0"
    assert report["manifest"]["absent"] == ["logs/*/T1000*/odd.evtx", "logs/extra.evtx"]


def test_a_refusal_is_exit_1_with_its_reason(archives: Path) -> None:
    (archives / SOURCE.archive_name).write_bytes(b"no archive")
    code, out, err = run("--mirror", str(archives))
    assert code == 1
    assert f"error: sample: {archives / SOURCE.archive_name}: damaged or truncated gzip" in err
    code, out, _ = run("--mirror", str(archives), "--json")
    assert code == 1
    assert json.loads(out)["sources"] == []
    assert list(json.loads(out)["errors"]) == ["sample"]


def test_a_terminal_shows_a_bar(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(mirror=archives)
    assert "verify" in terminal.getvalue()


def test_an_unknown_name_is_exit_2_and_lists_the_known(sample: Path) -> None:
    assert run("other") == (2, "", "error: no source is named 'other'; the catalogue has sample\n")


def test_force_fetches_again(archives: Path) -> None:
    run("--mirror", str(archives))
    assert "already here" in run("--mirror", str(archives))[1]
    assert "taken from the mirror" in run("--mirror", str(archives), "--force")[1]


def test_listing_shows_what_is_here_and_gets_nothing(archives: Path, forge: Forge) -> None:
    code, out, err = run("--list")
    assert (code, err) == (0, "")
    assert "sample (not here)" in out
    assert "licence: CC0-1.0" in out
    assert SOURCE.url in out
    assert forge.requests == []
    run("--mirror", str(archives))
    assert "sample (here, 4 files)" in run("--list")[1]
    [described] = json.loads(run("--list", "--json")[1])["sources"]
    assert described["fetched"] is True
    assert described["commit"] == SOURCE.commit


def test_one_source_that_fails_does_not_keep_the_others_out(cache: Path, tmp_path: Path, mirror: Path) -> None:
    name = "EVTX-ATTACK-SAMPLES-4ceed2f4706daf601c212a8f91c113dd85349a2c.tar.gz"
    (tmp_path / name).symlink_to(mirror / name)
    code, out, err = run("sigma", "evtx-attack-samples", "--mirror", str(tmp_path))
    assert code == 1
    assert "the mirror has no such file" in err
    assert "taken from the mirror, commit 4ceed2f4706d" in out
