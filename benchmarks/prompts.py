"""Prompt strategies: what is said beside the prompt of a task, which `sigma_env.tasks.messages` alone renders."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Literal, get_args

from sigma_env.sigma.event_fields import fields_of, known_events, system_fields
from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.taxonomy import select
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.messages import Message, messages
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task

Strategy = Literal["zero-shot", "few-shot", "fields"]
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
SHOTS: Final = 3

_EVENTS_LISTED: Final = 12
"""A service of more kinds of events than that is told as one list of fields: its kinds would be most of the prompt."""


def prompt(task: Task, strategy: Strategy, shots: Sequence[Task] = ()) -> list[Message]:
    """The chat that asks for a task's rule.

    Args:
        task: what is asked.
        strategy: "zero-shot" is the task's own prompt; "few-shot" has solved examples before the request; "fields"
            names the reference's logsource and the fields of its events after the request, which is a hint that no
            analyst gives.
        shots: the examples, with their references; see `choose_shots`.
    """
    chat = messages(task)
    if strategy == "few-shot":
        system, *asked = chat
        return [system, *(message for shot in shots for message in _solved(shot)), *asked]
    if strategy == "fields":
        *before, last = chat
        return [*before, {"role": last["role"], "content": f"{last['content']}\n\n{field_list(task)}"}]
    return chat


def choose_shots(dataset: Dataset, count: int = SHOTS) -> tuple[Task, ...]:
    """Training tasks that serve as examples: the same on every machine, each with another logsource while there are.

    Raises:
        DatasetError: a chosen task's reference is no rule.
    """
    in_order = sorted(dataset.of_split("train"), key=lambda task: blake2b(f"shot {task.id}".encode()).digest())
    chosen: list[Task] = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    repeated: list[Task] = []
    for task in in_order:
        logsource = tuple(sorted(task.logsource.items()))
        (repeated if logsource in seen else chosen).append(task)
        seen.add(logsource)
    return tuple([*chosen, *repeated][:count])


def _solved(shot: Task) -> list[Message]:
    *_, asked = messages(shot)
    return [asked, {"role": "assistant", "content": reference_answer(shot)}]


def field_list(task: Task) -> str:
    """The reference's logsource and the fields that its events have, as far as they are known."""
    logsource = LogSource(**task.logsource)
    written = ", ".join(f"{part}: {name}" for part, name in task.logsource.items())
    lines = [f"The rule's logsource is {{{written}}}. The fields of its events:"]
    kinds = _kinds(logsource)
    system = system_fields()
    if len(kinds) <= _EVENTS_LISTED:
        for channel, event_id, names in kinds:
            lines.append(f"- {channel} {event_id}: {_listed(names - system)}")
    else:
        lines.append(f"- {_listed(frozenset[str]().union(*(names for *_, names in kinds)) - system)}")
    lines.append(f"- every event: {_listed(system)}")
    return "\n".join(lines)


def _kinds(logsource: LogSource) -> list[tuple[str, int, frozenset[str]]]:
    found: dict[tuple[str, int], frozenset[str]] = {}
    for target in select(logsource).targets:
        for channel, event_id, provider in known_events():
            if target.channel is not None and target.channel.lower() != channel:
                continue
            if target.event_ids is not None and event_id not in target.event_ids:
                continue
            if target.provider is not None and target.provider.lower() != provider:
                continue
            names = fields_of(channel, event_id, provider, logsource.category) or frozenset()
            key = (target.channel or channel, event_id)
            found[key] = found.get(key, frozenset()) | names
    return [(channel, event_id, found[channel, event_id]) for channel, event_id in sorted(found)]


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none known"
