"""Background: what a quiet enterprise logs without any rule in mind."""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from sigma_env.simulation.draft import Draft, FieldValue, Scene
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world.company import PROGRAM_SLOTS, Company
from sigma_env.simulation.world.files import DATA, Strict, read_data, validate
from sigma_env.simulation.world.fill import fill
from sigma_env.simulation.world.hosts import Host
from sigma_env.simulation.world.kinds_on_hosts import hosts_of
from sigma_env.simulation.world.ordinary import Row, ordinary
from sigma_env.simulation.world.setting import setting

FILE = "background.yml"
# How much more a kind of host logs than a workstation.
_BUSY = {"workstation": 2, "server": 3, "dc": 5}
# Who does what no row says: mostly people.
_ANYBODY = Row("", 1, {}, None)


class _File(Strict):
    at_least: int
    kinds: dict[str, dict[int, tuple[float, str]]]


class _Kind(NamedTuple):
    channel: str
    event_id: int
    weight: float


@lru_cache(maxsize=1)
def _kinds() -> tuple[int, tuple[_Kind, ...]]:
    spec = validate(_File, read_data(FILE), FILE)
    kinds = []
    for channel, events in spec.kinds.items():
        for event_id, (weight, _) in events.items():
            if not catalogue().of_event(channel, event_id):
                raise SimulationError(f"{DATA / FILE}: {channel} {event_id}: no event schema is known; remove it")
            kinds.append(_Kind(channel, event_id, weight))
    return spec.at_least, tuple(kinds)


def background(company: Company, seed: int, n: int) -> list[Draft]:
    """Events of a quiet enterprise, in the proportions of the data file and in no order.

    None is made for a rule, and none imitates an attack. Rules may match some all the same, as they do in real
    networks; the engine labels them.

    Args:
        company: where it happens.
        seed: another seed gives other events.
        n: how many; where there is room, at least a few of every kind.
    """
    rng = random.Random(f"background|{seed}")
    drafts = []
    for kind, count in _counts(n):
        source = _Source(company, kind)
        drafts += [source.draw(rng) for _ in range(count)]
    return drafts


def _counts(n: int) -> list[tuple[_Kind, int]]:
    """How often each kind occurs: its share, by the largest remainder, and no less than a few if there is room."""
    at_least, kinds = _kinds()
    floor = at_least if 2 * at_least * len(kinds) <= n else 0
    rest = n - floor * len(kinds)
    whole = sum(kind.weight for kind in kinds)
    exact = [rest * kind.weight / whole for kind in kinds]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(kinds)), key=lambda at: (counts[at] - exact[at], at))
    for at in by_remainder[: rest - sum(counts)]:
        counts[at] += 1
    return [(kind, floor + count) for kind, count in zip(kinds, counts, strict=True)]


class _Source:
    """Draws events of one kind."""

    def __init__(self, company: Company, kind: _Kind) -> None:
        self._company = company
        family = catalogue().of_event(kind.channel, kind.event_id)
        self._family = tuple(schema for schema in family if schema.provider == family[0].provider)
        on = hosts_of(family[0])
        hosts = [h for h in company.hosts.values() if h.logs(family[0].logged_by) and (not on or h.kind in on)]
        self._hosts = hosts
        self._host_weights = list(accumulate(_BUSY[host.kind] for host in hosts))
        known = ordinary().get((kind.channel.lower(), kind.event_id))
        self._rows = (_ANYBODY,) if known is None else known.rows
        self._row_weights = list(accumulate(row.weight for row in self._rows))
        self._pilot = tuple(
            [a.name for a in company.accounts.values() if a.kind == "admin" and a.pilot == side]
            for side in (False, True)
        )

    def draw(self, rng: random.Random) -> Draft:
        """One event."""
        host = rng.choices(self._hosts, cum_weights=self._host_weights)[0]
        row = rng.choices(self._rows, cum_weights=self._row_weights)[0]
        scene = Scene(host.name, self._who(rng, row, host), rng.getrandbits(32) * PROGRAM_SLOTS + PROGRAM_SLOTS - 1)
        schema = host.version_of(self._family)
        values = self._of_row(row, schema, scene)
        return Draft(schema, fill(schema, values, scene, self._company), scene, "background")

    def _of_row(self, row: Row, schema: EventSchema, scene: Scene) -> dict[str, FieldValue]:
        here = setting(self._company, scene)
        names = {spec.name for spec in schema.fields}
        unnamed = sum(spec.name is None for spec in schema.fields)
        values = {name: producer(here) for name, producer in row.values.items() if name in names}
        if unnamed and "Data" in row.values and len(texts := row.values["Data"](here)) == unnamed:
            values["Data"] = texts
        return values

    def _who(self, rng: random.Random, row: Row, host: Host) -> str:
        if row.user is not None:
            return row.user
        letter = rng.choice(row.who or "uuuas")
        if letter == "s":
            return "SYSTEM"
        if letter == "u" and host.kind == "workstation":
            return host.user
        return rng.choice(self._pilot[host.pilot])
