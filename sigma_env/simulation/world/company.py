"""The simulated company: its hosts and accounts, and where in it something may happen."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from sigma_env.simulation.draft import Scene
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.world.accounts import Account
from sigma_env.simulation.world.files import Strict, read_data, validate
from sigma_env.simulation.world.hosts import PROFILES, Host, HostKind
from sigma_env.simulation.world.kinds_on_hosts import hosts_of, versions_of
from sigma_env.simulation.world.programs import programs

FILE = "company.yml"
MIN_HOSTS = 24
PROGRAM_SLOTS = 1 << 10
"""A scene's number is `variation * PROGRAM_SLOTS + slot`; the slot names its program, see `Company.scene`."""

_FREE_SLOT = PROGRAM_SLOTS - 1
_FIRST_RID = 1105
# Every fourth host, and who works there, is of the pilot part: enough for each profile and age of events.
_PILOT_SHARE = 4
# Ages of a host's event versions, in turn; most hosts log the newest.
_AGES = (0, 0, 1, 0, 0, 2, 0, 1)
_PILOT_AGES = (0, 0, 0, 1, 1, 1, 2, 2, 2)
_OLDEST = 2


class _Domain(Strict):
    name: str
    dns: str
    sid: str


class _Group(Strict):
    prefix: str
    kind: HostKind
    network: str
    share: int
    digits: int


class _File(Strict):
    domain: _Domain
    groups: list[_Group]
    users: list[str]
    admins: list[str]
    services: list[str]
    built_in: dict[str, tuple[str, str, int]]
    documents: list[str]


class Domain(NamedTuple):
    """The Active Directory domain."""

    name: str
    dns: str
    sid: str


