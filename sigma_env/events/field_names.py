"""Makes the table of which fields events have, for the linter: `python -m sigma_env.events.field_names`.

Only names are kept, no values. Sources: the events of logs, and the schemas of the embedded dataset. To renew it:

    python -m sigma_env.events.field_names LOGS... > sigma_env/sigma/event_fields.json
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from sigma_env.events.build import build
from sigma_env.events.derived import ALWAYS_ALIASED, PROCESS_CREATION_FIELDS
from sigma_env.events.logs import LogRoot
from sigma_env.events.partition import Partition

FieldTable: TypeAlias = dict[str, dict[int, dict[str, set[str]]]]
"""Channel → EventID → provider → names."""

_SCHEMAS: Final = Path(__file__).parent.parent / "_data" / "starter" / "schemas.yml"
_UNNAMED: Final = "Data"
# What damaged or invented events call their data is no schema.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}\Z")
_SYSMON: Final = ("Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon")
_SECURITY: Final = ("Security", "Microsoft-Windows-Security-Auditing")
_CLIENT: Final = "ClientProcessStartKey ClientProcessId ParentProcessId RpcCallClientLocality FQDN"
_NETWORK: Final = "FilterOrigin OriginalProfile CurrentProfile InterfaceIndex"
_TICKET: Final = (
    "ResponseTicket AccountSupportedEncryptionTypes AccountAvailableKeys ServiceSupportedEncryptionTypes "
    "ServiceAvailableKeys DCSupportedEncryptionTypes DCAvailableKeys ClientAdvertizedEncryptionTypes "
    "SessionKeyEncryptionType PreAuthEncryptionType RequestTicketHash ResponseTicketHash"
)
_NEWER: Final = (
    (_SYSMON, (1,), "ParentUser"),
    (_SYSMON, (2, 5, 7, 9, 11, 12, 13, 14, 15, 17, 18, 22, 23, 24, 25, 26), "User"),
    (_SYSMON, (8, 10), "SourceUser TargetUser"),
    (_SYSMON, (15,), "Contents"),
    (_SECURITY, (4697, 4698, 4699, 4700, 4701, 4702), _CLIENT),
    (_SECURITY, (4624,), "RemoteCredentialGuard"),
    (_SECURITY, tuple(range(5150, 5160)), _NETWORK),
    (_SECURITY, (4768, 4769), _TICKET),
)
"""Fields of newer versions of events than the logs hold: Sysmon's schema 4.90, Windows 11's and Server 2025's audit."""


def add_newer(table: FieldTable) -> None:
    """Adds the fields of newer versions to the events that are in the table."""
    for (channel, provider), event_ids, names in _NEWER:
        for event_id in event_ids:
            known = table.get(channel, {}).get(event_id, {}).get(provider)
            if known is not None:
                known.update(names.split())


def add_partition(table: FieldTable, system: set[str], partition: Partition) -> None:
    """Adds the names of a partition's fields, with the aliases that rules may use, per provider of its events."""
    providers = partition.system_column("Provider_Name")
    if providers is None or partition.event_id < 0 or not partition.channel:
        return
    columns = [(partition.columns[info.name], info) for info in partition.infos]
    system.update(info.name for info in partition.infos if info.system and _NAME.match(info.name))
    for code in range(providers.n_values):
        rows = providers.rows_with([code])
        names = table.setdefault(partition.channel, {}).setdefault(partition.event_id, {})
        found = names.setdefault(providers.value(code), set())
        for column, info in columns:
            if not info.system and column.rows_present & rows:
                found.update(name for name in (info.name, *info.aliases) if _NAME.match(name))


def add_schemas(table: FieldTable, schemas: Iterable[dict[str, Any]]) -> None:
    """Adds the names of the embedded dataset's schemas."""
    for schema in schemas:
        if {"channel", "event_id", "provider", "fields"} <= schema.keys():
            names = table.setdefault(schema["channel"], {}).setdefault(schema["event_id"], {})
            found = names.setdefault(schema["provider"], set())
            found.update(field[0] or _UNNAMED for field in schema["fields"])


def table_text(table: FieldTable, system: set[str]) -> str:
    """The table as JSON, a line per (channel, EventID, provider), sorted: a change shows as what it is."""
    rows = [
        [channel, event_id, provider, " ".join(sorted(names))]
        for channel, of_channel in sorted(table.items())
        for event_id, of_id in sorted(of_channel.items())
        for provider, names in sorted(of_id.items())
    ]
    head = {
        "system": " ".join(sorted(system)),
        "always_in_4688": " ".join(ALWAYS_ALIASED),
        "process_creation_in_4688": " ".join(sorted({*PROCESS_CREATION_FIELDS, "User"})),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(names)}," for key, names in head.items()]
    events = ",\n".join(json.dumps(row) for row in rows)
    return "\n".join(["{", *lines, '"events": [', events, "]}", ""])


def main(arguments: Sequence[str]) -> None:
    """Prints the table made of the logs that are named and the embedded schemas."""
    table: FieldTable = {}
    system: set[str] = set()
    for partition in build([LogRoot(Path(path)) for path in arguments]).partitions:
        add_partition(table, system, partition)
    add_schemas(table, yaml.safe_load(_SCHEMAS.read_text(encoding="utf-8")).values())
    add_newer(table)
    sys.stdout.write(table_text(table, system))


if __name__ == "__main__":
    main(sys.argv[1:])
