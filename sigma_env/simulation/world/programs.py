"""The programs, libraries and drivers of the company: where they lie and what they say of themselves."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.world.files import DATA, Strict, read_data, validate

FILE = "programs.yml"


class Identity(NamedTuple):
    """What Sysmon reads from a file: its version information and its hashes. `-` is what it has not."""

    description: str
    product: str
    company: str
    original_name: str
    file_version: str
    hashes: str


def hashes_of(text: str, *, executable: bool = True) -> str:
    """Sysmon's Hashes of a file that a text stands for: stable, and unlike any other's.

    Args:
        text: what the file is.
        executable: whether it imports anything; the IMPHASH of other files is zero.
    """
    data = text.encode()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    imports = hashlib.md5(b"imports " + data, usedforsecurity=False).hexdigest() if executable else "0" * 32
    return f"SHA1={sha1},MD5={md5},SHA256={hashlib.sha256(data).hexdigest()},IMPHASH={imports}".upper()


@dataclass(frozen=True)
class Program:
    """An executable, library or driver.

    Attributes:
        path: where it is installed.
        versions: its file version in the broad and in the pilot update ring.
        who: letters of who runs it on a quiet day (`Account.letter`).
        parents: (image, command line) of what starts it; empty: the usual parents of who runs it.
        calls: what follows it on its command line; a leading `=` begins a whole command line.
        signature: who signed it, of libraries and drivers.
    """

    path: str
    description: str
    original_name: str
    product: str
    company: str
    versions: tuple[str, str]
    who: str = ""
    parents: tuple[tuple[str, str], ...] = ()
    calls: tuple[str, ...] = ()
    signature: str = ""

    @cached_property
    def name(self) -> str:
        """File name in lower case."""
        return self.path.rpartition("\\")[2].lower()

    @cached_property
    def identities(self) -> tuple[Identity, Identity]:
        """What it says of itself in the broad and in the pilot ring, which differ in version and so in hashes."""
        broad, pilot = (
            Identity(
                self.description,
                self.product,
                self.company,
                self.original_name,
                version,
                hashes_of(f"{self.name} {version}"),
            )
            for version in self.versions
        )
        return broad, pilot


class Programs(NamedTuple):
    """All software of the company.

    Attributes:
        programs: in the order of the data file; scenes refer to them by position.
        by_name: position by file name in lower case.
        quiet: programs that run on a quiet day, by the letter of who runs them.
        usual_parents: by the letter of who runs a program.
        parent_of: (image, command line) by the name that the data files use.
    """

    programs: tuple[Program, ...]
    by_name: dict[str, int]
    quiet: dict[str, tuple[Program, ...]]
    usual_parents: dict[str, tuple[tuple[str, str], ...]]
    parent_of: dict[str, tuple[str, str]]
    libraries: tuple[Program, ...]
    drivers: tuple[Program, ...]


class _File(Strict):
    parents: dict[str, tuple[str, str]]
    usual_parents: dict[str, list[str]]
    products: dict[str, tuple[str, str, str, str]]
    programs: dict[str, list[tuple[str, str, str, str, list[str], list[str]]]]
    libraries: list[tuple[str, str, str, str, str]]
    drivers: list[tuple[str, str, str, str, str]]


@lru_cache(maxsize=1)
def programs() -> Programs:
    """Reads the programs.

    Raises:
        SimulationError: the data file is wrong.
    """
    spec = validate(_File, read_data(FILE), FILE)
    known = {**spec.parents}

    def product(name: str, where: str) -> dict[str, Any]:
        if name not in spec.products:
            raise SimulationError(f"{DATA / FILE}: {where}: there is no product {name!r}; add it to `products`")
        title, company, *versions = spec.products[name]
        return {"product": title, "company": company, "versions": tuple(versions)}

    found = []
    for name, entries in spec.programs.items():
        for path, description, original_name, who, parents, calls in entries:
            if missing := [parent for parent in parents if parent not in known]:
                raise SimulationError(f"{DATA / FILE}: programs.{name}: {path}: there are no parents {missing}")
            chain = tuple(known[parent] for parent in parents)
            of_product = product(name, f"programs.{name}")
            found.append(
                Program(path, description, original_name, who=who, parents=chain, calls=tuple(calls), **of_product)
            )

    def modules(entries: list[tuple[str, str, str, str, str]], where: str) -> tuple[Program, ...]:
        return tuple(
            Program(path, description, original, signature=signature, **product(name, where))
            for path, description, original, name, signature in entries
        )

    return Programs(
        programs=tuple(found),
        by_name={program.name: index for index, program in reversed(list(enumerate(found)))},
        quiet={letter: tuple(p for p in found if letter in p.who and p.calls) for letter in "uas"},
        usual_parents={letter: tuple(known[name] for name in names) for letter, names in spec.usual_parents.items()},
        parent_of=known,
        libraries=modules(spec.libraries, "libraries"),
        drivers=modules(spec.drivers, "drivers"),
    )
