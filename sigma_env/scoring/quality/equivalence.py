"""Proof that a version of a rule means what the rule means.

What is open about an event of one kind is which of the written values hold on it. So for every kind of event, and
for every combination of these truths that is not known to be impossible, the slow evaluator judges both
conditions. If they never differ, they mean the same on every event that there can be. If they do, or if there are
too many combinations, nothing is proven.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from sigma_env.engines.evaluator import Memo, trace, value_holds
from sigma_env.scoring.quality.implication import excludes, implies
from sigma_env.scoring.quality.kinds import Kind
from sigma_env.sigma.rule import (
    And,
    AnyText,
    Exists,
    FieldRef,
    FieldTest,
    Node,
    Not,
    Null,
    Or,
    Pattern,
    Selection,
    Text,
    Value,
)
from sigma_env.sigma.tree import field_tests

_MOST_COMBINATIONS: Final = 8_192
_MOST_PER_FIELD: Final = 20

_ALWAYS: Final = Value(None, (AnyText(),))
_NEVER: Final = Value(None, ())

_Combination = tuple[bool, ...]


class _Fact(NamedTuple):
    """Written values of which some hold on an event or none does; nothing in either condition tells them apart.

    Attributes:
        token: stands for them.
        values: any of them.
    """

    token: str
    values: tuple[Value, ...]


def same_meaning(one: Node, other: Node, kinds: Iterable[Kind]) -> bool:
    """Whether two conditions surely mean the same on all events of some kinds."""
    lines = [(test.field, value) for node in (one, other) for test in field_tests(node) for value in test.values]
    judged: set[tuple[object, ...]] = set()
    for kind in kinds:
        about = tuple([_decided(field, value, kind) for field, value in lines])
        if about not in judged:  # versions of an event mostly differ in what the rule does not ask for
            judged.add(about)
            if not _same_on(one, other, kind):
                return False
    return True


def _decided(field: str | None, value: Value, kind: Kind) -> tuple[object, ...]:
    """All that a kind says about a line's value."""
    field = kind.field_of(field, value)
    return field, kind.truth(field, value), kind.choices(field), kind.is_single(field)


def _same_on(one: Node, other: Node, kind: Kind) -> bool:
    facts, token_of = _facts((one, other), kind)
    per_field: list[list[_Combination]] = []
    for field, of_field in facts.items():
        combinations = _combinations(field, of_field, kind)
        if combinations is None:
            return False
        per_field.append(combinations)
    if prod(map(len, per_field)) > _MOST_COMBINATIONS:
        return False
    left, right = (_rewritten(node, kind, token_of) for node in (one, other))
    memo: Memo = {}
    for combination in product(*per_field):
        texts = {
            field: "".join(fact.token for fact, holds in zip(of_field, truths, strict=True) if holds)
            for (field, of_field), truths in zip(facts.items(), combination, strict=True)
        }
        event = _Abstract(texts)
        if trace(left, event, memo).holds != trace(right, event, memo).holds:
            return False
    return True


class _Abstract:
    """An event of which only the truth of written values is known: a field's text names those that hold."""

    def __init__(self, texts: dict[str | None, str]) -> None:
        self._texts = texts

    def values(self, field: str) -> Sequence[str | None]:
        return (self._texts.get(field, ""),)

    def every_value(self) -> Iterator[str]:
        yield self._texts.get(None, "")


_Key = tuple[str | None, tuple[Pattern, ...]]
_Facts = dict[str | None, list[_Fact]]


def _facts(conditions: Iterable[Node], kind: Kind) -> tuple[_Facts, dict[_Key, str]]:
    """What is open about an event of a kind, by field, and the token of each open value."""
    owners: defaultdict[_Key, list[int]] = defaultdict(list)
    values: dict[_Key, Value] = {}
    for condition in conditions:
        for test in field_tests(condition):
            for position, value in enumerate(test.values):
                field = kind.field_of(test.field, value)
                if kind.truth(field, value) is None:
                    key = (field, value.alternatives)
                    values.setdefault(key, value)
                    # What a line wants together is told apart.
                    owners[key] += [id(test), position] if test.all else [id(test)]
    alike: defaultdict[tuple[str | None, frozenset[int]], list[_Key]] = defaultdict(list)
    for key, tests in owners.items():
        alike[key[0], frozenset(tests)].append(key)
    facts: _Facts = {}
    token_of: dict[_Key, str] = {}
    for number, ((field, _), keys) in enumerate(alike.items()):
        token = f"<{number}>"
        facts.setdefault(field, []).append(_Fact(token, tuple([values[key] for key in keys])))
        token_of.update(dict.fromkeys(keys, token))
    return facts, token_of


