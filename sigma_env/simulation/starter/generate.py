"""Write the starter dataset's logs and labels from its rules and scenarios."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from sigma_env.events.writer import Event, EvtxWriter
from sigma_env.simulation.starter.company import Company, Programs
from sigma_env.simulation.starter.errors import StarterError
from sigma_env.simulation.starter.files import DATA, LABELS, LOGS
from sigma_env.simulation.starter.host_state import HostState
from sigma_env.simulation.starter.render import Renderer
from sigma_env.simulation.starter.scenario import Action, Role, load_background, load_rules
from sigma_env.simulation.starter.schemas import load_schemas


@dataclass(frozen=True, order=True)
class Label:
    """What an event of the starter logs is there for.

    Attributes:
        file: path relative to the logs folder.
        event_record_id: System/EventRecordID, unique in its file.
        rule_id: the rule the event was made for; None for background, which no rule was made for.
        broken: the part of the rule that keeps a near-miss or filtered event from matching, else None.
    """

    file: str
    event_record_id: int
    rule_id: str | None
    role: Role
    broken: str | None


def read_labels(folder: Path = DATA) -> list[Label]:
    """The labels of the shipped logs, or of those that `generate` wrote to a folder."""
    lines = (folder / LABELS).read_bytes().splitlines()
    return [Label(**orjson.loads(line)) for line in lines]


def generate(folder: Path, source: Path = DATA) -> list[Label]:
    """Write `logs/` and `labels.jsonl` to a folder; equal sources give equal bytes.

    Args:
        folder: where to write; logs that are there are replaced.
        source: where the rules, scenarios, schemas, hosts and programs lie.

    Raises:
        StarterError: a source file is wrong.
    """
    company = Company(source)
    renderer = Renderer(company, Programs(source), load_schemas(source))
    actions = load_background(source)
    for rule in load_rules(source):
        actions += rule.actions
    labels: list[Label] = []
    logs = folder / LOGS
    shutil.rmtree(logs, ignore_errors=True)
    for host, of_host in sorted(_by_host(actions, company).items()):
        state = HostState(company.hosts[host], len(of_host))
        by_channel: dict[str, list[tuple[Event, Action]]] = defaultdict(list)
        for action in state.shuffled(of_host):
            for event in renderer.events(action, state):
                by_channel[event.channel].append((event, action))
        for channel, events in sorted(by_channel.items()):
            # Windows names log files like this, because a channel's name may hold a slash.
            file = f"{host}/{channel.replace('/', '%4')}.evtx"
            _write_log(logs / file, (event for event, _ in events))
            labels += [_label(file, event, action) for event, action in events]
    labels.sort(key=lambda label: (label.file, label.event_record_id))
    (folder / LABELS).write_bytes(b"".join(orjson.dumps(label) + b"\n" for label in labels))
    return labels


def _by_host(actions: Iterable[Action], company: Company) -> dict[str, list[Action]]:
    by_host: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        if action.host not in company.hosts:
            raise StarterError(f"{action.where}: host: there is no host {action.host!r} in hosts.yml")
        by_host[action.host].append(action)
    return by_host


def _write_log(path: Path, events: Iterable[Event]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with EvtxWriter(path) as log:
        for event in events:
            log.write(event)


def _label(file: str, event: Event, action: Action) -> Label:
    return Label(file, event.record_id, action.rule_id, action.role, action.broken)
