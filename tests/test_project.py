"""The project itself: locks, commands, documents and the wheel say the same."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import examples

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LOCKS = {"base": PROJECT["dependencies"]} | {
    extra: PROJECT["dependencies"] + needed for extra, needed in PROJECT["optional-dependencies"].items()
}
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in [*ROOT.glob("docs/*.md")]} | {
    Path("README.md"): README
}
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def fenced(text: str, language: str) -> list[str]:
    """The bodies of the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def locked(name: str) -> list[tuple[Requirement, int]]:
    """Every requirement of a lock file, with the number of its hashes."""
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    rows = [line.split(" --hash=sha256:") for line in re.sub(r" +", " ", text).splitlines()]
    return [(Requirement(row[0]), len(row) - 1) for row in rows]


def test_there_is_one_lock_per_extra() -> None:
    assert {path.stem for path in ROOT.glob("requirements/*.txt")} == set(LOCKS)
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_versions_and_hashes_but_no_address(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    line = re.compile(r"[a-z0-9._-]+==\S+( ; [A-Za-z0-9_.'<>=!() ]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [bad for bad in text.splitlines() if not line.fullmatch(bad)] == []
    assert all(hashes > 0 for _, hashes in locked(name))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_what_the_project_needs_at_a_version_that_it_allows(name: str) -> None:
    pins: dict[str, set[str]] = {}
    for requirement, _ in locked(name):
        [pin] = requirement.specifier
        assert pin.operator == "=="
        pins.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    for needed in map(Requirement, LOCKS[name]):
        versions = pins.get(canonicalize_name(needed.name), set())
        assert versions, f"requirements/{name}.txt lacks {needed}; run: make lock RENEW="
        assert all(needed.specifier.contains(version) for version in versions), f"{needed}: locked at {versions}"


def test_what_is_tested_is_what_users_get() -> None:
    assert {str(pin) for pin, _ in locked("base")} <= {str(pin) for pin, _ in locked("dev")}


def test_ci_runs_the_test_command_of_the_readme() -> None:
    [commands] = [block for block in fenced(README, "sh") if "make demo" in block]
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert script[-1] == "make test"
    assert re.findall(r"^make \w+", commands, re.M) == ["make demo", "make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_documents_name_targets_that_the_makefile_has() -> None:
    named = {name for text in DOCUMENTS.values() for name in re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.M)}
    assert {"demo", "test"} <= named <= TARGETS


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_documents_show_commands_as_the_program_takes_them(path: Path) -> None:
    for block in fenced(DOCUMENTS[path], "sh"):
        for line in examples.command_lines(block):
            examples.parse(line)


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_documents_link_to_what_exists(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", DOCUMENTS[path]):
        assert (ROOT / path.parent / link).exists(), f"{path} links to {link}"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a new user whose terminal speaks UTF-8."""
    return {**os.environ, "SIGMA_ENV_CACHE": str(tmp_path_factory.mktemp("cache")), "PYTHONUTF8": "1"}


def test_the_python_of_the_readme_runs_and_prints_what_it_shows(environment: dict[str, str]) -> None:
    [code], [shown] = fenced(README, "python"), fenced(README, "text")
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_the_commands_of_the_readme_print_what_it_shows(environment: dict[str, str]) -> None:
    program = Path(sys.executable).with_name("sigma-env")
    blocks = fenced(README, "console")
    assert len(blocks) == 3
    for block in blocks:
        command, _, shown = block.removeprefix("$ sigma-env ").partition("\n")
        words = [program, *shlex.split(command)]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
        assert (done.stdout, done.stderr) == (shown, "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [file] = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "sigma_env", "trainer", "benchmarks"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert [path for path in tracked if (ROOT / path).is_file() and not (wheel / path).is_file()] == []
    assert (wheel / "sigma_env/envs_registry.yaml").read_bytes() == (ROOT / "envs_registry.yaml").read_bytes()


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r})\n"
        "import gymnasium, sigma_env\n"
        f"assert sigma_env.__file__.startswith({str(wheel)!r}), sigma_env.__file__\n"
        "env = gymnasium.make('SigmaForge-v0')\n"
        "assert env.reset(seed=1)[0]\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
