"""doctor: what it says of a machine, and that each step it names is one that people can take."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli import _app, _checks
from sigma_env.corpora.catalogue import catalogue
from sigma_env.corpora.extract import MANIFEST_NAME, SourceManifest
from sigma_env.engines.chainsaw_binary import MAPPING_VARIABLE, PROGRAM_VARIABLE
from sigma_env.tasks.folder import MANIFEST
from sigma_env.tasks.manifest import Clusters, Manifest, StoreUsed
from tests import examples

SECRET = "sk-do-not-print-me"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it but Python: an empty cache, no mirror, no program on PATH, no key."""
    for name in ("SIGMA_ENV_MIRROR", PROGRAM_VARIABLE, MAPPING_VARIABLE, *_checks.PROVIDER_KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def cache(empty_cache: Path, starter_cache: Path) -> Path:
    """Such a machine on which the embedded dataset has been used before."""
    shutil.copytree(starter_cache, empty_cache)
    return empty_cache


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def finding(name: str) -> _checks.Finding:
    [found] = [finding for finding in _checks.all_findings() if finding.name == name]
    return found


def report(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = _app.run(["doctor", "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("empty_cache")
def test_a_machine_with_nothing_on_it_can_play_the_embedded_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = report(capsys)
    assert [found for found in told["findings"] if found["required"] and found["state"] != "ok"] == []
    assert (status, told["works"]) == (0, True)


@pytest.mark.usefixtures("cache")
def test_each_command_that_it_names_is_one() -> None:
    mends = [found.mend for found in _checks.all_findings() if found.mend.startswith("sigma-env ")]
    assert len(mends) > len(catalogue().sources)
    for mend in mends:
        examples.parse(mend)


def test_a_fetched_source_is_told_with_its_licence(cache: Path) -> None:
    source = catalogue().find("sigma")
    assert (finding("sigma").state, finding("sigma").mend) == ("missing", "sigma-env fetch sigma")
    folder = cache / "sources" / source.top_folder
    folder.mkdir(parents=True)
    manifest = SourceManifest(
        source=source.name,
        owner=source.owner,
        repo=source.repo,
        commit=source.commit,
        licence=source.licence,
        archive_sha256="0" * 64,
        files=1234,
        bytes=5_600_000,
        absent=(),
        unverified=(),
    )
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(), encoding="utf-8")
    assert finding("sigma").state == "ok"
    assert finding("sigma").found == "1,234 files, 5.6 MB, licence: Detection Rule License 1.1"


def test_built_datasets_are_told_with_their_size(cache: Path) -> None:
    assert (finding("sigmahq-real").state, finding("sigmahq-real").mend) == ("missing", "sigma-env build sigmahq-real")
    (cache / "datasets" / "mine").mkdir(parents=True)
    manifest = Manifest(
        name="mine",
        seed=0,
        engine=("native", "sigma", "1"),
        logs=(),
        store=StoreUsed(fingerprint="f", events=5_000, files=2, unreadable=0),
        rules_read=70,
        tasks=60,
        left_out={"no_match": 10},
        splits={"train": 60},
        clusters=Clusters(count=60, largest=1),
    )
    (cache / "datasets" / "mine" / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    assert (finding("mine").state, finding("mine").found) == ("ok", "60 tasks on 5,000 events")
    (cache / "datasets" / "mine" / MANIFEST).write_text("{", encoding="utf-8")
    assert (finding("mine").state, finding("mine").mend) == ("broken", "sigma-env build mine --rules PATH --logs PATH")


def test_the_cache_is_told_with_its_size(empty_cache: Path) -> None:
    cache = empty_cache
    [found] = _checks._cache("Data")
    assert found.found == f"{cache}: empty"
    (cache / "stores" / "abc").mkdir(parents=True)
    (cache / "stores" / "abc" / "x").write_bytes(bytes(2_500_000))
    [found], [stores] = _checks._cache("Data"), _checks._stores("Data")
    assert (found.state, found.found) == ("ok", f"{cache}: stores 2.5 MB")
    assert (stores.state, stores.found) == ("ok", "1, 2.5 MB")


def test_a_mirror_that_lacks_archives_is_broken(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGMA_ENV_MIRROR", str(tmp_path))
    for source in list(catalogue().sources.values())[1:]:
        (tmp_path / source.archive_name).touch()
    assert finding("mirror").state == "broken"
    assert catalogue().find("sigma").archive_name in finding("mirror").found
    (tmp_path / catalogue().find("sigma").archive_name).touch()
    assert finding("mirror").state == "ok"


def test_chainsaw_is_told_with_version_and_mapping(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert finding("Chainsaw").state == "missing"
    assert finding("Chainsaw").mend == "sigma-env chainsaw install"
    on_path = program(tmp_path / "bin", "chainsaw", "echo chainsaw 2.16.4")
    assert finding("Chainsaw").state == "broken"
    assert "no mapping file beside it" in finding("Chainsaw").found
    mapping = tmp_path / "bin" / "mappings" / "sigma-event-logs-all.yml"
    mapping.parent.mkdir()
    mapping.touch()
    assert finding("Chainsaw").state == "ok"
    assert finding("Chainsaw").found == f"{on_path}, version 2.16.4; mapping: {mapping}"
    named = program(tmp_path / "elsewhere", "chainsaw-2", "echo chainsaw 2.16.3")
    monkeypatch.setenv(PROGRAM_VARIABLE, str(named))
    assert finding("Chainsaw").state == "broken"
    assert "issue 235" in finding("Chainsaw").found
    monkeypatch.setenv(PROGRAM_VARIABLE, str(tmp_path / "none"))
    assert finding("Chainsaw").state == "broken"


def test_a_gpu_is_told_by_name(cache: Path, tmp_path: Path) -> None:
    assert finding("GPU").state == "missing"
    program(tmp_path / "bin", "nvidia-smi", "echo 'NVIDIA A100-SXM4-80GB, 81920 MiB'")
    assert finding("GPU").found == "NVIDIA A100-SXM4-80GB, 81920 MiB"
    program(tmp_path / "bin", "nvidia-smi", "exit 9")
    assert finding("GPU").state == "broken"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_keys_are_told_by_name_only(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    _app.run(["doctor", *options])
    shown = capsys.readouterr().out
    assert "OPENAI_API_KEY" in shown
    assert "MISTRAL_API_KEY" not in shown
    assert SECRET not in shown


@pytest.mark.usefixtures("cache")
def test_a_check_that_fails_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def _store(group: str) -> Iterator[_checks.Finding]:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(_checks, "_CHECKS", (("Data", _store, True), *_checks._CHECKS))
    status, told = report(capsys)
    assert (status, told["works"]) == (1, False)
    assert told["findings"][0]["found"] == "OSError: the disk is on fire"
    assert len(told["findings"]) > len(_checks._CHECKS)


@pytest.mark.usefixtures("cache")
def test_the_text_says_the_same_as_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = report(capsys)
    _app.run(["doctor"])
    text = capsys.readouterr().out
    for found in told["findings"]:
        assert f"{found['state']:8} {found['name']}" in text
        assert found["found"] in text
        assert found["mend"] in text
