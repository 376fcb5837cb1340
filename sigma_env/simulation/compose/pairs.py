"""Requests with the answers to them, on demand: what a model is trained on before it meets an environment."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sigma_env.sigma.rewrite import fenced
from sigma_env.simulation.compose.rules import Composed, compose
from sigma_env.simulation.requests import PERSONAS, full_plan, write_request


class Pair(NamedTuple):
    """A request that tells all of a rule, and the rule.

    Attributes:
        request: the words of a persona.
        answer: the reference as a fenced YAML block, which earns the maximum.
        persona: who asks.
        composed: the rule.
    """

    request: str
    answer: str
    persona: str
    composed: Composed


def training_pairs(
    seed: int,
    count: int,
    *,
    difficulty: tuple[float, float] = (0.0, 1.0),
    personas: Sequence[str] = PERSONAS,
) -> Iterator[Pair]:
    """Requests and answers of different training rules. The same arguments give the same ones.

    Args:
        seed: of everything.
        count: of pairs.
        difficulty: the easiest and the hardest rule, 0…1.
        personas: who asks, in turn.

    Raises:
        OptionError: a persona or the difficulty does not exist, or there are not as many rules.
    """
    yield from pairs(compose(seed, count, difficulty=difficulty), seed, personas)


def pairs(rules: Iterator[Composed], seed: int, personas: Sequence[str] = PERSONAS) -> Iterator[Pair]:
    """A request for each rule, by all personas in turn.

    Args:
        rules: composed.
        seed: of the words.
        personas: who asks.
    """
    for number, composed in enumerate(rules):
        persona = personas[number % len(personas)]
        request = write_request(full_plan(composed.rule), persona, seed)
        yield Pair(request.text, fenced(composed.text), persona, composed)
