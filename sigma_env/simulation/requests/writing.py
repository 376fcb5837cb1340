"""Requests: what a plan discloses, in a persona's words."""

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from sigma_env.sigma.rule import LogSource, Meta
from sigma_env.sigma.taxonomy import SYSMON, select
from sigma_env.sigma.tree import fields_of
from sigma_env.simulation.plan import MAX_REQUEST, Outage, Part, Plan
from sigma_env.simulation.requests.check import faults, told_too_much
from sigma_env.simulation.requests.errors import RequestError
from sigma_env.simulation.requests.prose import FactWriter
from sigma_env.simulation.requests.remarks import notes_on
from sigma_env.simulation.requests.topic import Topic, title_of, topic_of
from sigma_env.simulation.requests.voices import Voice, commons, voice

_OPTIONAL: Final = ("chatter", "excerpt", "topic", "closing", "opening")
"""What is left out of a request that gets too long, in this order."""
_VOICE: Final = 600
"""Characters that are kept for what is neither fact nor excerpt."""
_BLOCKS: Final = frozenset({"facts", "excerpt", "closing"})
"""Pieces that are paragraphs of their own."""
_MOST_EXCERPT_FIELDS: Final = 12
_LONGEST_EXCERPT_VALUE: Final = 240

_topic_of = lru_cache(maxsize=4096)(topic_of)
_title_of = lru_cache(maxsize=4096)(title_of)


class Request(NamedTuple):
    """What somebody asks for.

    Attributes:
        text: the request, at most MAX_REQUEST characters.
        persona: who asks.
        scenario: what is special about it; "default" if nothing is.
        facts: the part of the text that says what to detect.
        disclosed: the parts of the rule that it tells.
        outage: what is missing from the logs, if the scenario is a broken log source.
        detectable: whether the logs that it describes can show the behaviour.
    """

    text: str
    persona: str
    scenario: str
    facts: str
    disclosed: tuple[Part, ...]
    outage: Outage | None = None
    detectable: bool = True


def write_request(
    plan: Plan,
    persona: str,
    seed: int,
    *,
    profile: str = "",
    visible: Sequence[Mapping[str, object]] = (),
) -> Request:
    """Write a plan's request in a persona's words.

    Args:
        plan: what to tell, and in which scenario.
        persona: one of PERSONAS.
        seed: of the words. The same arguments give the same text.
        profile: what the hosts log: "sysmon", "security", "both", "mixed", or sentences of the caller's own; "" says
            nothing about it.
        visible: events to show, as field → value; shown if they fit and tell nothing that the plan does not disclose.

    Raises:
        OptionError: there is no such persona.
        RequestError: the plan's facts do not fit into a request (plans by `make_plan` do).
    """
    return compose(plan, persona, voice(persona), seed, profile, visible)


def compose(
    plan: Plan,
    persona: str,
    speaker: Voice,
    seed: int,
    profile: str = "",
    visible: Sequence[Mapping[str, object]] = (),
) -> Request:
    """Like `write_request`, in a voice that may differ from the persona's own."""
    rng = random.Random(f"{seed}|request|{plan.rule.meta.id}|{persona}|{plan.scenario}")
    writer = FactWriter(speaker.style, plan.rule.logsource.category, rng)
    facts = writer.facts(plan.cut)
    noise = {name: rng.choice(texts) for name, texts in commons().noise.items()}
    fill = _Filler(noise, rng)
    pieces = {
        "facts": facts,
        "notes": " ".join(notes_on(plan, writer, rng)),
        "profile": _profile(profile, plan.rule.logsource, rng),
        "opening": fill(rng.choice(speaker.pieces["opening"])),
        "topic": _topic(plan, speaker, rng),
        "chatter": " ".join(fill(line) for line in _remarks(speaker, rng)),
        "excerpt": _excerpt(
            plan, visible, rng.choice(speaker.pieces["excerpt_lead"]), MAX_REQUEST - len(facts) - _VOICE
        ),
        "closing": fill(rng.choice(speaker.pieces["closing"])),
    }
    text = _assembled(pieces, speaker.order, rng.random() < 0.5)
    disclosed = tuple([part for part in plan.parts if part.disclosed])
    request = Request(text, persona, plan.scenario, facts, disclosed, plan.outage)
    if wrong := faults(text, plan):
        raise RequestError(f"request of rule '{plan.rule.meta.title}' by {persona}: {'; '.join(wrong[:3])}")
    return request