def _combinations(field: str | None, facts: Sequence[_Fact], kind: Kind) -> list[_Combination] | None:
    """The truths of a field's facts that are not known to be impossible; None if there are too many."""
    choices = kind.choices(field)
    if choices is not None and all(_is_textual(fact) for fact in facts):
        found = {tuple([_holds_on(fact, text) for fact in facts]) for text in choices}
        return sorted(found)
    if len(facts) > _MOST_PER_FIELD:
        return None
    needs = [[j for j, other in enumerate(facts) if j != i and _implied(fact, other)] for i, fact in enumerate(facts)]
    bars: list[list[int]] = [[] for _ in facts]
    if kind.is_single(field):
        bars = [
            [j for j, other in enumerate(facts) if j != i and _excluded(fact, other)] for i, fact in enumerate(facts)
        ]
    return _consistent(needs, bars)


def _consistent(needs: Sequence[Sequence[int]], bars: Sequence[Sequence[int]]) -> list[_Combination] | None:
    """All choices of facts that hold, such that each has those that it needs and none that it bars."""
    begun: list[_Combination] = [()]
    for number in range(len(needs)):
        longer: list[_Combination] = []
        for truths in begun:
            if not any(holds and number in needs[j] for j, holds in enumerate(truths)):
                longer.append((*truths, False))
            lacks = any(j < number and not truths[j] for j in needs[number])
            clashes = any(holds and (j in bars[number] or number in bars[j]) for j, holds in enumerate(truths))
            if not lacks and not clashes:
                longer.append((*truths, True))
        begun = longer
        if len(begun) > _MOST_COMBINATIONS:
            return None
    return begun


def _is_textual(fact: _Fact) -> bool:
    """Whether it is about nothing but the field's text."""
    return not any(isinstance(p, Null | Exists | FieldRef) for value in fact.values for p in value.alternatives)


def _holds_on(fact: _Fact, text: str) -> bool:
    return any(value_holds(pattern, text) for value in fact.values for pattern in value.alternatives)


def _implied(fact: _Fact, other: _Fact) -> bool:
    return all(any(implies(value, theirs) for theirs in other.values) for value in fact.values)


def _excluded(fact: _Fact, other: _Fact) -> bool:
    return all(excludes(value, theirs) for value in fact.values for theirs in other.values)


def _rewritten(node: Node, kind: Kind, token_of: dict[_Key, str]) -> Node:
    """A condition whose values look for tokens."""
    if isinstance(node, FieldTest):
        return _rewritten_line(node, kind, token_of)
    if isinstance(node, Selection):
        return _rewritten(node.child, kind, token_of)
    if isinstance(node, Not):
        return Not(_rewritten(node.child, kind, token_of))
    children = tuple([_rewritten(child, kind, token_of) for child in node.children])
    return And(children) if isinstance(node, And) else Or(children)


def _rewritten_line(test: FieldTest, kind: Kind, token_of: dict[_Key, str]) -> Node:
    lines: dict[str | None, list[Value]] = {}
    for value in test.values:
        field = kind.field_of(test.field, value)
        truth = kind.truth(field, value)
        if truth is None:
            wanted = Value(None, (Text("contains", token_of[field, value.alternatives]),))
        else:
            wanted = _ALWAYS if truth else _NEVER
        if wanted not in lines.setdefault(field, []):
            lines[field].append(wanted)
    tests = tuple([FieldTest(field, (), tuple(values), test.all) for field, values in lines.items()])
    joined: Node = tests[0] if len(tests) == 1 else And(tests) if test.all else Or(tests)
    return Not(joined) if test.negated else joined
