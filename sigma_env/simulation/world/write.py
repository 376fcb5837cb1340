"""From drafts to logs: every host merges what happens on it, and its clock and counters give the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sigma_env.events.binxml import EventWriteError
from sigma_env.events.writer import Event
from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.draft import Draft, FieldValue
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.processes import PROCESSES, in_processes
from sigma_env.simulation.schema import UNNAMED, EventSchema
from sigma_env.simulation.schemas.encode import body
from sigma_env.simulation.schemas.errors import SchemaError
from sigma_env.simulation.world.company import Company
from sigma_env.simulation.world.host_state import HostState
from sigma_env.simulation.world.hosts import Host
from sigma_env.simulation.world.log_files import HostLogs, LogFormat
from sigma_env.simulation.world.twin import twin_of
from sigma_env.simulation.world.volatile import Giver, Moment, giver_of

# Fewer drafts are written sooner than a second process has started.
_WORTH_A_PROCESS = 20_000

Progress = Callable[[str, int, int], None]
"""Called with (host, hosts done, hosts)."""


class Written(NamedTuple):
    """Where a draft came to stand.

    Attributes:
        draft: its index in what was given to `write_logs`.
        file: the log's path relative to the folder, with slashes.
        position: of the event in the file, from 0.
        event_record_id: System/EventRecordID, which grows with time in its channel and host.
        twin: whether this is the second record of a process start, as the host's other source shows it.
    """

    draft: int
    file: str
    position: int
    event_record_id: int
    twin: bool


def write_logs(
    drafts: Sequence[Draft],
    company: Company,
    out: Path,
    seed: int,
    log_format: LogFormat = "evtx",
    *,
    processes: int = PROCESSES,
    progress: Progress | None = None,
) -> list[Written]:
    """Writes the logs of all hosts: `out/HOST/CHANNEL.evtx` or `.jsonl`.

    The drafts of a host are put in a random order that depends on nothing but the seed, the host and their number. The
    host's clock and counters then give times, record ids, PIDs, GUIDs, LogonIds and parents. Same drafts and seed, same
    bytes, in however many processes.

    Args:
        drafts: what happens; complete, as `fill` gives it.
        company: where it happens.
        out: folder of the logs.
        seed: of order, times and ids.
        log_format: "evtx" or "jsonl".
        processes: how many may write at once; each takes whole hosts.
        progress: called after each host.

    Returns:
        One entry per record, by host and time; a draft has two on hosts that log process starts twice.

    Raises:
        SimulationError: a draft lacks a field, holds what its field cannot, or lies on no host of the company.
    """
    by_host: dict[str, list[int]] = {}
    for index, draft in enumerate(drafts):
        by_host.setdefault(draft.scene.host, []).append(index)
    jobs = [_Job(drafts, company, out, seed, log_format, name, by_host[name]) for name in sorted(by_host)]
    # The largest first, so that no process is left alone with it at the end.
    order = sorted(range(len(jobs)), key=lambda at: -len(jobs[at].indices))
    if len(drafts) < _WORTH_A_PROCESS:
        processes = 1
    found: dict[int, list[Written]] = {}
    results = in_processes(_write_host, [jobs[at] for at in order], processes)
    for done, (at, written) in enumerate(zip(order, results, strict=True), 1):
        found[at] = written
        if progress is not None:
            progress(jobs[at].host, done, len(jobs))
    return [entry for at in range(len(jobs)) for entry in found[at]]


class _Job(NamedTuple):
    """What happens on one host."""

    drafts: Sequence[Draft]
    company: Company
    out: Path
    seed: int
    log_format: LogFormat
    host: str
    indices: list[int]


def _write_host(job: _Job) -> list[Written]:
    host = job.company.host(job.host)
    state = HostState(job.company, host, job.seed, len(job.indices))
    order = state.random.sample(job.indices, len(job.indices))
    written: list[Written] = []
    with HostLogs(job.out, host.name, job.log_format) as logs:
        for index in order:
            draft = job.drafts[index]
            state.advance()
            try:
                for event, values, schema, twin in _records(draft, host, state):
                    file, position = logs.write(event, schema, values)
                    written.append(Written(index, file, position, event.record_id, twin))
                    state.pause()
            except (EventWriteError, SchemaError) as error:
                raise SimulationError(f"{_name(draft)}: {error}") from error
    return written


def _name(draft: Draft) -> str:
    purpose = "background" if draft.rule_id is None else f"{draft.role} of rule {draft.rule_id}"
    return f"{draft.schema.name} on {draft.scene.host} ({purpose})"


def _records(
    draft: Draft, host: Host, state: HostState
) -> Iterator[tuple[Event, dict[str, FieldValue], EventSchema, bool]]:
    """The events that a host logs of a draft, in order."""
    if lacking := _plan(draft.schema).required - draft.values.keys():
        raise SimulationError(f"{_name(draft)}: {sorted(lacking)} have no value; complete the draft with fill()")
    twin = twin_of(draft, host, state.company)
    records = (draft,) if twin is None else (draft, twin)
    moment = Moment(state, records)
    for each in records:
        plan = _plan(each.schema)
        moment.turn_to(each)
        values = _complete(each, plan, moment)
        yield _event(each, plan, moment, values), values, each.schema, each is not draft


class _Plan(NamedTuple):
    """How to complete events of a schema.

    Attributes:
        fields: every named field, and how to get it where it is volatile.
        required: keys that a draft must have.
        writer: the part of Windows that writes the event: its process id is System's.
        user_sid: System's UserID: who the event is logged for; None if it says nobody, "actor" for who acts.
    """

    schema: EventSchema
    fields: tuple[tuple[str, Giver | None], ...]
    required: frozenset[str]
    writer: str
    user_sid: str | None


_PLANS: dict[str, _Plan] = {}


def _plan(schema: EventSchema) -> _Plan:
    plan = _PLANS.get(schema.name)
    if plan is None or plan.schema is not schema:
        fields = tuple((s.name, giver_of(s) if s.volatile else None) for s in schema.fields if s.name is not None)
        required = frozenset(s.name or UNNAMED for s in schema.fields if not s.volatile)
        plan = _PLANS[schema.name] = _Plan(schema, fields, required, *_written_by(schema))
    return plan


def _complete(draft: Draft, plan: _Plan, moment: Moment) -> dict[str, FieldValue]:
    given = draft.values
    values: dict[str, FieldValue] = {}
    for name, giver in plan.fields:
        value = given.get(name)
        values[name] = giver(moment) if value is None and giver is not None else given[name]
    if UNNAMED in plan.required:
        values[UNNAMED] = given[UNNAMED]
    return values


def _event(draft: Draft, plan: _Plan, moment: Moment, values: dict[str, FieldValue]) -> Event:
    schema, state = draft.schema, moment.state
    actor = plan.writer == "actor"
    user_sid = plan.user_sid
    if user_sid == "actor":
        user_sid = state.company.account(draft.scene.user).sid
    pid = moment.state.running(_POWERSHELL[schema.channel], moment.user).pid if actor else _pid(plan.writer, state)
    return Event(
        provider=schema.provider,
        provider_guid=schema.provider_guid,
        provider_source=schema.provider_source,
        event_id=schema.event_id,
        version=schema.version,
        level=schema.level,
        task=schema.task,
        opcode=schema.opcode,
        keywords=schema.keywords,
        qualifiers=schema.qualifiers,
        time=state.now,
        record_id=state.next_record_id(schema.channel),
        channel=schema.channel,
        computer=state.host.fqdn,
        process_id=pid,
        thread_id=4 * state.random.randrange(30, 2_000) if pid else 0,
        user_sid=user_sid,
        **body(schema, values),
    )


def _pid(writer: str, state: HostState) -> int:
    return 0 if writer == "nobody" else state.service_pid(writer)


_POWERSHELL = {
    "Microsoft-Windows-PowerShell/Operational": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "PowerShellCore/Operational": "C:\\Program Files\\PowerShell\\7\\pwsh.exe",
}
# Security events that the kernel writes; the others come from lsass.exe.
_KERNEL_EVENTS = frozenset((4656, 4657, 4658, 4660, 4661, 4663, 4670, 4673, 4674, 4688, 4689, 4690, 5140, 5145, 5156))
_SYSTEM, _LOCAL_SERVICE = "S-1-5-18", "S-1-5-19"
# What is logged for nobody, or for whom it concerns, by channel.
_LOGGED_FOR = {
    SECURITY: None,
    "System": None,
    "Windows PowerShell": None,
    "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall": _LOCAL_SERVICE,
}


def _written_by(schema: EventSchema) -> tuple[str, str | None]:
    """Which process writes events of a schema, and for which account."""
    if schema.channel in _POWERSHELL:
        return "actor", "actor"
    if schema.channel == SECURITY:
        return ("system" if schema.event_id in _KERNEL_EVENTS else "lsass"), None
    if schema.provider_guid is None:  # classic event sources don't say
        return "nobody", None
    return ("sysmon" if schema.channel == SYSMON else schema.provider), _LOGGED_FOR.get(schema.channel, _SYSTEM)