class Company:
    """Hosts and accounts by name. Two companies of one seed and size are the same.

    Attributes:
        seed: what it was made from.
        domain: its directory.
        hosts: by short name.
        accounts: by name; machine accounts end in `$`.
        documents: names of documents and projects.
    """

    def __init__(
        self,
        seed: int,
        domain: Domain,
        hosts: Mapping[str, Host],
        accounts: Mapping[str, Account],
        documents: tuple[str, ...],
    ) -> None:
        self.seed = seed
        self.domain = domain
        self.hosts = hosts
        self.accounts = accounts
        self.documents = documents
        self._logging: dict[tuple[str, bool], tuple[Host, ...]] = {}

    @classmethod
    def default(cls, seed: int = 0, hosts: int = 40) -> Company:
        """The company that datasets are made of.

        Args:
            seed: another seed gives other addresses, accounts and logging profiles to the same host names.
            hosts: how many hosts, at least 24, so that every profile and every age of events is there twice.

        Raises:
            SimulationError: too few hosts.
        """
        return _default(seed, hosts)

    @property
    def key(self) -> tuple[int, int]:
        """What decides everything about it: seed and number of hosts."""
        return self.seed, len(self.hosts)

    @cached_property
    def by_sid(self) -> dict[str, Account]:
        """Accounts by SID."""
        return {account.sid: account for account in self.accounts.values()}

    @cached_property
    def by_lower_name(self) -> dict[str, Account]:
        """Accounts by name in lower case."""
        return {name.lower(): account for name, account in self.accounts.items()}

    @cached_property
    def dcs(self) -> tuple[Host, ...]:
        """The domain controllers."""
        return tuple(host for host in self.hosts.values() if host.kind == "dc")

    def host(self, name: str) -> Host:
        """A host by its short name.

        Raises:
            SimulationError: there is none.
        """
        try:
            return self.hosts[name]
        except KeyError:
            raise SimulationError(f"scene: there is no host {name!r}; take one of Company.hosts") from None

    def account(self, name: str) -> Account:
        """An account by its name.

        Raises:
            SimulationError: there is none.
        """
        try:
            return self.accounts[name]
        except KeyError:
            raise SimulationError(f"scene: there is no account {name!r}; take one of Company.accounts") from None

    def hosts_for(self, schema: EventSchema, *, visible: bool = False) -> tuple[Host, ...]:
        """The hosts that log such events, in this version where there are several; never none.

        Args:
            schema: the kind of event.
            visible: whether to take hosts of the pilot part, which visible examples come from, or of the rest.
        """
        found = self._logging.get((schema.name, visible))
        if found is None:
            found = self._logging[schema.name, visible] = self._hosts_for(schema, visible)
        return found

    def _hosts_for(self, schema: EventSchema, visible: bool) -> tuple[Host, ...]:
        family = versions_of(schema)
        hosts = [host for host in self.hosts.values() if host.logs(schema.logged_by) and host.pilot == visible]
        on = hosts_of(schema)
        # A rare kind of host may not log it; then any host is less wrong than none.
        hosts = [host for host in hosts if not on or host.kind in on] or hosts
        same = [host for host in hosts if host.version_of(family).name == schema.name]
        # More versions than ages: what no host logs any more, the oldest hosts did.
        return tuple(same or [host for host in hosts if host.age_of(schema.logged_by) == _OLDEST] or hosts)

    def scene(
        self,
        rng: random.Random,
        schema: EventSchema,
        *,
        visible: bool = False,
        user: str | None = None,
        program: str | None = None,
    ) -> Scene:
        r"""Where an event may happen.

        Scenes with `visible` and scenes without share no host, user, SID, address, PID, session, hash or directory of
        their own; built-in accounts, which every host has, are only drawn without `visible`.

        Args:
            rng: what it is drawn from.
            schema: the kind of event; the host is one that logs it, in this version.
            visible: whether the scene is for an event that a request shows, or for its near-misses.
            user: account that acts; None draws one that works on the host.
            program: path or name of the program that acts, such as `C:\Windows\System32\certutil.exe`. Its version
                information and hashes become the scene's, also where the event gives the image another path. A
                program that the company does not know, and None, leave them to the scene's number.

        Raises:
            SimulationError: there is no account of this name.
        """
        hosts = self.hosts_for(schema, visible=visible)
        host = hosts[rng.randrange(len(hosts))]
        account = self.account(user).name if user is not None else self._someone(rng, host)
        slot = _FREE_SLOT
        if program is not None:
            slot = programs().by_name.get(program.rpartition("\\")[2].lower(), _FREE_SLOT)
        return Scene(host.name, account, rng.getrandbits(32) * PROGRAM_SLOTS + slot)

    def _someone(self, rng: random.Random, host: Host) -> str:
        """Mostly who works there; sometimes an administrator or Windows itself."""
        lot = rng.random()
        if lot < (0.75 if host.kind == "workstation" else 0.3):
            return host.user
        if lot < 0.9 or host.pilot:
            admins = self._admins[host.pilot]
            return admins[rng.randrange(len(admins))]
        return "SYSTEM"

    @cached_property
    def _admins(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        admins = [account for account in self.accounts.values() if account.kind == "admin"]
        broad, pilot = (tuple(a.name for a in admins if a.pilot == side) for side in (False, True))
        return broad, pilot

    def __reduce__(self) -> tuple[object, tuple[int, int]]:
        # Another process makes it again from its seed, which is less to send than the company.
        return _default, self.key


@lru_cache(maxsize=8)
def _default(seed: int, n_hosts: int) -> Company:
    if n_hosts < MIN_HOSTS:
        raise SimulationError(f"hosts: {n_hosts} are too few for every logging profile; take at least {MIN_HOSTS}")
    spec = validate(_File, read_data(FILE), FILE)
    domain = Domain(spec.domain.name, spec.domain.dns, spec.domain.sid)
    rng = random.Random(f"company|{seed}")
    accounts = _accounts(spec, domain, rng)
    hosts = _hosts(spec, domain, accounts, n_hosts, rng)
    for host in hosts.values():
        name = f"{host.name}$"
        sid = f"{domain.sid}-{2000 + len(accounts)}"
        accounts[name] = Account(name, domain.name, sid, "machine", 0x3E7, host.pilot)
    return Company(seed, domain, hosts, accounts, tuple(spec.documents))


def _accounts(spec: _File, domain: Domain, rng: random.Random) -> dict[str, Account]:
    accounts = {name: Account(name, nt, sid, "system", logon_id) for name, (nt, sid, logon_id) in spec.built_in.items()}
    accounts["Administrator"] = Account("Administrator", domain.name, f"{domain.sid}-500", "service")
    rid = _FIRST_RID
    for kind, names in (("user", spec.users), ("admin", spec.admins), ("service", spec.services)):
        shuffled = rng.sample(names, len(names))
        for position, name in enumerate(shuffled):
            rid += rng.randrange(1, 9)
            pilot = position % _PILOT_SHARE == _PILOT_SHARE - 1
            accounts[name] = Account(name, domain.name, f"{domain.sid}-{rid}", kind, pilot=pilot)  # type: ignore[arg-type]
    return accounts


def _hosts(
    spec: _File, domain: Domain, accounts: Mapping[str, Account], n_hosts: int, rng: random.Random
) -> dict[str, Host]:
    whole = sum(group.share for group in spec.groups)
    edges = [round(n_hosts * sum(g.share for g in spec.groups[:i]) / whole) for i in range(len(spec.groups) + 1)]
    people = {
        (kind, pilot): [a.name for a in accounts.values() if a.kind == kind and a.pilot == pilot]
        for kind in ("user", "admin")
        for pilot in (False, True)
    }
    hosts: dict[str, Host] = {}
    for group, first, last in zip(spec.groups, edges, edges[1:], strict=False):
        tails = rng.sample(range(10, 250), last - first)
        for position in range(first, last):
            name = f"{group.prefix}{position - first + 1:0{group.digits}d}"
            pilot = position % _PILOT_SHARE == _PILOT_SHARE - 1
            nth = position // _PILOT_SHARE if pilot else position - position // _PILOT_SHARE
            profile = PROFILES[(nth + 2 * pilot) % len(PROFILES)]  # the first pilot host logs both: it is a DC
            age = _PILOT_AGES[nth % len(_PILOT_AGES)] if pilot else _AGES[nth // len(PROFILES) % len(_AGES)]
            if group.kind == "dc" and profile == "both" and not pilot:
                age = 1
            of_kind = people["user" if group.kind == "workstation" else "admin", pilot]
            hosts[name] = Host(
                name=name,
                kind=group.kind,
                ip=f"{group.network}.{tails[position - first]}",
                dns=domain.dns,
                profile=profile,
                sysmon_age=age,
                windows_age=age,
                pilot=pilot,
                user=of_kind[nth % len(of_kind)],
            )
    return hosts
