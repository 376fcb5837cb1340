"""Whether a text tells what its plan discloses, and nothing else of the rule."""

import re
from functools import lru_cache
from typing import Final

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.text import parse_text
from sigma_env.simulation.plan import MAX_REQUEST, Part, Plan
from sigma_env.simulation.requests.clauses import Clause, Fact, Joint, clause_of
from sigma_env.simulation.requests.prose import QUOTES, quoted
from sigma_env.simulation.requests.voices import fixed_words
from sigma_env.simulation.requests.words import field_phrases

_SHORTEST_TELLING: Final = 5
"""Characters of a value that says something by itself; shorter ones occur in any text."""
_EDGES: Final = "\\/*?.\"'`«» \t-"
_PARTS_OF_RULE: Final = re.compile(
    r"^[ \t]*(?:logsource|detection|condition)[ \t]*:"
    r"|\b\w+\|(?:contains|startswith|endswith|re|cidr|all|windash|cased|exists)(?:\|\w+)*[ \t]*:"
    r"|\b(?:1|all) of (?:selection|filter)",
    re.MULTILINE,
)


def discloses(text: str, plan: Plan) -> bool:
    """Whether a text tells every disclosed value and no other one; see `faults`."""
    return not faults(text, plan)


def faults(text: str, plan: Plan) -> list[str]:
    """What is wrong with a text as request of a plan.

    Every value of the disclosed rule must occur verbatim in quotes (numbers may stand alone), no value that is not
    disclosed may occur (without case; very short ones and those that any request may hold are let through), the text
    must fit into a task, and hold no part of a rule.

    Returns:
        One sentence for each fault; none if the text is right.
    """
    found = []
    if len(text) > MAX_REQUEST:
        found.append(f"the text has {len(text)} characters, at most {MAX_REQUEST} fit into a task")
    if leak := _PARTS_OF_RULE.search(text):
        found.append(f"the text holds a part of a rule: {leak[0].strip()!r}")
    if name := next((name for name in _names(plan.rule) if name in text), None):
        found.append(f"the text names the rule's selection {name!r}")
    found += [
        f"the text does not say {fact_text!r}" for fact_text in _unsaid(clause_of(plan.cut.condition), text, plan)
    ]
    found += [f"the text says {value!r}, which the plan does not disclose" for value in told_too_much(text, plan)]
    return found


def told_too_much(text: str, plan: Plan) -> list[str]:
    """Values that a text says though the plan does not disclose them."""
    lowered = text.lower()
    return [value for value in _secrets(plan) if value in lowered]


def _names(rule: Rule) -> list[str]:
    """Names of selections that are no ordinary words."""
    return [name for name in rule.document["detection"] if "_" in name and name not in fixed_words()]


def _unsaid(clause: Clause, text: str, plan: Plan) -> list[str]:
    if isinstance(clause, Fact):
        return [said for said in clause.texts if not _is_said(said, clause, text, plan)]
    if isinstance(clause, Joint):
        return [said for child in clause.children for said in _unsaid(child, text, plan)]
    return _unsaid(clause.child, text, plan)


def _is_said(said: str, fact: Fact, text: str, plan: Plan) -> bool:
    if "number" in fact.how.flags:
        return re.search(rf"(?<![\w.]){re.escape(said)}(?!\w)", text) is not None
    if fact.how.operation.startswith("ref_") and any(
        phrase in text for phrase in field_phrases(said, plan.rule.logsource.category)
    ):
        return True
    return any(quoted(said, preferred) in text for preferred in range(len(QUOTES)))


def _secrets(plan: Plan) -> tuple[str, ...]:
    """Texts in lower case that may not be said."""
    return () if plan.cut is plan.rule else _secrets_of(plan.parts)


@lru_cache(maxsize=8)
def _secrets_of(parts: tuple[Part, ...]) -> tuple[str, ...]:
    values = [part for part in parts if part.kind == "value"]
    disclosed = [value.text for value in values if value.disclosed]
    told = "\n".join([text.lower() for text in disclosed] + [part for text in disclosed for part in _literals(text)])
    secrets = dict.fromkeys(_core(value.text) for value in values if not value.disclosed)
    return tuple(
        secret
        for secret in secrets
        if len(secret) >= _SHORTEST_TELLING and secret not in told and secret not in fixed_words()
    )


def _core(written: str) -> str:
    """What of a value a person would say, in lower case."""
    return max((literal.strip(_EDGES) for literal in _literals(written)), key=len, default="")


def _literals(written: str) -> list[str]:
    """The texts between a value's wildcards, in lower case."""
    return [part.lower() for part in parse_text(written) if isinstance(part, str)]
