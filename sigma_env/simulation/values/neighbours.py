"""Real texts that are no less likely in a field than a given one: other accounts, SIDs, shares, addresses."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Final

from sigma_env.simulation.schema import FieldKind

_NT_ACCOUNTS: Final = ("SYSTEM", "LOCAL SERVICE", "NETWORK SERVICE")
_WELL_KNOWN: Final = ("S-1-5-18", "S-1-5-19", "S-1-5-20")
_RIDS: Final = ("500", "501", "512", "513", "519")
_NAMES: Final = ("administrator", "admin", "svc_backup", "svc_sql", "svc_deploy", "svc_monitor", "svc_web", "helpdesk")
_SHARES: Final = ("IPC$", "ADMIN$", "C$", "D$", "SYSVOL", "NETLOGON", "print$", "Projects", "Software", "Users")
_SERVERS: Final = ("SRV-FILE01", "SRV-FILE02", "SRV-APP01", "SRV-APP02")
_LAST: Final = re.compile(r"\d+$")


def neighbours(text: str, kind: FieldKind, rng: random.Random) -> Iterator[str]:
    """Other texts of a field of this kind, the nearest first; nothing for kinds whose texts are made of words."""
    maker = _BY_KIND.get(kind)
    if maker is not None:
        yield from maker(text, rng)


def otherwise(text: str, kind: FieldKind, rng: random.Random) -> Iterator[str]:
    """The same in another form: of hashes some algorithm less, of a program its path on a share."""
    if kind is FieldKind.HASHES:
        yield from _without_an_algorithm(text, rng)
    elif kind is FieldKind.IMAGE:
        yield from _on_a_share(text, rng)


def _without_an_algorithm(text: str, rng: random.Random) -> Iterator[str]:
    """What a host shows whose configuration asks for fewer hashes."""
    hashes = text.split(",")
    for left_out in rng.sample(range(len(hashes)), len(hashes)) if len(hashes) > 1 else ():
        yield ",".join(hashes[:left_out] + hashes[left_out + 1 :])


def _on_a_share(text: str, rng: random.Random) -> Iterator[str]:
    """What was started from another machine: a path without the letter of a drive."""
    if text[1:3] == ":\\":
        yield from (f"\\\\{server}\\{text[0].upper()}$\\{text[3:]}" for server in rng.sample(_SERVERS, 2))


def _users(text: str, rng: random.Random) -> Iterator[str]:
    domain, slash, name = text.rpartition("\\")
    if domain.upper() == "NT AUTHORITY":
        yield from (f"{domain}\\{other}" for other in rng.sample(_NT_ACCOUNTS, 3) if other != name.upper())
        return
    yield from (f"{domain}{slash}{other}" for other in _accounts(name, rng))


def _accounts(text: str, rng: random.Random) -> Iterator[str]:
    if text.upper() in _NT_ACCOUNTS:
        yield from (other for other in rng.sample(_NT_ACCOUNTS, 3) if other != text.upper())
        return
    if text.endswith("$"):
        yield f"{text[:-1]}-01$"
        yield _LAST.sub(lambda found: f"{(int(found[0]) + 1) % 10 ** len(found[0]):0{len(found[0])}d}", text[:-1]) + "$"
        return
    number = _LAST.search(text)
    if number is not None:
        yield f"{text[: number.start()]}{int(number[0]) + rng.randint(1, 3):0{len(number[0])}d}"
    elif text:
        yield f"{text}{rng.choice(('2', '01', '1'))}"
        yield rng.choice(("adm_", "ext_", "t_")) + text
    yield from rng.sample(_NAMES, 4)


def _sids(text: str, rng: random.Random) -> Iterator[str]:
    domain, dash, rid = text.rpartition("-")
    if text.startswith("S-1-5-21-") and text.count("-") >= 7:
        low = int(rid) if rid.isdigit() else 1000
        yield f"{domain}{dash}{low + rng.randint(1, 9) if low > 999 else rng.choice(_RIDS)}"
        yield f"{domain}{dash}{rng.randint(1100, 1999)}"
        yield from (f"{domain}{dash}{other}" for other in rng.sample(_RIDS, 3))
    elif text.startswith("S-1-16-"):
        yield from (f"S-1-16-{level}" for level in ("4096", "8192", "12288", "16384"))
    yield from rng.sample(_WELL_KNOWN, len(_WELL_KNOWN))


def _shares(text: str, rng: random.Random) -> Iterator[str]:
    server = text.rpartition("\\")[0] or "\\\\*"
    yield from (f"{server}\\{share}" for share in rng.sample(_SHARES, len(_SHARES)))


_BY_KIND: Final[dict[FieldKind, Callable[[str, random.Random], Iterator[str]]]] = {
    FieldKind.USER: _users,
    FieldKind.ACCOUNT: _accounts,
    FieldKind.SID: _sids,
    FieldKind.SHARE: _shares,
}
