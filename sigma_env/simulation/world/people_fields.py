"""Fields about accounts, hosts and addresses."""

from __future__ import annotations

from collections.abc import Mapping

from sigma_env.simulation.world.accounts import NOBODY
from sigma_env.simulation.world.chance import pick, salt
from sigma_env.simulation.world.filling import GROUP_SIDS, Filling, Maker

_PORT, _REMOTE = salt("source port"), salt("remote address")
PORT_NAMES = {
    "22": "ssh",
    "25": "smtp",
    "53": "domain",
    "80": "http",
    "88": "kerberos",
    "123": "ntp",
    "135": "epmap",
    "389": "ldap",
    "443": "https",
    "445": "microsoft-ds",
    "587": "submission",
    "636": "ldaps",
    "1433": "ms-sql-s",
    "3268": "msft-gc",
    "3389": "ms-wbt-server",
    "5985": "wsman",
}
"""Service names of ports, as Sysmon takes them from Windows' services file."""

# Events in which Target… is who acts or logs on, not somebody whom the actor changes.
LOGON_EVENTS = frozenset((4624, 4625, 4627, 4634, 4647, 4768, 4769, 4770, 4771, 4776, 4778, 4779, 4800, 4801, 4964))
_BUILT_IN_GROUPS = frozenset(name for name, sid in GROUP_SIDS.items() if sid.startswith("S-1-5-32"))


def _subject_name(f: Filling) -> str:
    sid = f.given_text("SubjectUserSid")
    if sid == NOBODY:
        return "-"
    actor = f.actor
    # A process of the system acts with the account of its machine; its SID stays the system's.
    return f"{f.here.host.name}$" if actor.name == "SYSTEM" else actor.name


def _subject_domain(f: Filling) -> str:
    name = f.text("SubjectUserName")
    if name in ("-", ""):
        return "-"
    if name.lower() in ("system", "local service", "network service", "anonymous logon"):
        return "NT AUTHORITY"
    actor = f.actor
    return f.here.company.domain.name if actor.name == "SYSTEM" else actor.domain


def _subject_sid(f: Filling) -> str:
    name = f.given_text("SubjectUserName")
    if name is None:
        return f.actor.sid
    if name.rstrip("$").lower() == f.here.host.name.lower():
        return "S-1-5-18"
    return f.sid_of(name)


def _target_name(f: Filling) -> str:
    if f.schema.event_id in LOGON_EVENTS:
        return f.here.account.name
    return f.here.other.name


def _target_domain(f: Filling) -> str:
    name = f.text("TargetUserName") or f.text("TargetSid")
    if name in ("-", ""):
        return "-"
    if name.lower() in _BUILT_IN_GROUPS:
        return "Builtin"
    account = f.here.company.by_lower_name.get(name.lower())
    if name.upper() == "ANONYMOUS LOGON":
        return "NT AUTHORITY"
    return f.here.company.domain.name if account is None else account.domain


def _target_sid(f: Filling) -> str:
    return f.sid_of(f.text("TargetUserName"))


def _remote_address(f: Filling) -> str:
    """Where a request comes from, as events about logons and shares show it."""
    return f.here.peer.ip if f.here.host.kind != "workstation" else f.here.host.ip


# Addresses of the documentation blocks (RFC 5737) and of well-known public services; pilot hosts talk to other ones.
_PUBLIC = (
    ("142.250.184.227", "52.97.135.82", "13.107.42.12", "104.18.32.47", "151.101.1.69", "20.190.159.2"),
    ("142.251.36.99", "52.98.152.178", "13.107.136.9", "104.16.132.229", "151.101.65.69", "20.190.160.14"),
)


def _source_ip(f: Filling) -> str:
    return f.here.peer.ip if f.given_text("Initiated") == "false" else f.here.host.ip


def _source_host(f: Filling) -> str:
    if f.given_text("SourceIp") not in (None, f.here.host.ip, f.here.peer.ip):
        return "-"
    return (f.here.peer if f.given_text("Initiated") == "false" else f.here.host).fqdn


