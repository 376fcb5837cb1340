"""Fields that no other module knows: by what they hold, and by their type."""

from __future__ import annotations

from collections.abc import Mapping

from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas.encode import encode
from sigma_env.simulation.schemas.errors import SchemaError
from sigma_env.simulation.world.accounts import NOBODY
from sigma_env.simulation.world.chance import mixed, pick, salt
from sigma_env.simulation.world.filling import Maker

# What says who and where is always the company's, never an example from somebody else's logs.
_IDENTITY_KINDS = frozenset(
    (
        FieldKind.HOST_NAME,
        FieldKind.IP,
        FieldKind.USER,
        FieldKind.ACCOUNT,
        FieldKind.DOMAIN,
        FieldKind.SID,
        FieldKind.GUID,
        FieldKind.LOGON_ID,
        FieldKind.PID,
        FieldKind.TIME,
        FieldKind.HASHES,
    )
)
_NEUTRAL = {
    "string": "-",
    "boolean": "false",
    "guid": "00000000-0000-0000-0000-000000000000",
    "sid": NOBODY,
    "hex32": "0x0",
    "hex64": "0x0",
    "filetime": "2026-02-27 09:12:40.000000+00:00",
    "binary": "",
}


def by_kind(spec: FieldSpec) -> Maker:
    """How to fill a field of which only kind, type and examples are known."""
    purpose = salt(f"field {spec.name}")
    # Examples are listed by name: what one event holds as text, another may hold as a number.
    choices = tuple(text for text in spec.choices if holds(spec, text))
    if choices and spec.kind not in _IDENTITY_KINDS:
        return lambda f: pick(choices, f.here.number, purpose)
    if spec.type not in ("string", "guid", "sid"):
        neutral = _NEUTRAL.get(spec.type, "0")
        return lambda _: neutral
    made = _maker(spec, purpose)
    return made if made is not None else _constant(_NEUTRAL[spec.type])


def holds(spec: FieldSpec, text: str) -> bool:
    """Whether the type of a field can hold a text."""
    try:
        encode(spec, text)
    except SchemaError:
        return False
    return True


def _constant(text: str) -> Maker:
    return lambda _: text


def _maker(spec: FieldSpec, purpose: int) -> Maker | None:
    if spec.type == "guid" or spec.kind is FieldKind.GUID:
        return lambda f: f.here.guid(purpose)
    if spec.type == "sid" or spec.kind is FieldKind.SID:
        return lambda f: f.here.account.sid
    return _BY_KIND.get(spec.kind)


_ANY = salt("any value")

_QUERIES = (
    "SELECT * FROM __InstanceModificationEvent WITHIN 900 WHERE TargetInstance ISA 'Win32_LogicalDisk'",
    "SELECT * FROM __InstanceOperationEvent WITHIN 60 WHERE TargetInstance ISA 'Win32_Service'",
    "SELECT * FROM MSFT_SCMEventLogEvent",
    "SELECT * FROM Win32_PowerManagementEvent",
)
_SHARES = ("\\\\*\\IPC$", "\\\\*\\SYSVOL", "\\\\*\\NETLOGON", "\\\\*\\Projects")

_BY_KIND: Mapping[FieldKind, Maker] = {
    FieldKind.IMAGE: lambda f: f.here.program.path,
    FieldKind.FILE: lambda f: f"{f.here.account.home}\\Documents\\{f.here.document}.xlsx",
    FieldKind.DIRECTORY: lambda f: f.here.directory,
    FieldKind.COMMAND_LINE: lambda f: f.here.command_line,
    FieldKind.REGISTRY_KEY: lambda f: f"HKU\\{f.here.account.sid}\\Software\\HaldenERP\\Recent\\{f.here.document}",
    FieldKind.REGISTRY_DATA: lambda f: f"DWORD (0x{mixed(f.here.number, _ANY) % 4096:08x})",
    FieldKind.PIPE: lambda f: f"\\PIPE_EVENTROOT\\CIMV2SCM EVENT PROVIDER{f.here.small_number}",
    FieldKind.HOST_NAME: lambda f: f.here.peer.name,
    FieldKind.IP: lambda f: f.here.peer.ip,
    FieldKind.PORT: lambda f: str(f.here.port(_ANY)),
    FieldKind.USER: lambda f: f.actor.full,
    FieldKind.ACCOUNT: lambda f: f.here.account.name,
    FieldKind.DOMAIN: lambda f: f.here.company.domain.name,
    FieldKind.HASHES: lambda f: f.here.identity.hashes,
    FieldKind.SCRIPT: lambda f: f"Get-ChildItem D:\\Projects\\{f.here.document}",
    FieldKind.URL: lambda f: f"https://intranet.{f.here.company.domain.dns}/{f.here.document}",
    FieldKind.WQL: lambda f: pick(_QUERIES, f.here.number, _ANY),
    FieldKind.SHARE: lambda f: pick(_SHARES, f.here.number, _ANY),
    FieldKind.SERVICE_NAME: lambda _: "HaldenFleet",
    FieldKind.TASK_NAME: lambda _: "\\HaldenFleet\\Inventory",
    FieldKind.LOGON_ID: lambda _: "0x0",
    FieldKind.PID: lambda _: "0",
    FieldKind.NUMBER: lambda _: "0",
    FieldKind.TIME: lambda _: "2026-02-27 09:12:40.000",
    FieldKind.VERSION_INFO: lambda f: f.here.identity.description,
}
