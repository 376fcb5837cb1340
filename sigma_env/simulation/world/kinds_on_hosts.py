"""Which hosts log a kind of event, and in which versions it exists."""

from functools import lru_cache

from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world.files import read_data
from sigma_env.simulation.world.hosts import HostKind

_FILE = "kinds_on_hosts.yml"


def versions_of(schema: EventSchema) -> tuple[EventSchema, ...]:
    """All versions of a provider's event, newest first; a schema that no catalogue holds is its own family."""
    family = tuple(
        version
        for version in catalogue().of_event(schema.channel, schema.event_id)
        if version.provider == schema.provider
    )
    return family if any(version.name == schema.name for version in family) else (schema,)


def hosts_of(schema: EventSchema) -> frozenset[HostKind]:
    """The kinds of hosts that log such events; empty if all do."""
    return _table().get(
        (schema.channel.lower(), schema.event_id), _table().get((schema.channel.lower(), 0), frozenset())
    )


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, int], frozenset[HostKind]]:
    table: dict[tuple[str, int], frozenset[HostKind]] = {}
    for kind, channels in read_data(_FILE).items():
        for channel, event_ids in channels.items():
            for event_id in event_ids or [0]:
                table[channel.lower(), event_id] = table.get((channel.lower(), event_id), frozenset()) | {kind}
    return table