def _destination_ip(f: Filling) -> str:
    if f.given_text("Initiated") == "false":
        return f.here.host.ip
    return pick(_PUBLIC[f.here.host.pilot], f.here.number, _REMOTE)


def _destination_host(f: Filling) -> str:
    return f.here.host.fqdn if f.text("DestinationIp") == f.here.host.ip else "-"


def _is_ipv6(name: str) -> Maker:
    return lambda f: "true" if ":" in f.text(name) else "false"


def _port_name(name: str) -> Maker:
    return lambda f: PORT_NAMES.get(f.text(name), "-")


def _port(f: Filling) -> str:
    return str(f.here.port(_PORT))


_MACROS = (
    ("C:\\Windows\\System32\\", "%SYSTEM32%\\"),
    ("C:\\Windows\\", "%WINDIR%\\"),
    ("C:\\Program Files\\", "%PROGRAMFILES%\\"),
    ("C:\\Program Files (x86)\\", "%PROGRAMFILES%\\"),
    ("C:\\", "%OSDRIVE%\\"),
)
"""Directories as AppLocker writes them, the longest first."""


def _with_macros(path: str) -> str:
    for directory, macro in _MACROS:
        if path.lower().startswith(directory.lower()):
            return (macro + path[len(directory) :]).upper()
    return path.upper()


PEOPLE_FIELDS: Mapping[str, Maker] = {
    "SubjectUserSid": _subject_sid,
    "SubjectUserName": _subject_name,
    "SubjectDomainName": _subject_domain,
    "TargetUserName": _target_name,
    "TargetDomainName": _target_domain,
    "TargetUserSid": _target_sid,
    "TargetSid": _target_sid,
    "MemberSid": lambda f: f.here.other.sid,
    "MemberName": lambda f: f"CN={f.here.other.name},OU=Staff,DC=halden,DC=example",
    "ServiceSid": lambda f: f.sid_of(f.text("ServiceName")),
    "WorkstationName": lambda f: f.here.host.name,
    "Workstation": lambda f: f.here.host.name,
    "ClientName": lambda f: f.here.peer.name,
    "IpAddress": _remote_address,
    "IpPort": _port,
    "SourceIp": _source_ip,
    "SourceAddress": lambda f: f.here.host.ip,
    "SourceHostname": _source_host,
    "SourcePort": _port,
    "SourcePortName": _port_name("SourcePort"),
    "SourceIsIpv6": _is_ipv6("SourceIp"),
    "DestinationIp": _destination_ip,
    "DestAddress": _destination_ip,
    "DestinationHostname": _destination_host,
    "DestinationPort": lambda _: "443",
    "DestPort": lambda _: "443",
    "DestinationPortName": _port_name("DestinationPort"),
    "DestinationIsIpv6": _is_ipv6("DestinationIp"),
    "Protocol": lambda _: "tcp",
    "Initiated": lambda _: "true",
}
"""By name, for events of Sysmon and Security."""

WORKER_FIELDS: Mapping[str, Maker] = {
    "FilePath": lambda f: _with_macros(f.text("FullFilePath")),  # as AppLocker writes it
    "ClientAddress": lambda f: f.here.peer.ip,
    "AppName": lambda f: f.text("AppPath").rpartition("\\")[2],
    "ModuleName": lambda f: (f.given_text("ModulePath") or "ntdll.dll").rpartition("\\")[2],
    "ModulePath": lambda f: f"C:\\Windows\\SYSTEM32\\{f.text('ModuleName')}",
    "UserContext": lambda f: f.actor.full,
    "jobOwner": lambda f: f.actor.full,
    "DetectionUser": lambda f: f.actor.full,
    "Detection User": lambda f: f.actor.full,
    "Computer": lambda f: f.here.host.fqdn,
}
"""By name, for events of every other channel."""
