"""Which program is used, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.engines.chainsaw_binary import ChainsawMissing, check_version, find_chainsaw
from tests.engines.chainsaw.recordings import stdout_of, with_mapping


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Chainsaw."""
    for name in ("SIGMA_ENV_CHAINSAW", "SIGMA_ENV_CHAINSAW_MAPPING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    return tmp_path


def put(path: Path, says: str = "chainsaw 2.16.4", mapping: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    if mapping:
        with_mapping(path.parent)
    return path


def put_installed(machine: Path) -> Path:
    folder = machine / "cache" / "programs" / "chainsaw-v2.16.4"
    path = put(folder / "chainsaw")
    (folder / "manifest.json").write_text('{"tag": "v2.16.4", "program": "chainsaw"}', encoding="utf-8")
    return path


def test_the_recorded_version_is_the_one_that_is_wanted(machine: Path) -> None:
    assert stdout_of("version") == b"chainsaw 2.16.4\n"
    assert find_chainsaw(put(machine / "x" / "cs", stdout_of("version").decode().strip())).tested


def test_without_one_the_error_names_the_command(machine: Path) -> None:
    with pytest.raises(ChainsawMissing, match="sigma-env chainsaw install"):
        find_chainsaw()
    assert not (machine / "cache").exists()


def test_argument_before_variable_before_path_before_installed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = put_installed(machine)
    assert find_chainsaw().program == installed
    on_path = put(machine / "path" / "chainsaw")
    assert find_chainsaw().program == on_path
    named = put(machine / "named" / "cs")
    monkeypatch.setenv("SIGMA_ENV_CHAINSAW", str(named))
    assert find_chainsaw().program == named
    given = put(machine / "given" / "cs")
    assert find_chainsaw(given).program == given


def test_what_is_named_and_not_there_is_an_error_even_if_there_is_another(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_installed(machine)
    with pytest.raises(ChainsawMissing, match=r"the argument names '.*none'"):
        find_chainsaw(machine / "none")
    monkeypatch.setenv("SIGMA_ENV_CHAINSAW", str(machine / "nothing"))
    with pytest.raises(ChainsawMissing, match=r"SIGMA_ENV_CHAINSAW names '.*nothing'"):
        find_chainsaw()


def test_another_chainsaw_on_path_gives_way_to_the_installed_one(machine: Path) -> None:
    put(machine / "path" / "chainsaw", "Version: v0.2.12")  # a program for Kubernetes has the same name
    with pytest.raises(ChainsawMissing, match="is not WithSecure's Chainsaw, as `--version` says 'Version: v0"):
        find_chainsaw()
    installed = put_installed(machine)
    assert find_chainsaw().program == installed


@pytest.mark.parametrize("version", ["2.16.1", "2.16.2", "2.16.3"])
def test_versions_that_match_too_much_are_refused_with_the_reason(version: str, machine: Path) -> None:
    with pytest.raises(ChainsawMissing, match=rf"is Chainsaw {version}, which matches events that .*issue 235"):
        find_chainsaw(put(machine / "old" / "chainsaw", f"chainsaw {version}"))


@pytest.mark.parametrize("version", ["2.16.0", "2.9.1", "1.1.7"])
def test_older_versions_are_refused(version: str, machine: Path) -> None:
    with pytest.raises(ChainsawMissing, match=r"converts rules otherwise than 2\.16\.4"):
        find_chainsaw(put(machine / "old" / "chainsaw", f"chainsaw {version}"))


def test_newer_versions_are_taken_with_a_warning(machine: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(machine / "new" / "chainsaw", "chainsaw 2.17.0")
    found = find_chainsaw(path)
    assert (found.version_text, found.tested) == ("2.17.0", False)
    assert ChainsawEngine(path).version.startswith("2.17.0-")
    [record] = caplog.records
    assert record.getMessage() == f"{path} is Chainsaw 2.17.0; 2.16.4 is the version that this package was made for"


def test_a_program_that_is_replaced_is_asked_again(machine: Path) -> None:
    path = put(machine / "x" / "chainsaw", "chainsaw 2.16.4")
    assert check_version(path) == (2, 16, 4)
    put(path, "chainsaw 2.16.10")
    assert check_version(path) == (2, 16, 10)


@pytest.mark.parametrize("says", ["", "chainsaw", "chainsaw 2.16", "chainsaw 2.16.4\nchainsaw 2.16.4"])
def test_what_says_no_version_is_refused(says: str, machine: Path) -> None:
    with pytest.raises(ChainsawMissing, match="is not WithSecure's Chainsaw"):
        find_chainsaw(put(machine / "x" / "chainsaw", says))


def test_the_mapping_is_the_named_one_or_the_one_beside_the_program(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = put(machine / "x" / "chainsaw", mapping=False)
    with pytest.raises(ChainsawMissing, match=r"no mapping file beside it \(mappings/sigma-event-logs-all.yml\)"):
        find_chainsaw(program)
    installed = put_installed(machine)
    assert find_chainsaw(program).mapping == installed.parent / "mappings" / "sigma-event-logs-all.yml"
    with_mapping(program.parent)
    assert find_chainsaw(program).mapping == program.parent / "mappings" / "sigma-event-logs-all.yml"
    other = machine / "other.yml"
    other.write_text("kind: evtx\n", encoding="utf-8")
    monkeypatch.setenv("SIGMA_ENV_CHAINSAW_MAPPING", str(other))
    assert find_chainsaw(program).mapping == other
    with pytest.raises(ChainsawMissing, match="there is no such mapping file"):
        find_chainsaw(program, machine / "none.yml")


def test_a_link_to_the_program_finds_the_mapping_beside_its_target(machine: Path) -> None:
    program = put(machine / "opt" / "chainsaw")
    link = machine / "path" / "chainsaw"
    link.parent.mkdir()
    link.symlink_to(program)
    found = find_chainsaw()
    assert (found.program, found.mapping.parent.parent) == (link, program.parent)
