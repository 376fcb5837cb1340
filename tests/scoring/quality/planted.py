"""Datasets with faults that were put there, so that the right figures are known beforehand."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sigma_env.corpora.cache import simulated_dir
from sigma_env.sigma.files import parse_rule_text
from sigma_env.simulation.draft import Role
from sigma_env.simulation.labels import Label, write_labels
from sigma_env.tasks.assemble import Candidate
from sigma_env.tasks.build import build_dataset
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.manifest import LogsFrom

SYSMON = "Microsoft-Windows-Sysmon/Operational"
FILE = "events.jsonl"


class Planted(NamedTuple):
    """A task: its rule's detection, and its events by role."""

    detection: str
    positives: Sequence[dict[str, Any]]
    others: Sequence[dict[str, Any]]
    request: str = ""
    category: str = "process_creation"


def process(image: str, command: str, **more: str) -> dict[str, Any]:
    return {"Channel": SYSMON, "EventID": 1, "Image": image, "CommandLine": command, **more}


def build(name: str, planted: Sequence[Planted]) -> Dataset:
    """Builds a dataset into the cache that is set, with labels, as if it had been simulated."""
    folder = simulated_dir() / name
    folder.mkdir()
    events: list[dict[str, Any]] = []
    labels: list[Label] = []
    candidates: list[Candidate] = []
    for number, one in enumerate(planted):
        text = _rule(number, one)
        rule_id = f"00000000-0000-4000-8000-{number:012d}"
        made: list[tuple[Role, dict[str, Any]]] = [("positive", event) for event in one.positives]
        made += [("near_miss", event) for event in one.others]
        random.Random(number).shuffle(made)  # where an event stands in its log must not tell its role
        for role, event in made:
            events.append({**event, "EventRecordID": len(events) + 1})
            labels.append(Label(FILE, len(events), rule_id, role, 0, None if role == "positive" else "part"))
        [loaded] = parse_rule_text(text, Path(f"{number}.yml"))
        candidates.append(Candidate(f"planted:{number}", loaded, text, one.request or f"Please find thing {number}."))
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / FILE).write_text(lines, encoding="utf-8")
    write_labels(labels, folder)
    build_dataset(name, candidates, [LogsFrom(kind="simulated", path=f"{name}/{FILE}")])
    return load_dataset(name)


def _rule(number: int, one: Planted) -> str:
    return (
        f"title: Rule number {number}\nid: 00000000-0000-4000-8000-{number:012d}\n"
        f"logsource: {{category: {one.category}, product: windows}}\ndetection: {{{one.detection}}}\n"
    )
