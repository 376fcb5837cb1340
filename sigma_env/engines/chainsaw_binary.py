"""Finding the Chainsaw program and its mapping file, and refusing those that would give wrong results."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.engines.chainsaw_release import INSTALL_COMMAND, installed
from sigma_env.errors import EngineError

PROGRAM_VARIABLE: Final = "SIGMA_ENV_CHAINSAW"
"""Environment variable that names the program, if it is neither on PATH nor installed by `sigma-env chainsaw`."""

MAPPING_VARIABLE: Final = "SIGMA_ENV_CHAINSAW_MAPPING"
"""Environment variable that names the mapping file, if it does not lie beside the program."""

SUPPORTED: Final = (2, 16, 4)
"""The version whose behaviour was recorded."""

_MAPPING: Final = Path("mappings") / "sigma-event-logs-all.yml"
_VERSION: Final = re.compile(r"chainsaw (\d+)\.(\d+)\.(\d+)\s*")
_VERSION_SECONDS: Final = 20.0


class ChainsawMissing(EngineError):
    """There is no Chainsaw that can be used; the message says what to do."""


class Chainsaw(NamedTuple):
    """A program that can be used, with its mapping file.

    Attributes:
        program: absolute path.
        mapping: absolute path.
        version: three numbers.
        mapping_hash: of the mapping file's content: another mapping gives rules other events.
    """

    program: Path
    mapping: Path
    version: tuple[int, int, int]
    mapping_hash: str

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))

    @property
    def tested(self) -> bool:
        """Whether this is the version whose behaviour was recorded."""
        return self.version == SUPPORTED


def find_chainsaw(program: Path | str | None = None, mapping: Path | str | None = None) -> Chainsaw:
    """Finds the program: the argument, else `SIGMA_ENV_CHAINSAW`, else PATH, else what `sigma-env chainsaw` installed.

    What is named by argument or variable is used or refused; another `chainsaw` that happens to be on PATH (there are
    other programs of that name) is passed over if there is an installed one.

    Args:
        program: path, or name on PATH.
        mapping: path of the mapping file; by default the one that `SIGMA_ENV_CHAINSAW_MAPPING` names, else the one
            that came with the program, else the installed one.

    Raises:
        ChainsawMissing: there is none, or none that can be used.
    """
    faults: list[ChainsawMissing] = []
    for path in _programs(program):
        try:
            version = check_version(path)
            found = _mapping(path, mapping)
            return Chainsaw(path, found, version, hashlib.sha256(found.read_bytes()).hexdigest())
        except ChainsawMissing as fault:
            faults.append(fault)
        except OSError as error:
            raise ChainsawMissing(f"{error.filename}: the mapping file cannot be read: {error.strerror}") from error
    if faults:
        raise faults[0]
    raise ChainsawMissing(
        f"Chainsaw is not on this machine; get it with: {INSTALL_COMMAND}, or name it in {PROGRAM_VARIABLE}"
    )


def _programs(named: Path | str | None) -> Iterator[Path]:
    wanted = str(named or os.environ.get(PROGRAM_VARIABLE) or "")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            origin = "the argument" if named else PROGRAM_VARIABLE
            raise ChainsawMissing(f"{origin} names {wanted!r} as Chainsaw, which is no program; name its path")
        yield Path(found).absolute()
        return
    found = shutil.which("chainsaw")
    if found is not None:
        yield Path(found).absolute()
    here = installed()
    if here is not None:
        yield here.program


def _mapping(program: Path, named: Path | str | None) -> Path:
    wanted = named or os.environ.get(MAPPING_VARIABLE)
    if wanted:
        path = Path(wanted).expanduser().absolute()
        if not path.is_file():
            raise ChainsawMissing(f"{path}: there is no such mapping file; name one, or unset {MAPPING_VARIABLE}")
        return path
    here = installed()
    folders = (program.parent, program.resolve().parent, *((here.mapping.parent.parent,) if here else ()))
    for folder in folders:
        beside: Path = folder / _MAPPING
        if beside.is_file():
            return beside
    raise ChainsawMissing(
        f"{program} has no mapping file beside it ({_MAPPING.as_posix()}); name it in {MAPPING_VARIABLE}, "
        f"or get both with: {INSTALL_COMMAND}"
    )


def check_version(program: Path) -> tuple[int, int, int]:
    """The version of a program, if it is one that can be used.

    Raises:
        ChainsawMissing: it is no Chainsaw, or one that gives wrong results.
    """
    try:
        status = program.stat()
    except OSError as error:
        raise ChainsawMissing(f"{program}: {error.strerror or error}") from error
    version = _version(program, status.st_mtime_ns, status.st_size)
    named = ".".join(map(str, version))
    if (2, 16, 1) <= version < SUPPORTED:
        raise ChainsawMissing(
            f"{program} is Chainsaw {named}, which matches events that a rule does not: up to 2.16.3 its `1 of sel*` "
            f"drops `all` (issue 235, mended in 2.16.4); get 2.16.4 with: {INSTALL_COMMAND}"
        )
    if version < SUPPORTED:
        raise ChainsawMissing(
            f"{program} is Chainsaw {named}, which converts rules otherwise than 2.16.4, the version that this package "
            f"was made for; get that with: {INSTALL_COMMAND}"
        )
    return version


@cache
def _version(program: Path, _mtime_ns: int, _size: int) -> tuple[int, int, int]:
    """What a program says of itself; its time and size are part of the key, as it may be replaced."""
    try:
        done = subprocess.run(
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ChainsawMissing(f"{program} does not say its version: {error}") from error
    said = _VERSION.fullmatch(done.stdout.decode("utf-8", "replace"))
    if said is None or done.returncode:
        answer = ascii(done.stdout[:80].decode("utf-8", "replace"))
        raise ChainsawMissing(
            f"{program} is not WithSecure's Chainsaw, as `--version` says {answer}; name the right program in "
            f"{PROGRAM_VARIABLE}, or get it with: {INSTALL_COMMAND}"
        )
    return int(said[1]), int(said[2]), int(said[3])
