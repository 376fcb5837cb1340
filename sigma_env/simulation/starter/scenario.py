"""Rules with their scenarios: what an analyst asks for, and the events that decide whether an answer is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sigma_env.simulation.starter.errors import StarterError
from sigma_env.simulation.starter.files import DATA, Strict, read_mapping, validate

MAX_REQUEST_CHARACTERS = 4_000

Role = Literal["positive", "near_miss", "filtered", "background"]
Persona = Literal[
    "soc_analyst",
    "threat_hunter",
    "incident_responder",
    "red_teamer",
    "compliance_officer",
    "detection_engineer",
    "system_administrator",
    "threat_intelligence_analyst",
]
Fields = dict[str, Any]


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _Variation(Strict):
    """Events like some positives but for `set`, where a null takes a field away.

    Both lists are cycled to the length of the longer.
    """

    breaks: str
    like: Annotated[list[int], BeforeValidator(_as_list), Field(min_length=1)]
    set: Annotated[list[Fields], BeforeValidator(_as_list), Field(min_length=1)]


class _ScenarioFile(Strict):
    persona: Persona
    request: Annotated[str, Field(min_length=200, max_length=MAX_REQUEST_CHARACTERS)]
    event: str
    base: Annotated[Fields, Field(default_factory=dict)]
    positives: Annotated[list[Fields], Field(min_length=3, max_length=8)]
    near_misses: Annotated[list[_Variation], Field(min_length=1)]
    filtered: Annotated[list[_Variation], Field(default_factory=list)]


class _BackgroundEntry(Strict):
    event: str
    hosts: Annotated[list[str], Field(min_length=1)]
    times: int = 1
    base: Annotated[Fields, Field(default_factory=dict)]
    each: Annotated[list[Fields], Field(min_length=1)]


class _BackgroundFile(Strict):
    entries: list[_BackgroundEntry]


@dataclass(frozen=True)
class Action:
    """Something that a host logs, before the host's clock and counters have seen it.

    Attributes:
        event: name of the schema, or `process`, which a host logs as its profile says.
        host: name of the host.
        user: name of the account; None for the host's own user.
        fields: values that differ from the schema's defaults.
        rule_id: the rule it was made for; None for background.
        broken: for near-misses and filtered events, the part of the rule that excludes it.
        where: file and place, for error messages.
    """

    event: str
    host: str
    user: str | None
    fields: Fields
    role: Role
    rule_id: str | None
    broken: str | None
    where: str


@dataclass(frozen=True)
class StarterRule:
    """A rule of the starter dataset with its request.

    Attributes:
        name: stem of its files.
        id: the rule's UUID.
        text: the rule as YAML.
        request: the analyst's words.
        actions: positives, near-misses and filtered events, in that order.
    """

    name: str
    id: str
    path: Path
    text: str
    persona: Persona
    request: str
    actions: tuple[Action, ...]


def load_rules(folder: Path = DATA) -> list[StarterRule]:
    """All rules, sorted by name.

    Raises:
        StarterError: a file is wrong, or a rule or scenario lacks its counterpart.
    """
    rules = {path.stem: path for path in sorted((folder / "rules").glob("*.yml"))}
    scenarios = {path.stem: path for path in sorted((folder / "scenarios").glob("*.yml"))}
    for name in rules.keys() ^ scenarios.keys():
        raise StarterError(f"{name}.yml must lie in both rules/ and scenarios/ of {folder}")
    loaded = [_load_rule(rules[name], scenarios[name]) for name in rules]
    by_id = {rule.id: rule for rule in loaded}
    for rule in loaded:
        if by_id[rule.id] is not rule:
            raise StarterError(f"{rule.path}: id: {rule.id} is also the id of {by_id[rule.id].path}")
    return loaded


def load_background(folder: Path = DATA) -> list[Action]:
    """What happens on a quiet day.

    Raises:
        StarterError: background.yml is wrong.
    """
    path = folder / "background.yml"
    content = validate(_BackgroundFile, read_mapping(path), str(path))
    actions = []
    for position, entry in enumerate(content.entries, 1):
        where = f"{path}: entry {position}"
        for host in entry.hosts:
            for fields in entry.each * entry.times:
                merged = {"host": host} | entry.base | fields
                actions.append(_action(entry.event, merged, "background", None, None, where))
    return actions


def _load_rule(rule_path: Path, scenario_path: Path) -> StarterRule:
    rule = read_mapping(rule_path)
    rule_id = rule.get("id")
    if not isinstance(rule_id, str):
        raise StarterError(f"{rule_path}: id: must be a UUID")
    scenario = validate(_ScenarioFile, read_mapping(scenario_path), str(scenario_path))
    return StarterRule(
        name=rule_path.stem,
        id=rule_id,
        path=rule_path,
        text=rule_path.read_text(encoding="utf-8"),
        persona=scenario.persona,
        request=scenario.request.strip(),
        actions=tuple(_scenario_actions(scenario, rule_id, str(scenario_path))),
    )


def _scenario_actions(scenario: _ScenarioFile, rule_id: str, path: str) -> Iterator[Action]:
    positives = [scenario.base | fields for fields in scenario.positives]
    for number, fields in enumerate(positives, 1):
        yield _action(scenario.event, fields, "positive", rule_id, None, f"{path}: positive {number}")
    roles: tuple[tuple[Role, list[_Variation]], ...] = (
        ("near_miss", scenario.near_misses),
        ("filtered", scenario.filtered),
    )
    for role, variations in roles:
        for variation in variations:
            where = f"{path}: {role} {variation.breaks!r}"
            count = max(len(variation.like), len(variation.set))
            for like, change in zip(islice(cycle(variation.like), count), cycle(variation.set), strict=False):
                if not 1 <= like <= len(positives):
                    raise StarterError(f"{where}: like: there is no positive {like}")
                fields = positives[like - 1] | change
                yield _action(scenario.event, fields, role, rule_id, variation.breaks, where)


def _action(event: str, fields: Fields, role: Role, rule_id: str | None, broken: str | None, where: str) -> Action:
    fields = {name: value for name, value in fields.items() if value is not None}
    event = fields.pop("event", event)
    host = fields.pop("host", None)
    if not isinstance(host, str):
        raise StarterError(f"{where}: host: name the host that logs it")
    return Action(event, host, fields.pop("user", None), fields, role, rule_id, broken, where)
