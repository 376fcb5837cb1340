"""Ordinary events: rows of values that go together, from the data files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field

from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.world.chance import salt
from sigma_env.simulation.world.files import DATA, Strict, read_data, validate
from sigma_env.simulation.world.setting import Setting

FILES = ("ordinary_sysmon.yml", "ordinary_security.yml", "ordinary_windows.yml")

_PLACEHOLDER = re.compile(r"@([a-z_]+)@")
_GUID = salt("row guid")
_PLACES: Mapping[str, Callable[[Setting], str]] = {
    "user": lambda here: here.account.name,
    "full_user": lambda here: here.account.full,
    "sid": lambda here: here.account.sid,
    "home": lambda here: here.account.home,
    "host": lambda here: here.host.name,
    "fqdn": lambda here: here.host.fqdn,
    "ip": lambda here: here.host.ip,
    "dc": lambda here: here.dc.name,
    "dc_fqdn": lambda here: here.dc.fqdn.lower(),
    "dc_ip": lambda here: here.dc.ip,
    "peer": lambda here: here.peer.name,
    "peer_fqdn": lambda here: here.peer.fqdn.lower(),
    "peer_ip": lambda here: here.peer.ip,
    "other": lambda here: here.other.name,
    "other_sid": lambda here: here.other.sid,
    "domain": lambda here: here.company.domain.name,
    "domain_sid": lambda here: here.company.domain.sid,
    "dns": lambda here: here.company.domain.dns,
    "dns_upper": lambda here: here.company.domain.dns.upper(),
    "doc": lambda here: here.document,
    "n": lambda here: str(here.small_number),
    "port": lambda here: str(here.port(_GUID)),
    "guid": lambda here: here.guid(_GUID),
    "guid_lower": lambda here: here.guid(_GUID).lower(),
    "image": lambda here: here.program.path,
    "command_line": lambda here: here.command_line,
}

Producer = Callable[[Setting], FieldValue]


class Row(NamedTuple):
    """Values that go together.

    Attributes:
        who: letters of who does it (`Account.letter`); empty: anybody.
        weight: how often it is drawn for the background.
        values: by field; a text with placeholders is made for a setting.
        user: the account that does it, if it must be this one.
    """

    who: str
    weight: int
    values: Mapping[str, Producer]
    user: str | None


class Ordinary(NamedTuple):
    """The rows of an event.

    Attributes:
        by: fields that decide on a row: if one is given, only rows that agree with it are drawn.
    """

    rows: tuple[Row, ...]
    by: tuple[str, ...]


class _RowSpec(Strict):
    who: str = ""
    weight: int = 1
    user: str | None = None
    values: dict[str, str | list[str]]


class _EventSpec(Strict):
    by: tuple[str, ...] = ()
    base: Mapping[str, str | list[str]] = Field(default_factory=dict)
    rows: list[_RowSpec]


@lru_cache(maxsize=1)
def ordinary() -> Mapping[tuple[str, int], Ordinary]:
    """Rows by channel (lower case) and EventID.

    Raises:
        SimulationError: a data file is wrong.
    """
    found: dict[tuple[str, int], Ordinary] = {}
    for file in FILES:
        spec = validate(dict[str, dict[int, _EventSpec]], read_data(file), file)
        for channel, events in spec.items():
            for event_id, event in events.items():
                rows = tuple(
                    Row(row.who, row.weight, _compiled({**event.base, **row.values}, f"{file}: {channel}"), row.user)
                    for row in event.rows
                )
                found[channel.lower(), event_id] = Ordinary(rows, event.by)
    return found


def _compiled(values: Mapping[str, str | list[str]], where: str) -> dict[str, Producer]:
    compiled: dict[str, Producer] = {}
    for name, value in values.items():
        if isinstance(value, list):
            compiled[name] = _several([_producer(text, f"{where}: {name}") for text in value])
        else:
            compiled[name] = _producer(value, f"{where}: {name}")
    return compiled


def _several(parts: list[Callable[[Setting], str]]) -> Producer:
    return lambda here: tuple([part(here) for part in parts])


def _producer(text: str, where: str) -> Callable[[Setting], str]:
    pieces = _PLACEHOLDER.split(text)
    if unknown := [name for name in pieces[1::2] if name not in _PLACES]:
        raise SimulationError(f"{DATA / where}: there are no placeholders {unknown}; use one of {sorted(_PLACES)}")
    if len(pieces) == 1:
        return lambda _: text
    literals, places = pieces[::2], [_PLACES[name] for name in pieces[1::2]]

    def make(here: Setting) -> str:
        made = [literals[0]]
        for place, literal in zip(places, literals[1:], strict=True):
            made += (place(here), literal)
        return "".join(made)

    return make
