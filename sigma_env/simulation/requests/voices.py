"""The people who ask (`voices.yaml` beside this file)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from sigma_env.errors import OptionError
from sigma_env.simulation.requests.prose import QUOTES, Style

PERSONAS: Final = (
    "soc_analyst", "threat_hunter", "incident_responder", "red_team", "compliance_officer", "junior_analyst",
    "manager", "detection_engineer",
)  # fmt: skip
"""Every persona that can ask."""


class Voice(NamedTuple):
    """How one persona speaks.

    Attributes:
        style: of what is asked for.
        order: names of the pieces, as they follow each other.
        chatter: most remarks.
        pieces: the ways to say each piece, by its name.
    """

    style: Style
    order: tuple[str, ...]
    chatter: int
    pieces: Mapping[str, tuple[str, ...]]


class Commons(NamedTuple):
    """What all personas share: remarks on the data, names, and what hosts log."""

    noise: Mapping[str, tuple[str, ...]]
    profiles: Mapping[str, tuple[str, ...]]
    notes: Mapping[str, tuple[str, ...]]
    collection: Mapping[str, tuple[str, ...]]


_PIECES: Final = (
    "opening", "topic_np", "topic_when", "topic_text", "topic_title", "chatter_lines", "excerpt_lead", "closing",
)  # fmt: skip


def voice(persona: str) -> Voice:
    """The voice of a persona.

    Raises:
        OptionError: there is no such persona.
    """
    voices = _tables()[0]
    if persona not in voices:
        raise OptionError(f"persona '{persona}' does not exist; there are {', '.join(PERSONAS)}")
    return voices[persona]


def commons() -> Commons:
    """What all personas share."""
    return _tables()[1]


@lru_cache(maxsize=1)
def fixed_words() -> str:
    """Every word that a request can hold whatever its rule says, in lower case."""
    said: list[str] = []
    for file in ("voices.yaml", "logs.yaml", "fields.yaml"):
        said.append(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    return "\n".join(said).lower()


@lru_cache(maxsize=1)
def _tables() -> tuple[Mapping[str, Voice], Commons]:
    text = Path(__file__).with_name("voices.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    voices = {name: _voice(entry) for name, entry in table["personas"].items()}
    noise = {name: tuple(table[name]) for name in ("people", "days", "hosts", "tickets")}
    shared = [{name: tuple(texts) for name, texts in table[key].items()} for key in ("profiles", "notes", "collection")]
    return voices, Commons(noise, *shared)


def _voice(entry: Mapping[str, Any]) -> Voice:
    style = Style(
        quote=[opening for opening, _ in QUOTES].index(entry["quote"]),
        names=entry["names"],
        bullet=entry["bullet"],
        sentence=entry["sentence"],
        log=tuple(entry["log"]),
        match=tuple(entry["match"]),
        exclude=tuple(entry["exclude"]),
    )
    pieces = {name: tuple(entry[name]) for name in _PIECES}
    return Voice(style, tuple(entry["order"]), entry["chatter"], pieces)
