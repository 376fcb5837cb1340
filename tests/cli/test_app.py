"""The frame around the commands: lazy loading, help, exit statuses, errors of one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.main import get_command

from sigma_env.cli import _app
from sigma_env.errors import SourceError
from tests import examples


def standing_in(monkeypatch: pytest.MonkeyPatch, function: Callable[..., None]) -> None:
    """Makes `sigma-env doctor` run another function."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command("doctor")(function)
    monkeypatch.setattr(_app, "load_command", lambda _name: get_command(app))


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", _app.COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _app.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: sigma-env {name} ")
    assert "\x1b" not in shown


@pytest.mark.parametrize("name", _app.COMMANDS)
def test_each_help_has_examples_that_the_command_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _app.run([name, "--help"])
    found = [line for line in examples.command_lines(capsys.readouterr().out) if line.split()[1:2] == [name]]
    assert found, f"sigma-env {name} --help shows no example of its use"
    for line in found:
        examples.parse(line)


def test_the_help_groups_all_commands_under_their_summaries(capsys: pytest.CaptureFixture[str]) -> None:
    assert _app.run(["--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for name, entry in _app.COMMANDS.items():
        assert f" {name} {entry.summary}" in words
        assert f" {entry.group}: " in words


def test_the_examples_of_the_help_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    _app.run(["--help"])
    lines = examples.command_lines(capsys.readouterr().out)
    assert len(lines) >= 4
    for line in lines:
        examples.parse(line)


def test_without_arguments_the_help_is_shown_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert _app.run([]) == 2
    assert "sigma-env match --rules" in capsys.readouterr().err


def test_help_imports_no_command_and_nothing_heavy() -> None:
    done = python(
        "import sys; from sigma_env.cli._app import COMMANDS, run; run(['--help']);"
        "heavy = {'rich', 'pydantic', 'numpy', 'pyarrow', 'gymnasium', 'yaml', 'httpx'};"
        "print('LOADED', sorted((heavy | {f'sigma_env.cli.{name}' for name in COMMANDS}) & set(sys.modules)))"
    )
    assert done.stdout.splitlines()[-1] == "LOADED []", done.stderr


def test_a_command_is_imported_without_the_others() -> None:
    done = python(
        "import sys; from sigma_env.cli._app import COMMANDS, run; run(['match', '--help']);"
        "print('LOADED', sorted({f'sigma_env.cli.{name}' for name in COMMANDS} & set(sys.modules)))"
    )
    assert done.stdout.splitlines()[-1] == "LOADED ['sigma_env.cli.match']", done.stderr


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert _app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"sigma-env {version('sigmaforge')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fecth"], "No such command 'fecth'. Did you mean 'fetch'?"),
        (["--colour"], "No such option: --colour"),
        (["fetch", "--mirror"], "Option '--mirror' requires an argument."),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _app.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"Error: {said}" in captured.err


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> NoReturn:
        raise SourceError("a.tar.gz: not an archive; fetch it again")

    standing_in(monkeypatch, fail)
    assert _app.run(["doctor"]) == 1
    assert capsys.readouterr() == ("", "error: a.tar.gz: not an archive; fetch it again\n")


def test_a_file_that_cannot_be_used_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> None:
        (tmp_path / "none").read_bytes()

    standing_in(monkeypatch, fail)
    assert _app.run(["doctor"]) == 1
    assert capsys.readouterr() == ("", f"error: {tmp_path / 'none'}: No such file or directory\n")


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    standing_in(monkeypatch, fail)
    with pytest.raises(ZeroDivisionError):
        _app.run(["doctor"])


@pytest.mark.parametrize(("end", "status"), [(typer.Exit(7), 7), (KeyboardInterrupt(), 130), (typer.Abort(), 130)])
def test_a_command_says_how_it_ended(
    end: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> NoReturn:
        raise end

    standing_in(monkeypatch, stop)
    assert _app.run(["doctor"]) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away_is_no_error(lines: int) -> None:
    writer = (
        "import sys; from sigma_env.cli import _app\n"
        f"def flood(): print('line\\n' * {lines})\n"
        "import typer; from typer.main import get_command; app = typer.Typer(); app.command()(flood)\n"
        "_app.load_command = lambda name: get_command(app)\n"
        "sys.stdin.readline(); sys.exit(_app.run(['doctor']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", writer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate("go\n")
    assert (process.returncode, err) == (141, "")