class _Filler:
    """Fills noise (names, days, tickets) into texts."""

    def __init__(self, noise: Mapping[str, str], rng: random.Random) -> None:
        ticket = noise["tickets"].format(n=rng.randrange(10_000, 90_000))
        self._values = {
            "person": noise["people"],
            "day": noise["days"],
            "host": noise["hosts"],
            "ticket": ticket,
        }

    def __call__(self, text: str) -> str:
        return text.format_map(self._values)


def _profile(profile: str, logsource: LogSource, rng: random.Random) -> str:
    sentences = commons().profiles.get(profile)
    if sentences is None:
        return profile
    # A host without Sysmon has none of Sysmon's events: the request would contradict itself.
    is_impossible = profile == "security" and {target.channel for target in select(logsource).targets} == {SYSMON}
    return "" if is_impossible else rng.choice(sentences)


def _topic(plan: Plan, speaker: Voice, rng: random.Random) -> str:
    for topic in (_topic_of(_about(plan)), _title_of(_about(plan))):
        if topic is not None and not told_too_much(topic.text, plan):
            return _about_topic(topic, speaker, rng)
    return ""


def _about(plan: Plan) -> Meta:
    meta = plan.rule.meta
    return Meta(title=meta.title, description=meta.description)


def _about_topic(topic: Topic, speaker: Voice, rng: random.Random) -> str:
    template = rng.choice(speaker.pieces[f"topic_{topic.form}"])
    name = "title" if topic.form == "title" else topic.form
    before, _, after = template.partition(f"{{{name}}}")
    if after[:1] == "." and topic.text.endswith(("?", "!", ".")):
        after = after[1:]
    return f"{before}{topic.text}{after}"


def _remarks(speaker: Voice, rng: random.Random) -> list[str]:
    lines = speaker.pieces["chatter_lines"]
    return rng.sample(lines, rng.randint(0, min(speaker.chatter, len(lines))))


def _excerpt(plan: Plan, visible: Sequence[Mapping[str, object]], lead: str, room: int) -> str:
    """The events that tell nothing undisclosed, as many as there is room for."""
    shown: list[str] = []
    for event in visible:
        text = _event_text(plan, event)
        if not told_too_much(text, plan) and sum(map(len, shown)) + len(text) <= room:
            shown.append(text)
    return "\n".join([lead, "\n\n".join(shown)]) if shown else ""


def _event_text(plan: Plan, event: Mapping[str, object]) -> str:
    """An event, a field to a line in its own order; those that the rule names are among the ones that are shown."""
    named = fields_of(plan.cut.condition)
    lines: dict[str, str] = {}
    for name, held in event.items():
        value = " ".join([str(text) for text in held]) if isinstance(held, list | tuple) else str(held)
        if value.strip() not in ("", "-") and len(value) <= _LONGEST_EXCERPT_VALUE:
            lines[name] = f"    {name}: {value}"
    first = sorted(lines, key=lambda name: name not in named)[:_MOST_EXCERPT_FIELDS]
    return "\n".join([line for name, line in lines.items() if name in first])


def _assembled(pieces: Mapping[str, str], order: Sequence[str], airy: bool) -> str:
    """The pieces in order, as paragraphs; what is optional is left out until the rest fits."""
    kept = {name: text for name, text in pieces.items() if text}
    text = _joined(kept, order, airy)
    for name in _OPTIONAL:
        if len(text) <= MAX_REQUEST:
            break
        kept.pop(name, None)
        text = _joined(kept, order, airy)
    return text


def _joined(pieces: Mapping[str, str], order: Sequence[str], airy: bool) -> str:
    text, before = "", ""
    for name in order:
        piece = pieces.get(name)
        if piece is None:
            continue
        is_block = name in _BLOCKS or before in _BLOCKS
        text += ("" if not text else ("\n\n" if airy else "\n") if is_block else " ") + piece
        before = name
    return text
