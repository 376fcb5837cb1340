"""A scene in full: who acts, where, with which program, and what stands around it."""

from __future__ import annotations

import uuid
from functools import cached_property, lru_cache

from sigma_env.simulation.draft import Scene
from sigma_env.simulation.world.accounts import Account
from sigma_env.simulation.world.chance import mixed, pick, salt
from sigma_env.simulation.world.company import PROGRAM_SLOTS, Company
from sigma_env.simulation.world.hosts import Host
from sigma_env.simulation.world.programs import Identity, Program, programs

_PROGRAM, _PARENT, _CALL, _DIRECTORY = salt("program"), salt("parent"), salt("call"), salt("directory")
_LIBRARY, _DRIVER, _DOCUMENT, _OTHER, _PEER = (salt(s) for s in ("library", "driver", "document", "other", "peer"))
_EPHEMERAL_PORTS = 49_152


class Setting:
    """What a scene stands for; everything is decided by the scene and the company.

    Attributes:
        letter: who acts, as `Account.letter`.
        has_program: whether the scene names a program of its own.
    """

    def __init__(self, company: Company, scene: Scene) -> None:
        self.company = company
        self.host: Host = company.host(scene.host)
        self.account: Account = company.account(scene.user)
        self.number, slot = scene.number, scene.number % PROGRAM_SLOTS
        self.letter = self.account.letter
        known = programs()
        self.has_program = slot < len(known.programs)
        quiet = known.quiet[self.letter]
        self.program: Program = known.programs[slot] if self.has_program else pick(quiet, self.number, _PROGRAM)

    @cached_property
    def identity(self) -> Identity:
        """Version information and hashes of the program, in the host's update ring."""
        return self.program.identities[self.host.pilot]

    @cached_property
    def library(self) -> Program:
        """The library that is loaded."""
        return pick(programs().libraries, self.number, _LIBRARY)

    @cached_property
    def driver(self) -> Program:
        """The driver that is loaded."""
        return pick(programs().drivers, self.number, _DRIVER)

    @cached_property
    def parent(self) -> tuple[str, str]:
        """(image, command line) of what starts the program."""
        usual = self.program.parents or programs().usual_parents[self.letter]
        return pick(usual, self.number, _PARENT)

    @cached_property
    def command_line(self) -> str:
        """How the program is called."""
        return self.call(self.program, self.program.path)

    def call(self, program: Program, path: str) -> str:
        """A usual command line of a program that lies at a path."""
        if not program.calls:
            return f'"{path}"' if " " in path or self.letter != "s" else path
        args = pick(program.calls, self.number, _CALL).format(
            user=self.account.name,
            home=self.account.home,
            n=self.small_number,
            doc=self.document,
            dns=self.company.domain.dns,
            host=self.host.name,
        )
        if args[:1] == "=":
            return args[1:]
        return f'"{path}" {args}' if args else f'"{path}"'

    @cached_property
    def directory(self) -> str:
        """Where the program starts. Pilot hosts have directories of their own, see `Company.scene`."""
        home = self.account.home
        if self.host.pilot:
            options = [f"{home}\\", f"{home}\\Documents\\", f"C:\\Work\\{self.document}\\"]
        elif self.letter == "s":
            options = ["C:\\Windows\\system32\\", "C:\\Windows\\system32\\", "C:\\Windows\\"]
        else:
            options = [
                f"{home}\\",
                f"{home}\\Documents\\",
                "C:\\Windows\\system32\\",
                f"D:\\Projects\\{self.document}\\",
            ]
        return pick(options, self.number, _DIRECTORY)

    @cached_property
    def document(self) -> str:
        """The name of a document or project, with a number; those of pilot hosts are other ones."""
        year = 2023 + self.small_number % 2 + 2 * (not self.host.pilot)
        return f"{pick(self.company.documents, self.number, _DOCUMENT)}-{year}"

    @cached_property
    def small_number(self) -> int:
        """A number of four digits."""
        return 1000 + mixed(self.number, _CALL) % 9000

    @cached_property
    def other(self) -> Account:
        """Another person's account: of whom an event speaks who does not act. Of the same part of the company."""
        people = _people(self.company, self.host.pilot)
        return pick(people, self.number, _OTHER)

    @cached_property
    def peer(self) -> Host:
        """Another host that takes part, of the same part of the company."""
        peers = _peers(self.company, self.host.pilot)
        found = pick(peers, self.number, _PEER)
        return found if found is not self.host else peers[(peers.index(found) + 1) % len(peers)]

    @cached_property
    def dc(self) -> Host:
        """The domain controller that the host talks to, of the same part of the company."""
        return next(host for host in self.company.dcs if host.pilot == self.host.pilot)

    def guid(self, purpose: int) -> str:
        """A GUID that stays the same in the scene."""
        high, low = mixed(self.number, purpose), mixed(self.number, purpose ^ 0x5555)
        value = (
            high << 96 | low << 64 | mixed(self.number, purpose ^ 0x3333) << 32 | mixed(self.number, purpose ^ 0x1111)
        )
        return str(uuid.UUID(int=value, version=4)).upper()

    def port(self, purpose: int) -> int:
        """An ephemeral port."""
        return _EPHEMERAL_PORTS + mixed(self.number, purpose) % (65_500 - _EPHEMERAL_PORTS)


@lru_cache(maxsize=8192)
def setting(company: Company, scene: Scene) -> Setting:
    """The setting of a scene; those used last are kept, because a scene has several events.

    Raises:
        SimulationError: the company has no such host or account.
    """
    return Setting(company, scene)


@lru_cache(maxsize=16)
def _people(company: Company, pilot: bool) -> tuple[Account, ...]:
    return tuple(a for a in company.accounts.values() if a.kind == "user" and a.pilot == pilot)


@lru_cache(maxsize=16)
def _peers(company: Company, pilot: bool) -> tuple[Host, ...]:
    return tuple(host for host in company.hosts.values() if host.pilot == pilot)
