"""Hosts: what each logs, and which part of the company it belongs to."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sigma_env.simulation.schema import EventSchema

Profile = Literal["sysmon", "security", "both"]
HostKind = Literal["workstation", "server", "dc"]
PROFILES: tuple[Profile, ...] = ("sysmon", "security", "both")


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        profile: which process starts and other audited actions it logs: as Sysmon, as Security events, or as both.
            Channels of Windows itself (System, PowerShell, …) are logged on every host.
        sysmon_age: 0 = it logs the newest version of Sysmon's events, 1 = the one before, 2 = one older still.
        windows_age: the same of the events of Windows.
        pilot: whether it belongs to the part of the company from which visible examples are drawn. That part also
            gets updates earlier, so its programs have other versions and hashes.
        user: name of the account that mostly works there.
    """

    name: str
    kind: HostKind
    ip: str
    dns: str
    profile: Profile
    sysmon_age: int
    windows_age: int
    pilot: bool
    user: str

    @cached_property
    def fqdn(self) -> str:
        """The name that events carry as Computer."""
        return f"{self.name}.{self.dns}"

    def logs(self, logged_by: str) -> bool:
        """Whether its profile covers events that "sysmon", "security" or "windows" logs."""
        return logged_by == "windows" or self.profile in (logged_by, "both")

    def age_of(self, logged_by: str) -> int:
        """How old the versions of its events are."""
        return self.sysmon_age if logged_by == "sysmon" else self.windows_age

    def version_of(self, family: tuple[EventSchema, ...]) -> EventSchema:
        """The version of an event that it logs, of all versions, newest first."""
        return family[min(self.age_of(family[0].logged_by), len(family) - 1)]
