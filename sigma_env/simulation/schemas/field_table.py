"""Makes the table of which fields events have, for the linter: `python -m sigma_env.simulation.schemas.field_table`.

Only names are kept, no values. Sources: the events of logs, and the event schemas. To renew it:

    python -m sigma_env.simulation.schemas.field_table LOGS... > sigma_env/sigma/event_fields.json
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from sigma_env.events.build import build
from sigma_env.events.derived import ALWAYS_ALIASED, PROCESS_CREATION_FIELDS
from sigma_env.events.logs import LogRoot
from sigma_env.events.partition import Partition
from sigma_env.sigma.taxonomy import SECURITY
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas.catalogue import catalogue

FieldTable: TypeAlias = dict[str, dict[int, dict[str, set[str]]]]
"""Channel → EventID → provider → names."""

_UNNAMED: Final = "Data"
# What damaged or invented events call their data is no schema.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}\Z")
_TICKET: Final = (
    "ResponseTicket AccountSupportedEncryptionTypes AccountAvailableKeys ServiceSupportedEncryptionTypes "
    "ServiceAvailableKeys DCSupportedEncryptionTypes DCAvailableKeys ClientAdvertizedEncryptionTypes "
    "SessionKeyEncryptionType PreAuthEncryptionType RequestTicketHash ResponseTicketHash"
)
_NETWORK: Final = "FilterOrigin OriginalProfile CurrentProfile InterfaceIndex"
_NEWER: Final = ((tuple(range(5150, 5160)), _NETWORK), ((4698,), "FQDN"), ((4768, 4769), _TICKET))
"""Fields of newer audit events than the schemas know: Windows 11's and Server 2025's."""


def add_newer(table: FieldTable) -> None:
    """Adds the fields of newer versions to the events that are in the table."""
    for event_ids, names in _NEWER:
        for event_id in event_ids:
            for known in table.get(SECURITY, {}).get(event_id, {}).values():
                known.update(names.split())


def add_partition(table: FieldTable, system: set[str], partition: Partition) -> None:
    """Adds the names of a partition's fields, with the aliases that rules may use, per provider of its events."""
    providers = partition.system_column("Provider_Name")
    if providers is None or partition.event_id < 0 or not partition.channel:
        return
    columns = [(column, info) for info in partition.infos if (column := partition.column(info.name)) is not None]
    system.update(info.name for info in partition.infos if info.system and _NAME.match(info.name))
    for code in range(providers.n_values):
        rows = providers.rows_with([code])
        names = table.setdefault(partition.channel, {}).setdefault(partition.event_id, {})
        found = names.setdefault(providers.value(code), set())
        for column, info in columns:
            if not info.system and column.rows_present & rows:
                found.update(name for name in (info.name, *info.aliases) if _NAME.match(name))


def add_schemas(table: FieldTable, schemas: Iterable[EventSchema]) -> None:
    """Adds the names of the schemas' fields, with the aliases that rules may use."""
    for schema in schemas:
        names = table.setdefault(schema.channel, {}).setdefault(schema.event_id, {})
        found = names.setdefault(schema.provider, set())
        for spec in schema.fields:
            name = spec.name or _UNNAMED
            found.update(alias for alias in (name.replace(" ", ""), name.replace(" ", "_")) if _NAME.match(alias))


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


def made_of(partitions: Iterable[Partition]) -> str:
    """The content of `event_fields.json`, made of the events of logs and all schemas."""
    table: FieldTable = {}
    system: set[str] = set()
    for partition in partitions:
        add_partition(table, system, partition)
    add_schemas(table, catalogue())
    add_newer(table)
    return table_text(table, system)


def main(arguments: Sequence[str]) -> None:
    """Prints the table made of the logs that are named and the event schemas."""
    sys.stdout.write(made_of(build([LogRoot(Path(path)) for path in arguments]).partitions))


if __name__ == "__main__":
    main(sys.argv[1:])
