"""Composed rules, one after another, in families that share their names."""

import random
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count as counting
from typing import Final, NamedTuple

from sigma_env.errors import OptionError
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.rule import Meta, Rule
from sigma_env.simulation.compose.names import Names
from sigma_env.simulation.compose.structure import STEPS, build_rule
from sigma_env.simulation.compose.vocabulary import Half, vocabulary

RULES_PER_FAMILY: Final = 4
"""Training rules that share their names."""
HELD_OUT_FAMILIES: Final = 120
"""Families of held-out rules, by default."""
HELD_OUT_PER_FAMILY: Final = 3
"""Held-out rules that share their names."""

# The share of easy rules; 1 would make all difficulties equally frequent.
_EASY_MORE_OFTEN: Final = 1.4


class Composed(NamedTuple):
    """A composed rule.

    Attributes:
        text: its YAML, logsource and detection: also the answer that earns the maximum.
        rule: the same, parsed.
        family: rules of one family share the names that they speak of; no other family of the other half does.
        half: "training" or "held_out".
        difficulty: 0 (one line, one value) … 1.
    """

    text: str
    rule: Rule
    family: str
    half: Half
    difficulty: float


def compose(
    seed: int,
    count: int,
    *,
    half: Half = "training",
    unmet: bool = False,
    difficulty: tuple[float, float] = (0.0, 1.0),
    per_family: int = RULES_PER_FAMILY,
) -> Iterator[Composed]:
    """Composes different rules. The same arguments give the same ones; a larger count only adds more.

    Args:
        seed: of everything.
        count: of rules.
        half: whose words they use.
        unmet: whether their invented names are such as no training pair has. They are training rules all the same.
        difficulty: the easiest and the hardest, 0…1. Up to (0, 0), rules have one line with one value.
        per_family: how many rules share their names.

    Raises:
        OptionError: the difficulties are none, or there are not as many different rules.
    """
    least, most = difficulty
    if not 0 <= least <= most <= 1:
        raise OptionError(f"difficulty is {difficulty}; it must be two numbers from 0 to 1, the smaller one first")
    seen: set[bytes] = set()
    misses = 0
    made = 0
    for number in counting():
        if made >= count:
            return
        composed = _compose_one(seed, number, half, unmet, (least, most), per_family)
        key = b"" if composed is None else blake2b(composed.text.lower().encode(), digest_size=12).digest()
        if composed is None or key in seen:
            misses += 1
            if misses > 1000 + 10 * made:
                raise OptionError(f"there are hardly more than {made} different rules of difficulty {difficulty}")
            continue
        seen.add(key)
        made += 1
        yield composed


def held_out(seed: int, families: int = HELD_OUT_FAMILIES, per_family: int = HELD_OUT_PER_FAMILY) -> Iterator[Composed]:
    """Rules that share no name with any that `compose` makes for training, whatever the seeds.

    Args:
        seed: of everything.
        families: how many do not share names with each other.
        per_family: rules of each.
    """
    yield from compose(seed, families * per_family, half="held_out", difficulty=(0.1, 1.0), per_family=per_family)


def _compose_one(
    seed: int, number: int, half: Half, unmet: bool, difficulty: tuple[float, float], per_family: int
) -> Composed | None:
    """One rule; None if it cannot be used.

    It cannot if words meet in it so that one of the other half arises, or if it is hardly told from others: it needs a
    text of its own, and held out, at least as many as it has values that others may have too. So no held-out rule has
    half of its values from a training rule (see `sigma_env.tasks.split.VALUES_ALIKE`).
    """
    words = vocabulary(half)
    family = number // per_family
    kind = "unmet" if unmet else half
    names = Names(words, random.Random(f"{seed}|family|{kind}|{family}"), unmet=unmet)
    rng = random.Random(f"{seed}|compose|{kind}|{number}")
    least, most = difficulty
    wanted = least + (most - least) * rng.random() ** _EASY_MORE_OFTEN
    built = build_rule(names, round(wanted * STEPS), rng)
    own = frozenset(built.own_texts())
    needed = max(1, len(built.other_values())) if half == "held_out" else 1
    if len(own) < needed or any(map(words.holds_foreign, own)):
        return None
    meta = Meta(id=f"composed-{kind}-{seed}-{number}")
    rule = parse_rule(built.document, ANSWER_LIMITS, meta)
    return Composed(to_yaml(built.document), rule, f"{kind}-{seed}-{family}", half, round(built.steps / STEPS, 2))
