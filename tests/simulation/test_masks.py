"""The truth of conditions over a list of events, against the native engine and the slow evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.engines.evaluator import DictEvent, StoredEvent, trace
from sigma_env.engines.native import evaluate
from sigma_env.events.store import EventStore
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Node, Rule
from sigma_env.simulation.masks import Masks, iou, rows_in
from tests.engines.strategies import documents, events


def rule(document: dict[str, Any]) -> Rule | None:
    try:
        return parse_rule(document)
    except RuleError:
        return None


def condition(detection: dict[str, Any]) -> Node:
    return parse_rule({"logsource": {"category": "process_creation"}, "detection": detection}).condition


@settings(max_examples=120)
@given(documents().map(rule).filter(bool), events())
def test_the_same_events_as_the_native_engine_and_the_slow_evaluator(rule: Rule, rows: list[dict[str, Any]]) -> None:
    store = EventStore.from_documents(rows)
    (partition,) = store.partitions
    stored = [StoredEvent(partition, i, None) for i in range(len(rows))]
    found = Masks(stored).of(rule.condition)
    assert found == evaluate(rule.condition, partition, None, (1 << len(rows)) - 1)
    assert set(rows_in(found)) == {i for i, event in enumerate(stored) if trace(rule.condition, event).holds}


@settings(max_examples=60)
@given(st.lists(documents().map(rule).filter(bool), min_size=2, max_size=4), events())
def test_many_conditions_asked_of_one_object_do_not_disturb_each_other(
    rules: list[Rule], rows: list[dict[str, Any]]
) -> None:
    seen = [DictEvent(row) for row in rows]
    masks = Masks(seen)
    for each in (*rules, *rules):
        assert masks.of(each.condition) == Masks(seen).of(each.condition)


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("Image|contains", "cmd", {0, 1, 2, 4}),
        ("Image|startswith", "cmd", {1, 2}),
        ("Image|endswith", "cmd", {0, 2}),
        ("Image", "cmd", {2}),
        ("Image|contains|cased", "CMD", {4}),
        ("Image", None, {5}),
        ("Image", "", {3}),
    ],
)
def test_where_a_text_may_stand(line: str, value: str | None, expected: set[int]) -> None:
    rows = [{"Image": text} for text in ("a\\cmd", "cmd.exe", "cmd", "", "a CMD b")] + [{}]
    found = Masks([DictEvent(row) for row in rows]).of(condition({"s": {line: value}, "condition": "s"}))
    assert set(rows_in(found)) == expected


def test_a_literal_is_found_once_per_text_and_in_every_event_that_has_it() -> None:
    masks = Masks([DictEvent({"A": text}) for text in ("aa aa", "b", "AA AA", "xaa")])
    assert masks.of(condition({"s": {"A|contains": "aa"}, "condition": "s"})) == 0b1101


def test_no_event_no_match() -> None:
    assert Masks([]).of(condition({"s": {"A": None}, "condition": "not s"})) == 0


def test_overlap() -> None:
    assert iou(0b0111, 0b1110) == 0.5
    assert iou(0, 0) == 0.0
