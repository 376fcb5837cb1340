"""How much of a rule it takes to find its events."""

from collections.abc import Iterator

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.sigma.rule import FieldTest, Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.tasks.truth import Truth


def difficulty(rule: Rule, truth: Truth, store: EventStore, engine: NativeEngine) -> float:
    """1 less the best IoU that one written value of the rule reaches by itself, under the rule's logsource.

    0 is a task that one literal decides. 1 would be one of whose values none is of any use alone.

    Args:
        rule: the reference.
        truth: of its task.
        store: the events.
        engine: runs the single values.
    """
    best = 0.0
    for test in set(_single_values(rule)):
        found = engine.match_rule(rule._replace(condition=test), store)
        best = max(best, overlap(found, truth))
        if best == 1.0:
            break
    return round(1.0 - best, 2)


def overlap(found: Matches, truth: Truth) -> float:
    """IoU of what an answer matches and what is true, without the ignored events; 0 if it matches nothing."""
    true = truth.scored
    counted = found - truth.ignored
    both = len(counted & true)
    return both / (len(counted) + len(true) - both) if both else 0.0


def _single_values(rule: Rule) -> Iterator[FieldTest]:
    for test in field_tests(rule.condition):
        for value in test.values:
            yield test._replace(values=(value,), all=False, negated=False)
