"""Who does something: the accounts of the company and of Windows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

AccountKind = Literal["user", "admin", "service", "system", "machine"]

INTEGRITY_LABELS = {
    "Untrusted": "S-1-16-0",
    "Low": "S-1-16-4096",
    "Medium": "S-1-16-8192",
    "High": "S-1-16-12288",
    "System": "S-1-16-16384",
}
"""Integrity levels as Sysmon names them, and the SIDs that event 4688 has for them ([MS-DTYP] 2.4.2.4)."""

ELEVATION_TYPES = {"Medium": "%%1938", "Low": "%%1938", "High": "%%1937", "System": "%%1936"}
"""TokenElevationType of event 4688 by integrity level: limited, full, default."""

NOBODY = "S-1-0-0"

WELL_KNOWN_SIDS = {
    "anonymous logon": "S-1-5-7",
    "system": "S-1-5-18",
    "local service": "S-1-5-19",
    "network service": "S-1-5-20",
    "-": NOBODY,
    "": NOBODY,
}
"""SIDs of accounts that are the same on every Windows, by name in lower case ([MS-DTYP] 2.4.2.4)."""


@dataclass(frozen=True)
class Account:
    """An account.

    Attributes:
        logon_id: of built-in accounts, which Windows fixes; None if every host gives its own.
        pilot: whether it belongs to the part of the company from which visible examples are drawn.
    """

    name: str
    domain: str
    sid: str
    kind: AccountKind
    logon_id: int | None = None
    pilot: bool = False

    @cached_property
    def full(self) -> str:
        r"""DOMAIN\name, as most events show it."""
        return f"{self.domain}\\{self.name}"

    @property
    def is_system(self) -> bool:
        """Whether Windows itself or a machine acts, not a person or a job."""
        return self.kind in ("system", "machine")

    @cached_property
    def integrity(self) -> str:
        """Integrity level of its processes, as Sysmon names it."""
        return {"user": "Medium", "admin": "High", "service": "High"}.get(self.kind, "System")

    @cached_property
    def home(self) -> str:
        """Its profile folder, without a backslash at the end."""
        if self.kind == "machine" or self.name == "SYSTEM":
            return "C:\\Windows\\System32\\config\\systemprofile"
        if self.kind == "system":
            return f"C:\\Windows\\ServiceProfiles\\{self.name.title().replace(' ', '')}"
        return f"C:\\Users\\{self.name}"

    @property
    def letter(self) -> str:
        """Who runs programs like it does: u for users, a for administrators, s for the system."""
        return {"user": "u", "admin": "a"}.get(self.kind, "s")
