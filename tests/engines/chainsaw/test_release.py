"""Installing the pinned release, from a local forge that publishes digests as the real one does."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sigma_env.cli import _app
from sigma_env.corpora.download import DownloadPolicy
from sigma_env.engines import chainsaw_release
from sigma_env.engines.chainsaw_binary import find_chainsaw
from sigma_env.engines.chainsaw_release import install, installed, release
from sigma_env.errors import SourceError
from tests.corpora.served import Forge, Handler, running

PROGRAM = b"#!/bin/sh\necho chainsaw 2.16.4\n"
MAPPING = b"kind: evtx\nrules: sigma\n"
LICENCE = b"GNU GENERAL PUBLIC LICENSE\n"
OWN = "chainsaw_x86_64-unknown-linux-gnu.tar.gz"
ALL = "chainsaw_all_platforms+rules.zip"
API = "/api/v3/repos/WithSecureLabs/chainsaw/releases/tags/v2.16.4"
FILES = {
    "chainsaw/chainsaw": PROGRAM,
    "chainsaw/LICENCE": LICENCE,
    "chainsaw/mappings/sigma-event-logs-all.yml": MAPPING,
}

NO_WAITS = DownloadPolicy(attempts=2, sleep=lambda _seconds: None)


def tar(files: Mapping[str, bytes], *special: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member in special:
            archive.addfile(member)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def described(files: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    assets = [{"name": n, "digest": f"sha256:{hashlib.sha256(c).hexdigest()}"} for n, c in files.items()]
    return {"tag_name": "v2.16.4", "assets": assets} | changes


Serve = Callable[..., None]


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    for name in ("SIGMA_ENV_CHAINSAW", "SIGMA_ENV_CHAINSAW_MAPPING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with running() as forge:
        monkeypatch.setenv("SIGMA_ENV_FORGE", forge.url)
        yield forge


@pytest.fixture
def serve(forge: Forge) -> Serve:
    """Makes the forge publish files; `description` replaces what it says of them."""

    def publish(files: Mapping[str, bytes], description: object = None) -> None:
        told = json.dumps(described(files) if description is None else description).encode()
        paths = {
            f"/WithSecureLabs/chainsaw/releases/download/v2.16.4/{n.replace('+', '%2B')}": c for n, c in files.items()
        }
        paths[API] = told

        def answer(handler: Handler) -> None:
            body = paths.get(handler.path)
            handler.answer(404) if body is None else handler.answer(200, body)

        forge.otherwise = answer

    return publish


def left(tmp_path: Path) -> list[str]:
    folders = [tmp_path / "cache" / name for name in ("programs", "downloads")]
    return [path.name for folder in folders if folder.exists() for path in folder.iterdir()]


def test_the_catalogue_names_the_release_and_its_licence() -> None:
    wanted = release()
    assert (wanted.owner, wanted.repo, wanted.tag, wanted.licence) == (
        "WithSecureLabs",
        "chainsaw",
        "v2.16.4",
        "GPL-3.0",
    )
    assert wanted.assets.keys() == wanted.program.keys()


def test_without_another_forge_the_public_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGMA_ENV_FORGE", raising=False)
    assert release().api_url == "https://api.github.com/repos/WithSecureLabs/chainsaw/releases/tags/v2.16.4"
    assert release().url(ALL) == (
        "https://github.com/WithSecureLabs/chainsaw/releases/download/v2.16.4/chainsaw_all_platforms%2Brules.zip"
    )


def test_it_is_downloaded_verified_and_unpacked(serve: Serve, tmp_path: Path) -> None:
    serve({OWN: tar(FILES)})
    done = install(policy=NO_WAITS)
    assert done.program.read_bytes() == PROGRAM
    assert done.program.stat().st_mode & stat.S_IXUSR
    assert done.mapping.read_bytes() == MAPPING
    assert done.licence_file is not None
    assert done.licence_file.read_bytes() == LICENCE
    assert installed() == done
    assert left(tmp_path) == ["chainsaw-v2.16.4"]
    assert find_chainsaw(done.program).mapping == done.mapping


def test_what_is_here_is_not_downloaded_again_unless_asked_for(serve: Serve, forge: Forge) -> None:
    serve({OWN: tar(FILES)})
    install(policy=NO_WAITS)
    asked = len(forge.requests)
    install(policy=NO_WAITS)
    assert len(forge.requests) == asked
    serve({OWN: tar({**FILES, "chainsaw/chainsaw": PROGRAM + b"# new\n"})})
    assert install(force=True, policy=NO_WAITS).program.read_bytes().endswith(b"# new\n")


def test_what_the_platform_s_file_lacks_is_taken_from_the_other(serve: Serve) -> None:
    whole = {f"chainsaw/{name.split('/', 1)[1]}": content for name, content in FILES.items() if "mappings" in name}
    deeper = {"chainsaw/sigma/LICENSE.md": b"of the rules", "chainsaw/chainsaw_x86_64-unknown-linux-gnu": b"other"}
    serve({OWN: tar({"chainsaw": PROGRAM}), ALL: zipped(deeper | whole)})
    done = install(policy=NO_WAITS)
    assert (done.program.read_bytes(), done.mapping.read_bytes()) == (PROGRAM, MAPPING)
    assert done.licence_file is None


def test_windows_has_a_program_of_its_own(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    files = {"chainsaw/chainsaw.exe": b"MZ", "chainsaw/mappings/sigma-event-logs-all.yml": MAPPING}
    serve({"chainsaw_x86_64-pc-windows-msvc.zip": zipped(files)})
    assert install(policy=NO_WAITS).program.name == "chainsaw.exe"


def test_a_platform_without_a_program_is_told_which_there_are(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(SourceError, match=r"no program for linux-riscv64 \(it has linux-x86_64, .*SIGMA_ENV_CHAINSAW"):
        install(policy=NO_WAITS)


GOOD = tar(FILES)
LINK = tarfile.TarInfo("chainsaw/chainsaw")
LINK.type, LINK.linkname = tarfile.SYMTYPE, "/bin/sh"

REFUSALS: dict[str, tuple[bytes, object, str]] = {
    "another file": (GOOD, described({OWN: b"other"}), "refused: its SHA-256 is"),
    "no digest": (GOOD, described({OWN: GOOD}, assets=[{"name": OWN, "digest": None}]), "publishes no SHA-256"),
    "no such file": (GOOD, described({}), "publishes no SHA-256"),
    "another release": (GOOD, described({OWN: GOOD}, tag_name="v2.16.3"), "describes 'v2.16.3', not v2.16.4"),
    "no description": (GOOD, ["?"], "no description of a release"),
    "no archive": (b"hello", None, "damaged archive"),
    "half an archive": (GOOD[:-60], None, "damaged archive"),
    "no program": (tar({"chainsaw/README.md": b""}), None, "publishes no SHA-256 of chainsaw_all"),
    "a link for a program": (tar({}, LINK), None, "publishes no SHA-256 of chainsaw_all"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_and_nothing_left_behind(what: str, serve: Serve, tmp_path: Path) -> None:
    content, description, reason = REFUSALS[what]
    serve({OWN: content}, description)
    with pytest.raises(SourceError, match=reason):
        install(policy=NO_WAITS)
    assert left(tmp_path) == []
    assert installed() is None


def test_a_refused_one_leaves_what_was_there(serve: Serve) -> None:
    serve({OWN: tar(FILES)})
    before = install(policy=NO_WAITS)
    serve({OWN: tar(FILES)}, described({OWN: b"other"}))
    with pytest.raises(SourceError):
        install(force=True, policy=NO_WAITS)
    assert installed() == before
    assert before.program.read_bytes() == PROGRAM


def test_names_in_an_archive_lead_nowhere(serve: Serve, tmp_path: Path) -> None:
    serve({OWN: tar({"../../../chainsaw": PROGRAM, "/mappings/sigma-event-logs-all.yml": MAPPING})})
    done = install(policy=NO_WAITS)
    assert done.program.parent.name == "chainsaw-v2.16.4"
    assert not (tmp_path / "chainsaw").exists()


def test_one_that_unpacks_to_too_much_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chainsaw_release, "_MAX_UNPACKED", 10)
    serve({OWN: tar(FILES)})
    with pytest.raises(SourceError, match="unpacks to more"):
        install(policy=NO_WAITS)
    assert left(tmp_path) == []


def test_the_command_shows_licence_version_and_places(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'empty'}:/usr/bin:/bin")
    assert _app.run(["chainsaw", "where"]) == 1
    assert "sigma-env chainsaw install" in capsys.readouterr().err
    serve({OWN: tar(FILES)})
    assert _app.run(["chainsaw", "install"]) == 0
    shown = capsys.readouterr()
    assert "licence: GPL-3.0" in shown.err
    assert "version: 2.16.4" in shown.out
    assert "licence file: " in shown.out
    assert _app.run(["chainsaw", "where", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    done = installed()
    assert done is not None
    assert (told["program"], told["mapping"], told["tested"]) == (str(done.program), str(done.mapping), True)
    assert told["mapping_sha256"] == hashlib.sha256(MAPPING).hexdigest()
