"""The simulated company: hosts and what they log, accounts, and the programs that run there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Literal

from sigma_env.simulation.starter.errors import StarterError
from sigma_env.simulation.starter.files import DATA, Strict, read_mapping, validate

_INTEGRITY_LABELS = {"Medium": "S-1-16-8192", "High": "S-1-16-12288", "System": "S-1-16-16384"}
_ELEVATION = {"Medium": "%%1938", "High": "%%1937", "System": "%%1936"}


class Domain(Strict):
    """The Active Directory domain."""

    name: str
    dns: str
    sid: str


class HostSpec(Strict):
    """One host, as hosts.yml describes it."""

    ip: str
    user: str
    security: Literal[1, 2]
    sysmon: Literal["current", "old"] | None = None
    process_audit: bool = False


class AccountSpec(Strict):
    """One account: of the domain (`rid`) or built in (`domain`, `sid`, `logon_id`)."""

    rid: int | None = None
    admin: bool = False
    domain: str | None = None
    sid: str | None = None
    logon_id: int | None = None


class _Company(Strict):
    domain: Domain
    hosts: dict[str, HostSpec]
    accounts: dict[str, AccountSpec]


@dataclass(frozen=True)
class Account:
    """Who does something.

    Attributes:
        logon_id: fixed for built-in accounts; None if every host gives its own.
    """

    name: str
    domain: str
    sid: str
    integrity: str
    logon_id: int | None

    @property
    def full(self) -> str:
        """The account with its domain, as most events show it."""
        return f"{self.domain}\\{self.name}"

    @property
    def is_built_in(self) -> bool:
        """Whether it is one of the service accounts of Windows."""
        return self.logon_id is not None

    @property
    def directory(self) -> str:
        """Where its processes usually start."""
        return "C:\\Windows\\system32\\" if self.is_built_in else f"C:\\Users\\{self.name}\\"


@dataclass(frozen=True)
class Host:
    """A host and the directory it belongs to."""

    name: str
    spec: HostSpec
    domain: Domain

    @property
    def fqdn(self) -> str:
        """The name that events carry as Computer."""
        return f"{self.name}.{self.domain.dns}"


class Company:
    """Hosts and accounts by name.

    Args:
        folder: where hosts.yml lies.

    Raises:
        StarterError: hosts.yml is wrong.
    """

    def __init__(self, folder: Path = DATA) -> None:
        path = folder / "hosts.yml"
        spec = validate(_Company, read_mapping(path), str(path))
        self.domain = spec.domain
        self.hosts = {name: Host(name, host, spec.domain) for name, host in spec.hosts.items()}
        self.accounts = {name: self._account(name, account, path) for name, account in spec.accounts.items()}

    def _account(self, name: str, spec: AccountSpec, path: Path) -> Account:
        if spec.rid is not None:
            integrity = "High" if spec.admin else "Medium"
            return Account(name, self.domain.name, f"{self.domain.sid}-{spec.rid}", integrity, None)
        if spec.domain is None or spec.sid is None or spec.logon_id is None:
            raise StarterError(f"{path}: account {name}: give either rid, or domain, sid and logon_id")
        integrity = "High" if spec.domain == "IIS APPPOOL" else "System"
        return Account(name, spec.domain, spec.sid, integrity, spec.logon_id)


def integrity_label(integrity: str) -> str:
    """The SID that event 4688 has for an integrity level."""
    return _INTEGRITY_LABELS[integrity]


def token_elevation(integrity: str) -> str:
    """The code that event 4688 has for the elevation of a token."""
    return _ELEVATION[integrity]


class _Product(Strict):
    product: str
    company: str
    version: str


class _Programs(Strict):
    products: dict[str, _Product]
    images: dict[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Program:
    """What Sysmon reads from an executable or library."""

    file_version: str
    description: str
    product: str
    company: str
    original_name: str
    identity: str

    @cached_property
    def hashes(self) -> str:
        """Sysmon's Hashes field: stable per program, and unlike any other's."""
        sha256 = hashlib.sha256(self.identity.encode()).hexdigest().upper()
        sha1 = hashlib.sha1(self.identity.encode(), usedforsecurity=False).hexdigest().upper()
        md5 = hashlib.md5(self.identity.encode(), usedforsecurity=False).hexdigest().upper()
        imports = hashlib.md5(b"imports " + self.identity.encode(), usedforsecurity=False).hexdigest().upper()
        return f"SHA1={sha1},MD5={md5},SHA256={sha256},IMPHASH={imports}"


class Programs:
    """Version information by path.

    Args:
        folder: where images.yml lies.

    Raises:
        StarterError: images.yml is wrong.
    """

    def __init__(self, folder: Path = DATA) -> None:
        path = folder / "images.yml"
        self._spec = validate(_Programs, read_mapping(path), str(path))
        for name, (product, _, _) in self._spec.images.items():
            if product not in self._spec.products:
                raise StarterError(f"{path}: images.{name}: there is no product {product!r}")

    def at(self, path: str) -> Program:
        """The program at a path; one that is not listed has no version information."""
        name = PureWindowsPath(path).name.lower()
        known = self._spec.images.get(name)
        if known is None:
            return Program("-", "-", "-", "-", "-", path.lower())
        key, description, original_name = known
        product = self._spec.products[key]
        return Program(
            product.version, description, product.product, product.company, original_name, f"{name} {product.version}"
        )
