"""What a host keeps while it logs: one clock, its counters, its sessions and its processes."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.hosts import Host

START = datetime(2026, 3, 2, 6, 40, tzinfo=UTC)
"""When the logs of a company begin: a Monday morning."""

SYSTEM_PID = 4
_WORKING_DAYS = 5
_DAY_BEGINS, _DAY_ENDS = 6, 20
_MAX_PID = 30_000
# After so many processes all are taken for ended: what refers to them again belongs to new ones.
_REMEMBERED = 4_096
_NO_GUID = "00000000-0000-0000-0000-000000000000"
_NETWORK_LOGONS = frozenset(("3", "4", "5", "8", "9"))


class Process(NamedTuple):
    r"""A running process; `user` is DOMAIN\name."""

    image: str
    command_line: str
    pid: int
    guid: str
    user: str


class Session(NamedTuple):
    """A logon session of an account."""

    logon_id: int
    guid: str


UNKNOWN_PROCESS = Process("-", "-", 0, _NO_GUID, "-")


class HostState:
    """Clock, counters, sessions and processes of one host. Everything is drawn from a seed and the host's name.

    Numbers that identify (PIDs, LogonIds) never meet those of the other part of the company: pilot hosts give out
    others than the rest.

    Args:
        company: the host's.
        host: the host.
        seed: of the whole company's logs.
        actions: how many actions are to come; the clock spreads them over a working week.
    """

    def __init__(self, company: Company, host: Host, seed: int, actions: int) -> None:
        self.company = company
        self.host = host
        self.random = random.Random(f"log|{seed}|{host.name}")
        self.now = START + timedelta(seconds=self.random.randrange(600))
        hours = _WORKING_DAYS * (_DAY_ENDS - _DAY_BEGINS)
        self._longest_gap = 2 * hours * 3600 / max(actions, 1)
        self._machine = self.random.getrandbits(32)
        self._boot = self.random.getrandbits(16)
        self._next_pid = 700
        self._next_sequence = 0x40
        self._record_ids: dict[str, int] = {}
        self._sessions: dict[str, Session] = {}
        self._network: dict[str, list[Session]] = {}
        self._logon_ids: set[int] = set()
        self._latest: dict[tuple[str, str], Process] = {}
        self._by_line: dict[tuple[str, str, str], Process] = {}
        self._services: dict[str, int] = {}

    def advance(self) -> None:
        """Goes on to the next action; nights are quiet."""
        self.now += timedelta(seconds=0.05 + self.random.random() * self._longest_gap)
        if not _DAY_BEGINS <= self.now.hour < _DAY_ENDS:
            morning = self.now.replace(hour=_DAY_BEGINS, minute=0, second=0)
            if self.now.hour >= _DAY_ENDS:
                morning += timedelta(days=1)
            self.now = morning + timedelta(seconds=self.random.randrange(2400))

    def pause(self) -> None:
        """The moment between two records of one action."""
        self.now += timedelta(microseconds=self.random.randrange(900, 6_000))

    def next_record_id(self, channel: str) -> int:
        """Record ids count per channel, from wherever the log's history left them."""
        last = self._record_ids.get(channel)
        if last is None:
            last = self.random.randrange(2_000, 900_000)
        self._record_ids[channel] = last + 1
        return last + 1

    def new_pid(self) -> int:
        """A process or thread id; Windows gives out multiples of four."""
        self._next_pid += 8 * self.random.randrange(1, 30)
        if self._next_pid > _MAX_PID:
            self._next_pid = 1_000 + 8 * self.random.randrange(1, 200)
        return self._next_pid // 8 * 8 + 4 * self.host.pilot

    def new_guid(self) -> str:
        """A random GUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4)).upper()

    def new_logon_id(self) -> int:
        """A LogonId that no session has yet; they grow with the time since boot."""
        logon_id = 0x60000 + int((self.now - START).total_seconds() * 97)
        logon_id = (logon_id + self.random.randrange(64)) // 2 * 2 + self.host.pilot
        while logon_id in self._logon_ids:
            logon_id += 2
        self._logon_ids.add(logon_id)
        return logon_id

    def service_pid(self, service: str) -> int:
        """The process id of a part of Windows that writes events."""
        if service == "system":
            return SYSTEM_PID
        if service not in self._services:
            self._services[service] = self.new_pid()
        return self._services[service]

    def session(self, who: str) -> Session:
        r"""The session in which an account works; it began before the log if no logon was seen.

        Args:
            who: a SID, a name, or DOMAIN\name.
        """
        key = self._session_key(who)
        session = self._sessions.get(key)
        if session is None:
            account = self.company.by_sid.get(key)
            fixed = None if account is None else account.logon_id
            session = self._sessions[key] = self._new_session(fixed)
        return session

    def log_on(self, who: str, logon_type: str) -> Session:
        """A logon now: over the network it is one more session, else the one in which the account works on."""
        key = self._session_key(who)
        account = self.company.by_sid.get(key)
        if account is not None and account.logon_id is not None:
            return self.session(key)
        session = self._new_session(None)
        if logon_type in _NETWORK_LOGONS:
            self._network.setdefault(key, []).append(session)
        else:
            self._sessions[key] = session
        return session

    def log_off(self, who: str) -> Session:
        """The session that ends now: the oldest network session, else one that began before the log."""
        key = self._session_key(who)
        waiting = self._network.get(key)
        return waiting.pop(0) if waiting else self._new_session(None)

    def network_session(self, who: str) -> Session:
        """The session of an account that acts from another host."""
        waiting = self._network.get(self._session_key(who))
        return waiting[-1] if waiting else self.session(who)

    def _session_key(self, who: str) -> str:
        if who.startswith("S-1-"):
            return who
        account = self.company.by_lower_name.get(who.rpartition("\\")[2].lower())
        return who.lower() if account is None else account.sid

    def _new_session(self, logon_id: int | None) -> Session:
        if logon_id is None:
            logon_id = self.new_logon_id()
        began = int(self.now.timestamp())
        swapped = f"{_swapped(logon_id & 0xFFFF):04X}-{_swapped(logon_id >> 16 & 0xFFFF):04X}00000000"
        guid = f"{self._machine:08X}-{began & 0xFFFF:04X}-{began >> 16 & 0xFFFF:04X}-{swapped}"
        return Session(logon_id, guid)

    def running(self, image: str, user: str, command_line: str | None = None) -> Process:
        """The account's process of that image (and command line); one that started before the log if there is none."""
        if image in ("-", ""):
            return UNKNOWN_PROCESS
        key = (image.lower(), user.lower())
        known = self._latest.get(key) if command_line is None else self._by_line.get((*key, command_line))
        if known is not None:
            return known
        began = int(self.now.timestamp()) - self.random.randrange(60, 9_000)
        return self._add(image, command_line or f'"{image}"', user, began)

    def started(self, image: str, command_line: str, user: str) -> Process:
        """A process that starts now."""
        return self._add(image, command_line, user, int(self.now.timestamp()))

    def ended(self, process: Process) -> None:
        """A process that ends now; nothing refers to it later."""
        key = (process.image.lower(), process.user.lower())
        if self._latest.get(key) == process:
            del self._latest[key]
        if self._by_line.get((*key, process.command_line)) == process:
            del self._by_line[*key, process.command_line]

    def _add(self, image: str, command_line: str, user: str, began: int) -> Process:
        self._next_sequence += self.random.randrange(1, 5)
        sequence = _swapped(self._next_sequence & 0xFFFF)
        high = self._next_sequence >> 16 & 0xFFFF
        start = f"{self._machine:08X}-{began & 0xFFFF:04X}-{began >> 16 & 0xFFFF:04X}"
        guid = f"{start}-{sequence:04X}-{self._boot:04X}{high:08X}"
        pid = SYSTEM_PID if image == "System" else self.new_pid()
        process = Process(image, command_line, pid, guid, user)
        if len(self._by_line) >= _REMEMBERED:
            self._latest.clear()
            self._by_line.clear()
        key = (image.lower(), user.lower())
        self._latest[key] = self._by_line[*key, command_line] = process
        return process


def _swapped(word: int) -> int:
    """The two bytes of a 16-bit word the other way round: Sysmon's GUIDs show little-endian memory."""
    return (word & 0xFF) << 8 | word >> 8
