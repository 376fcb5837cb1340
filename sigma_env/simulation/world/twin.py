"""The second record of a process start, on hosts that log both Sysmon and Security events."""

from __future__ import annotations

from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.draft import Draft, FieldValue
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world.accounts import INTEGRITY_LABELS, NOBODY
from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.fill import fill
from sigma_env.simulation.world.hosts import Host

PROCESS_STARTS = frozenset(((SYSMON, 1), (SECURITY, 4688)))
"""(channel, EventID) of the events that tell of a new process."""

_LEVELS = {label: level for level, label in INTEGRITY_LABELS.items()}
_SYSTEM_SID = "S-1-5-18"


def twin_of(draft: Draft, host: Host, company: Company) -> Draft | None:
    """The same process start as the host's other source logs it; None if there is no other.

    What both hold is the same in both, so that a rule which names only that finds both or neither. What only one of
    them holds is filled in the other from the scene; a rule that asks for it is undecided on the record that lacks it.
    """
    key = (draft.schema.channel, draft.schema.event_id)
    if host.profile != "both" or key not in PROCESS_STARTS:
        return None
    schema = _schema(host, *((SECURITY, 4688) if key[0] == SYSMON else (SYSMON, 1)))
    fields = {spec.name for spec in schema.fields}
    values = _as_security(draft, "TargetUserName" in fields) if key[0] == SYSMON else _as_sysmon(draft)
    values = {name: value for name, value in values.items() if name in fields}
    return draft._replace(schema=schema, values=fill(schema, values, draft.scene, company))


def _schema(host: Host, channel: str, event_id: int) -> EventSchema:
    return host.version_of(catalogue().of_event(channel, event_id))


def _as_security(draft: Draft, has_target: bool) -> dict[str, FieldValue]:
    values = draft.values
    domain, _, name = str(values["User"]).rpartition("\\")
    same: dict[str, FieldValue | None] = {
        "NewProcessName": values["Image"],
        "CommandLine": values["CommandLine"],
        "ParentProcessName": values["ParentImage"],
        "MandatoryLabel": INTEGRITY_LABELS.get(str(values["IntegrityLevel"]), INTEGRITY_LABELS["Medium"]),
        "SubjectLogonId": values.get("LogonId"),
    }
    if domain.upper() == "NT AUTHORITY" and has_target:
        # The creator is the machine; only as the target is the account named as Sysmon names it.
        return _given({**same, "SubjectUserSid": _SYSTEM_SID, **_target(domain, name)})
    return _given({**same, "SubjectUserName": name, "SubjectDomainName": domain})


def _target(domain: str, name: str) -> dict[str, str]:
    sids = {"system": _SYSTEM_SID, "local service": "S-1-5-19", "network service": "S-1-5-20"}
    return {
        "TargetUserSid": sids.get(name.lower(), _SYSTEM_SID),
        "TargetUserName": name,
        "TargetDomainName": domain,
    }


def _as_sysmon(draft: Draft) -> dict[str, FieldValue]:
    values = draft.values
    if values.get("TargetUserSid", NOBODY) != NOBODY:
        user = f"{values['TargetDomainName']}\\{values['TargetUserName']}"
    elif values["SubjectUserSid"] == _SYSTEM_SID:
        user = "NT AUTHORITY\\SYSTEM"
    else:
        user = f"{values['SubjectDomainName']}\\{values['SubjectUserName']}"
    return _given(
        {
            "Image": values["NewProcessName"],
            "CommandLine": values.get("CommandLine"),
            "ParentImage": values.get("ParentProcessName") or None,
            "IntegrityLevel": _LEVELS.get(str(values.get("MandatoryLabel", ""))),
            "User": user,
            "LogonId": values.get("SubjectLogonId"),
        }
    )


def _given(values: dict[str, FieldValue | None]) -> dict[str, FieldValue]:
    return {name: value for name, value in values.items() if value is not None}
