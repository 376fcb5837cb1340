"""Notes beside the facts: what is left out, wrong, or broken."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.plan import Plan
from sigma_env.simulation.requests.clauses import Clause, Fact, Joint, clause_of
from sigma_env.simulation.requests.prose import FactWriter
from sigma_env.simulation.requests.voices import commons

_MOST_VAGUE: Final = 3
_LONGEST_MISTAKE: Final = 100
_FEWEST_LETTERS: Final = 4
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def notes_on(plan: Plan, writer: FactWriter, rng: random.Random) -> list[str]:
    """Sentences on what a request leaves out, and on what is special about its scenario."""
    notes = commons().notes
    said = [rng.choice(notes["spaces"])] if _has_edge_spaces(plan.cut) else []
    said += _left_out(plan, writer, notes, rng)
    if plan.scenario == "wrong_detail":
        said += _wrong_detail(plan, writer, notes, rng)
    if plan.outage is not None:
        said += [rng.choice(notes["channel_lost"]).format(channel=writer.quoted(name)) for name in plan.outage.channels]
        said += [rng.choice(notes["field_lost"]).format(field=writer.field(name)) for name in plan.outage.blank_fields]
    return [sentence[0].upper() + sentence[1:] for sentence in said]


def _has_edge_spaces(rule: Rule) -> bool:
    """Whether some text begins or ends with a space, which is easily lost."""
    return any(text != text.strip() for fact in facts_in(clause_of(rule.condition)) for text in fact.texts)


def _left_out(plan: Plan, writer: FactWriter, notes: Mapping[str, Sequence[str]], rng: random.Random) -> Iterator[str]:
    if plan.cut is plan.rule:
        return
    exceptions = {part.place for part in plan.parts if part.kind == "filter"}
    hidden = [part for part in plan.parts if not part.disclosed]
    lines = [part for part in hidden if part.kind == "condition"]
    hidden_places = {part.place for part in lines}
    fields = dict.fromkeys(part.text for part in lines if _name(part.place) not in exceptions)
    if plan.scenario == "ambiguous":
        for field in list(fields)[:_MOST_VAGUE]:
            yield rng.choice(notes["vague_line"]).format(field=writer.field(field or None))
        if len(fields) > _MOST_VAGUE:
            yield rng.choice(notes["vague_rest"])
    if any(part.kind == "filter" for part in hidden):
        yield rng.choice(notes["vague_filter"])
    values_hidden = any(part.kind == "value" and part.place not in hidden_places for part in hidden)
    if values_hidden or (fields and plan.scenario != "ambiguous"):
        yield rng.choice(notes["partial" if plan.scenario == "partial_data" else "more_values"])


def _name(place: str) -> str:
    """Name of the selection that a place is in."""
    return place.split(".")[0].split("[")[0]


def _wrong_detail(plan: Plan, writer: FactWriter, notes: Mapping[str, Sequence[str]], rng: random.Random) -> list[str]:
    """A wrong text beside a right one, marked as wrong."""
    right = rng.choice(correctable(plan.cut))
    known = {part.text.lower() for part in plan.parts}
    wrong = next((text for text in _misspelt(right, rng) if text.lower() not in known), None)
    if wrong is None:
        return []
    person = rng.choice(commons().noise["people"])
    kind = rng.choice(("corrected", "doubtful"))
    sentence = rng.choice(notes[kind])
    return [sentence.format(wrong=writer.quoted(wrong), right=writer.quoted(right), person=person)]


def correctable(rule: Rule) -> list[str]:
    """Texts of a rule in which people make mistakes: names of at least four letters, no longer than a line."""
    return [
        text
        for fact in facts_in(clause_of(rule.condition))
        if fact.how.operation in ("equals", "startswith", "endswith", "contains")
        for text in fact.texts
        if len(text) <= _LONGEST_MISTAKE and sum(map(str.isalpha, text)) >= _FEWEST_LETTERS
    ]


def facts_in(clause: Clause) -> Iterator[Fact]:
    """The facts of a clause."""
    if isinstance(clause, Fact):
        yield clause
    elif isinstance(clause, Joint):
        for child in clause.children:
            yield from facts_in(child)
    else:
        yield from facts_in(clause.child)


def _misspelt(text: str, rng: random.Random) -> Iterator[str]:
    """The text with one letter more, or with two of its letters swapped."""
    letters = [at for at, letter in enumerate(text) if letter.lower() in _LETTERS]
    for at in rng.sample(letters, min(4, len(letters))):
        if at + 1 in letters and text[at].lower() != text[at + 1].lower():
            yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        yield text[:at] + text[at] * 2 + text[at + 1 :]
    yield f"{text}{text[-1]}"
