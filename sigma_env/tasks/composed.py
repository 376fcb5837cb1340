"""The dataset `composed`: composed rules with logs, those for tests sharing nothing with others; and training chats."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from sigma_env.sigma.files import LoadedRule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.compose import HELD_OUT_FAMILIES, Composed, Pair, compose, held_out, training_pairs
from sigma_env.simulation.requests import PERSONAS
from sigma_env.tasks.assemble import BuildProgress, Candidate
from sigma_env.tasks.manifest import Manifest
from sigma_env.tasks.messages import Message, messages
from sigma_env.tasks.names import COMPOSED
from sigma_env.tasks.simulated import build_simulated
from sigma_env.tasks.split import Profile, near_pairs
from sigma_env.tasks.task import Split, Task

TRAINING_RULES: Final = 720
"""Of the dataset, with invented names of their own; any number of others, without logs, comes from `training_chats`."""
LICENCE: Final = "Apache-2.0"

_VALIDATION_OF: Final = 6


class Chat(NamedTuple):
    """What a model is shown, and what it should answer.

    Attributes:
        messages: system and user message, as every task has them.
        answer: the reference as a fenced YAML block.
        pair: what they are made of.
    """

    messages: list[Message]
    answer: str
    pair: Pair


def build_composed(
    seed: int = 0,
    progress: BuildProgress | None = None,
    *,
    families: int = HELD_OUT_FAMILIES,
    training: int = TRAINING_RULES,
) -> Manifest:
    """Builds `composed`: rules of invented names, of which the test split shares nothing with any training rule.

    Args:
        seed: of rules, events and words. No seed's held-out rules share a name with any seed's training rules.
        progress: is told how far it is.
        families: of held-out rules, three rules each.
        training: rules for training and validation; those that are near to rules of another split are left away.
    """
    rules = [*held_out(seed, families), *compose(seed, training, unmet=True)]
    return build_simulated(COMPOSED, _apart([_candidate(rule) for rule in rules]), seed=seed, progress=progress)


def training_chats(
    seed: int, count: int, *, difficulty: tuple[float, float] = (0.0, 1.0), personas: Sequence[str] = PERSONAS
) -> Iterator[Chat]:
    """Prompts and answers of training rules, without logs.

    Args:
        seed: of everything.
        count: of chats.
        difficulty: the easiest and the hardest rule, 0…1.
        personas: who asks, in turn.

    Raises:
        OptionError: see `sigma_env.simulation.compose.training_pairs`.
    """
    for pair in training_pairs(seed, count, difficulty=difficulty, personas=personas):
        yield Chat(messages(_task(pair)), pair.answer, pair)


def _task(pair: Pair) -> Task:
    composed = pair.composed
    logsource = {part: name for part, name in composed.rule.logsource._asdict().items() if name is not None}
    return Task(
        request=pair.request,
        persona=pair.persona,
        reference=composed.text,
        logsource=logsource,
        split="train",
        source=_source(composed),
        licence=LICENCE,
        difficulty=composed.difficulty,
    )


def _candidate(composed: Composed) -> Candidate:
    source = _source(composed)
    loaded = LoadedRule(Path(source), composed.rule.meta, composed.rule)
    return Candidate(source, loaded, composed.text, licence=LICENCE, split=_split(composed))


def _apart(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates without those for training that are near to one for validation: families may share a word."""
    profiles = [_profile(candidate) for candidate in candidates]
    crossing = {
        at for pair in near_pairs(profiles) if len({candidates[at].split for at in pair}) > 1 for at in pair
    }  # fmt: skip
    return [one for at, one in enumerate(candidates) if at not in crossing or one.split != "train"]


def _profile(candidate: Candidate) -> Profile:
    assert candidate.loaded.rule is not None  # composed rules are valid
    values = [value.written for test in field_tests(candidate.loaded.rule.condition) for value in test.values]
    return Profile(candidate.text, frozenset(), frozenset(str(value).lower() for value in values), frozenset())


def _source(composed: Composed) -> str:
    return f"{COMPOSED}:{composed.rule.meta.id}"


def _split(composed: Composed) -> Split:
    """Families stand on one side as wholes."""
    if composed.half == "held_out":
        return "test"
    place = blake2b(composed.family.encode(), digest_size=4).digest()
    return "validation" if int.from_bytes(place) % _VALIDATION_OF == 0 else "train"
