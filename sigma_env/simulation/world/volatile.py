"""Volatile fields of one action: the times, ids and GUIDs that its host's clock and counters give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sigma_env.sigma.taxonomy import SYSMON
from sigma_env.simulation.draft import Draft, FieldValue
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.world.accounts import NOBODY
from sigma_env.simulation.world.host_state import UNKNOWN_PROCESS, HostState, Process, Session
from sigma_env.simulation.world.people_fields import LOGON_EVENTS
from sigma_env.simulation.world.process_fields import runs_as_system
from sigma_env.simulation.world.twin import PROCESS_STARTS

_SYSTEM = "NT AUTHORITY\\SYSTEM"
_LOGON, _LOGOFFS = 4624, frozenset((4634, 4647))
_NETWORK_EVENTS = frozenset((5140, 5145, 5142, 5143, 5144, 4662, 5136, 5137, 5141))
_PROCESS_TERMINATED = 5
# Who acts, in the order of how well the field says it.
_ACTOR_IMAGES = (
    "Image",
    "NewProcessName",
    "SourceImage",
    "ProcessName",
    "Process Name",
    "Application",
    "CallerProcessName",
)
_NO_PROCESS = frozenset(("-", "", "Unknown"))


class Moment:
    """One action on its host: the processes and sessions that its events refer to, looked up when asked for."""

    def __init__(self, state: HostState, records: Sequence[Draft]) -> None:
        draft = records[0]
        self.state = state
        self.schema = draft.schema
        self.values: Mapping[str, FieldValue] = draft.values
        # Of two records of a process start, Sysmon's says more of the parent.
        self._fullest = next((each for each in records if each.schema.channel == SYSMON), draft)
        self._account = state.company.account(draft.scene.user)
        self._process: Process | None = None
        self._parent: Process | None = None
        self._target: Process | None = None
        self._logon: Session | None = None

    def turn_to(self, record: Draft) -> None:
        """Goes on to another record of the action; processes and sessions stay the same."""
        if self._process is None and record is not self._fullest:
            self.schema, self.values = self._fullest.schema, self._fullest.values
            assert self.process
        self.schema, self.values = record.schema, record.values

    def text(self, *names: str) -> str:
        """The value of the first field that the action has; '' if it has none of them."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, str):
                return value
        return ""

    @property
    def user(self) -> str:
        r"""DOMAIN\name of who acts."""
        named = self.text("User", "SourceUser")
        if named:
            return named
        # A 4688 names the account that the new process runs as only where it is not its creator's.
        if self.text("TargetUserSid") not in ("", NOBODY) and self.schema.event_id == 4688:
            return f"{self.text('TargetDomainName')}\\{self.text('TargetUserName')}"
        name = self.text("SubjectUserName")
        if name in ("", "-"):
            return self._account.full
        if self.text("SubjectUserSid") == "S-1-5-18":
            return _SYSTEM
        return f"{self.text('SubjectDomainName')}\\{name}"

    @property
    def parent(self) -> Process:
        """What starts the process."""
        if self._parent is None:
            image = self.text("ParentImage", "ParentProcessName")
            user = self.text("ParentUser")
            if user in ("", "-"):
                user = _SYSTEM if runs_as_system(image) else self.user
            command_line = self.values.get("ParentCommandLine")
            known = command_line if isinstance(command_line, str) else None
            self._parent = self.state.running(image or "C:\\Windows\\explorer.exe", user, known)
        return self._parent

    @property
    def process(self) -> Process:
        """Who acts: a process that starts now, or one that runs."""
        if self._process is None:
            image = self.text(*_ACTOR_IMAGES)
            if (self.schema.channel, self.schema.event_id) in PROCESS_STARTS:
                assert self.parent  # it runs before what it starts
                self._process = self.state.started(image, self.text("CommandLine"), self.user)
            elif image in _NO_PROCESS:
                self._process = UNKNOWN_PROCESS
            else:
                self._process = self.state.running(image, self.user)
                if self.schema.event_id == _PROCESS_TERMINATED and "UtcTime" in self.schema.by_name:
                    self.state.ended(self._process)
        return self._process

    @property
    def target(self) -> Process:
        """Whom the process reaches into."""
        if self._target is None:
            image = self.text("TargetImage")
            user = self.text("TargetUser")
            if user in ("", "-"):
                user = _SYSTEM if runs_as_system(image) else self._account.full
            self._target = self.state.running(image, user) if image not in _NO_PROCESS else UNKNOWN_PROCESS
        return self._target

    @property
    def logon(self) -> Session:
        """The session that begins, ends or is spoken of."""
        if self._logon is None:
            who = self.text("TargetUserSid")
            if who in ("", NOBODY):
                who = self.text("TargetUserName")
            if self.schema.event_id == _LOGON:
                self._logon = self.state.log_on(who, self.text("LogonType"))
            elif self.schema.event_id in _LOGOFFS:
                self._logon = self.state.log_off(who)
            elif self.schema.event_id in LOGON_EVENTS:
                self._logon = self.state.network_session(who)
            else:
                self._logon = self.state.session(who)
        return self._logon

    @property
    def subject(self) -> Session:
        """The session of who acts."""
        who = self.text("SubjectUserSid") or self.user
        if self.schema.event_id in _NETWORK_EVENTS:
            return self.state.network_session(who)
        return self.state.session(who)


