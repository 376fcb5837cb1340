"""What a host keeps while it logs: one clock, its counters, its sessions and its processes."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sigma_env.simulation.starter.company import Account, Host

START = datetime(2026, 3, 2, 6, 40, tzinfo=UTC)
_DAYS = 3
_DAY_BEGINS, _DAY_ENDS = 6, 20
SYSTEM_PID = 4
_MAX_PID = 22_000

_Choice = TypeVar("_Choice")


@dataclass(frozen=True)
class Process:
    """A running process.

    Attributes:
        user: domain, backslash and name of its account; `-` if unknown.
    """

    image: str
    command_line: str
    pid: int
    guid: str
    user: str


@dataclass(frozen=True)
class Session:
    """A logon session of an account on a host."""

    logon_id: int
    logon_guid: str
    terminal: int


UNKNOWN_PROCESS = Process("-", "-", 0, "00000000-0000-0000-0000-000000000000", "-")


class HostState:
    """Clock, counters, sessions and processes of one host, all from one seed: the host's name.

    Args:
        host: the host.
        actions: how many actions are to come; the clock spreads them over the days.
    """

    def __init__(self, host: Host, actions: int) -> None:
        self.host = host
        self.random = random.Random(f"starter {host.name}")
        self.now = START + timedelta(seconds=self.random.randrange(600))
        hours = _DAYS * (_DAY_ENDS - _DAY_BEGINS)
        self._longest_gap = 2 * hours * 3600 / max(actions, 1)
        self._machine = self.random.getrandbits(32)
        self._boot = self.random.getrandbits(16)
        self._next_pid = 700
        self._next_sequence = 0x40
        self._record_ids: dict[str, int] = {}
        self._sessions: dict[str, Session] = {}
        self._processes: dict[tuple[str, str], list[Process]] = {}
        self._services: dict[str, int] = {}

    def shuffled(self, items: list[_Choice]) -> list[_Choice]:
        """The items in the host's own random order."""
        return self.random.sample(items, len(items))

    def advance(self) -> None:
        """Go on to the next action; the nights are quiet."""
        self.now += timedelta(seconds=self.random.uniform(0.4, self._longest_gap))
        if not _DAY_BEGINS <= self.now.hour < _DAY_ENDS:
            morning = self.now.replace(hour=_DAY_BEGINS, minute=0, second=0)
            if self.now.hour >= _DAY_ENDS:
                morning += timedelta(days=1)
            self.now = morning + timedelta(seconds=self.random.randrange(2400))

    def pause(self) -> None:
        """The moment between two events of one action."""
        self.now += timedelta(microseconds=self.random.randrange(900, 6_000))

    def next_record_id(self, channel: str) -> int:
        """Record ids count per channel, from wherever the log's history left them."""
        if channel not in self._record_ids:
            self._record_ids[channel] = self.random.randrange(2_000, 900_000)
        self._record_ids[channel] += 1
        return self._record_ids[channel]

    def new_pid(self) -> int:
        """A process id; Windows gives out multiples of four."""
        self._next_pid += 4 * self.random.randrange(1, 60)
        if self._next_pid > _MAX_PID:
            self._next_pid = 1_000 + 4 * self.random.randrange(1, 200)
        return self._next_pid

    def new_guid(self) -> str:
        """A random GUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4)).upper()

    def new_logon_id(self) -> int:
        """A LogonId that no session has yet; they grow with the time since boot."""
        return int((self.now - START).total_seconds() * 97) + 0x60000 + self.random.randrange(97)

    def service_pid(self, service: str) -> int:
        """The process id of a part of Windows that writes events."""
        if service == "system":
            return SYSTEM_PID
        if service == "none":
            return 0
        if service not in self._services:
            self._services[service] = self.new_pid()
        return self._services[service]

    def session(self, account: Account) -> Session:
        """The session in which the account's processes run."""
        if account.name not in self._sessions:
            logon_id = account.logon_id
            if logon_id is None:
                logon_id = self.random.randrange(0x30000, 0x5FFFF)
            low, high = logon_id & 0xFFFF, logon_id >> 16
            began = int(START.timestamp()) - self.random.randrange(600, 40_000)
            swapped = f"{_swap(low):04X}-{_swap(high):04X}00000000"
            guid = f"{self._machine:08X}-{began & 0xFFFF:04X}-{began >> 16:04X}-{swapped}"
            terminal = 0 if account.is_built_in else len(self._sessions) + 1
            self._sessions[account.name] = Session(logon_id, guid, terminal)
        return self._sessions[account.name]

    def running(self, image: str, account: Account, command_line: str | None = None) -> Process:
        """The account's process of that image (and command line); one that started before the log if there is none."""
        if image in ("-", ""):
            return UNKNOWN_PROCESS
        for process in reversed(self._processes.get((image.lower(), account.full), [])):
            if command_line is None or process.command_line == command_line:
                return process
        return self._add(image, command_line if command_line is not None else f'"{image}"', account, earlier=True)

    def started(self, image: str, command_line: str, account: Account) -> Process:
        """A process that starts now."""
        return self._add(image, command_line, account, earlier=False)

    def _add(self, image: str, command_line: str, account: Account, *, earlier: bool) -> Process:
        began = int(self.now.timestamp()) - (self.random.randrange(60, 9_000) if earlier else 0)
        self._next_sequence += self.random.randrange(1, 5)
        sequence = _swap(self._next_sequence & 0xFFFF)
        guid = f"{self._machine:08X}-{began & 0xFFFF:04X}-{began >> 16:04X}-{sequence:04X}-{self._boot << 8:012X}"
        pid = SYSTEM_PID if image == "System" else self.new_pid()
        process = Process(image, command_line, pid, guid, account.full)
        self._processes.setdefault((image.lower(), account.full), []).append(process)
        return process


def _swap(word: int) -> int:
    """The two bytes of a 16-bit word the other way round: Sysmon's GUIDs show little-endian memory."""
    return (word & 0xFF) << 8 | word >> 8
