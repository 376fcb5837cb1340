"""The vocabulary of requests: every phrase means one thing."""

import string
from collections import Counter

import pytest

from sigma_env.errors import OptionError
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.sigma.taxonomy import categories, services
from sigma_env.sigma.tree import fields_of
from sigma_env.simulation.requests import PERSONAS, words
from sigma_env.simulation.requests.voices import commons, voice


def test_every_category_and_service_has_phrases_of_its_own() -> None:
    sources = [LogSource(category=name) for name in categories()] + [LogSource(service=name) for name in services()]
    phrases = Counter(phrase for source in [*sources, LogSource()] for phrase in words.log_phrases(source))
    assert max(phrases.values()) == 1
    assert all(words.collected(source) for source in sources)


def test_both_a_category_and_a_service_are_said() -> None:
    assert words.log_phrases(LogSource("process_creation", "windows", "sysmon"))[0] == (
        "process starts, and only those in the Sysmon log as a whole"
    )


def test_a_field_phrase_means_one_field() -> None:
    common = [name for name in words.named_fields() if "/" not in name]
    assert max(Counter(phrase for name in common for phrase in words.field_phrases(name, None)).values()) == 1
    # In its category, a phrase of `category/Field` is no other field's either.
    for name in words.named_fields():
        category, _, field = name.rpartition("/")
        others = [phrase for other in common if other != field for phrase in words.field_phrases(other, category)]
        assert not set(words.field_phrases(field, category or None)) & set(others)


def test_the_fields_of_most_sigmahq_lines_have_phrases(sigmahq: list[Rule]) -> None:
    fields = Counter(field for rule in sigmahq for field in fields_of(rule.condition))
    unnamed = {field: count for field, count in fields.items() if not words.field_phrases(field, None)}
    assert sum(unnamed.values()) < 0.02 * sum(fields.values())
    # Unnamed event data has no better name than its element's.
    assert {field for field, count in unnamed.items() if count > 10} == {"Data"}


@pytest.mark.parametrize("persona", PERSONAS)
def test_templates_have_known_placeholders(persona: str) -> None:
    known = {"np", "when", "text", "title", "person", "day", "host", "ticket"}
    speaker = voice(persona)
    for name, templates in speaker.pieces.items():
        for template in templates:
            names = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
            assert names <= known, template
            assert not name.startswith("topic_") or names == {name.removeprefix("topic_")}, template
    assert set(speaker.order) == {"opening", "topic", "facts", "notes", "profile", "chatter", "excerpt", "closing"}


def test_personas_do_not_share_their_openings() -> None:
    openings = [text for persona in PERSONAS for text in voice(persona).pieces["opening"]]
    assert len(openings) == len(set(openings))
    assert len(PERSONAS) == 8


def test_an_unknown_persona_is_refused() -> None:
    with pytest.raises(OptionError, match="'poet' does not exist; there are soc_analyst"):
        voice("poet")


def test_collections_say_both_sides() -> None:
    for kind in ("log", "field", "platform"):
        assert all("{has}" in text and "{lacks}" in text for text in commons().collection[kind])