Giver = Callable[[Moment], str]


def giver_of(spec: FieldSpec) -> Giver:
    """How to get the value of a volatile field, in the form that its type takes."""
    assert spec.name is not None
    plain = spec.name.replace(" ", "")
    hexadecimal = spec.type in ("hex32", "hex64")
    if plain in _GUIDS:
        return _GUIDS[plain]
    if plain in _TIMES or spec.kind is FieldKind.TIME or spec.type == "filetime":
        return _time(spec, _TIMES.get(plain, 0.0))
    number = _NUMBERS.get((plain, hexadecimal)) or _NUMBERS.get((plain, None))
    if number is not None:
        return (lambda m: hex(number(m))) if hexadecimal else (lambda m: str(number(m)))
    if spec.type == "guid" or spec.kind is FieldKind.GUID or "GUID" in plain.upper():
        return lambda m: m.state.new_guid()
    if spec.kind is FieldKind.TEXT and spec.type == "string":
        return lambda m: f"{{{m.state.new_guid()}}}" if plain.endswith("ID") else m.state.now.isoformat()
    if hexadecimal:
        return lambda m: hex(4 * m.state.random.randrange(20, 2_000))
    return lambda m: str(4 * m.state.random.randrange(20, 2_000))


# Seconds before the record is written.
_TIMES: Mapping[str, float] = {
    "UtcTime": 0.003,
    "CreationUtcTime": 0.003,
    "PreviousCreationUtcTime": 172_800.0,
    "ProcessCreationTime": 5_400.0,
    "fileTime": 86_400.0,
    "PreviousTime": 0.9,
    "OldTime": 0.9,
    "DetectionTime": 0.4,
}
_TEXT_TIMES = frozenset(("UtcTime", "CreationUtcTime", "PreviousCreationUtcTime"))


def _time(spec: FieldSpec, before: float) -> Giver:
    ago = timedelta(seconds=before)
    if spec.type == "filetime":
        return lambda m: (m.state.now - ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if spec.name in _TEXT_TIMES:
        return lambda m: (m.state.now - ago).isoformat(" ", "milliseconds")[:-6]
    return lambda m: (m.state.now - ago).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


_GUIDS: Mapping[str, Giver] = {
    "ProcessGuid": lambda m: m.process.guid,
    "ParentProcessGuid": lambda m: m.parent.guid,
    "SourceProcessGuid": lambda m: m.process.guid,
    "SourceProcessGUID": lambda m: m.process.guid,
    "TargetProcessGuid": lambda m: m.target.guid,
    "TargetProcessGUID": lambda m: m.target.guid,
}


def _logon_guid(m: Moment) -> str:
    return m.logon.guid if m.schema.event_id in LOGON_EVENTS else m.state.session(m.user).guid


def _process_id(m: Moment) -> int:
    # What 4688 calls ProcessId is the creator's.
    return m.parent.pid if m.schema.event_id == 4688 else m.process.pid


def _subject(m: Moment) -> int:
    return 0 if m.text("SubjectUserSid") == NOBODY else m.subject.logon_id


def _target_logon(m: Moment) -> int:
    if m.schema.event_id not in LOGON_EVENTS and m.text("TargetUserSid") == NOBODY:
        return 0
    return m.logon.logon_id


def _logon_id(m: Moment) -> int:
    return m.state.session(m.user).logon_id


_GUIDS = {**_GUIDS, "LogonGuid": _logon_guid}
# By name, and by whether the field is hexadecimal where a name means several things.
_NUMBERS: Mapping[tuple[str, bool | None], Callable[[Moment], int]] = {
    ("ProcessId", None): _process_id,
    ("processId", None): _process_id,
    ("NewProcessId", None): lambda m: m.process.pid,
    ("ParentProcessId", None): lambda m: m.parent.pid,
    ("SourceProcessId", None): lambda m: m.process.pid,
    ("CallerProcessId", None): lambda m: m.process.pid,
    ("TargetProcessId", None): lambda m: m.target.pid,
    ("ClientProcessId", None): lambda m: m.state.service_pid("client"),
    ("SourceThreadId", None): lambda m: m.state.new_pid(),
    ("NewThreadId", None): lambda m: m.state.new_pid(),
    ("LogonId", None): _logon_id,
    ("LogonID", None): _logon_id,
    ("SubjectLogonId", None): _subject,
    ("TargetLogonId", None): _target_logon,
    ("TargetLinkedLogonId", None): lambda _: 0,
    ("RmSessionId", None): lambda _: 0,
    ("TSSessionId", None): lambda _: 1,
}
