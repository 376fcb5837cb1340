"""The native engine against the row evaluator, which shares nothing with its way of matching."""

from typing import Any

import pytest
from hypothesis import assume, given, settings

from sigma_env.engines.evaluator import DictEvent, trace
from sigma_env.engines.native import _LOGSOURCES_KEPT, NativeEngine, required_event_ids, selects
from sigma_env.events.store import EventStore
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import FieldTest, Rule, Text, TextOp, Value
from tests.engines.strategies import documents, events


def parsed(document: dict[str, Any]) -> Rule | None:
    try:
        return parse_rule(document)
    except RuleError:
        return None


@settings(max_examples=300, deadline=None)
@given(documents(), events())
def test_columns_and_rows_agree_on_every_event(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rule = parsed(document)
    assume(rule is not None)
    assert rule is not None
    store = EventStore.from_documents(rows)
    [matches] = NativeEngine().match([rule], store)
    found = {store.ref(int(row)).position for row in matches.rows(store)}
    assert found == {i for i, row in enumerate(rows) if trace(rule.condition, DictEvent(row)).holds}


@given(documents())
def test_events_outside_the_required_ids_never_match(document: dict[str, Any]) -> None:
    rule = parsed(document)
    assume(rule is not None)
    assert rule is not None
    required = required_event_ids(rule.condition)
    for event_id in (1, 2, 31, 4688):
        if trace(rule.condition, DictEvent({"EventID": event_id})).holds:
            assert required is None or event_id in required


def rule_of(logsource: dict[str, str], **selection: Any) -> Rule:
    return parse_rule({"logsource": logsource, "detection": {"s": selection, "condition": "s"}})


class TestLogsources:
    STORE = EventStore.from_documents(
        [
            {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Image": "a"},
            {"Channel": "Security", "EventID": 4688, "NewProcessName": "a", "ProcessName": "b"},
            {"Channel": "Security", "EventID": 4624, "Image": "a"},
            {"Channel": "Application", "EventID": 1, "Image": "a"},
        ]
    )

    def rows(self, rule: Rule) -> list[int]:
        return [self.STORE.ref(int(r)).position for r in NativeEngine().match_rule(rule, self.STORE).rows(self.STORE)]

    def test_a_category_selects_sysmon_and_security(self) -> None:
        assert sorted(self.rows(rule_of({"category": "process_creation"}, Image="a"))) == [0, 1]

    def test_a_service_selects_its_channel(self) -> None:
        assert self.rows(rule_of({"service": "security"}, Image="a")) == [2, 1]

    def test_category_and_service_intersect(self) -> None:
        assert self.rows(rule_of({"category": "process_creation", "service": "sysmon"}, Image="a")) == [0]

    def test_windows_alone_selects_every_event(self) -> None:
        assert sorted(self.rows(rule_of({"product": "windows"}, Image="a"))) == [0, 1, 2, 3]

    def test_another_product_selects_none(self) -> None:
        assert self.rows(rule_of({"product": "linux"}, Image="a")) == []

    def test_selects_says_the_same_of_one_event(self) -> None:
        for logsource in ({"category": "process_creation"}, {"service": "security"}, {"product": "windows"}):
            rule = rule_of(logsource, **{"EventID|exists": True})
            matched = set(NativeEngine().match_rule(rule, self.STORE).rows(self.STORE).tolist())
            chosen = {row for row in range(4) if selects(rule.logsource, self.STORE, row)}
            assert matched == chosen


def test_an_engine_keeps_a_bounded_number_of_logsources() -> None:
    engine = NativeEngine()
    store = EventStore.from_documents([{"Channel": "Security", "EventID": 1}])
    for i in range(2 * _LOGSOURCES_KEPT):
        engine.match_rule(rule_of({"service": f"s{i}"}, a="b"), store)
    assert len(engine._scopes[store]) <= _LOGSOURCES_KEPT


@pytest.mark.parametrize("op", ["contains", "startswith", "endswith", "equals"])
@pytest.mark.parametrize("cased", [True, False])
def test_an_empty_literal_is_in_every_value_and_equals_the_empty_one(op: TextOp, cased: bool) -> None:
    rows: list[dict[str, Any]] = [{"Image": "a"}, {"Image": ""}, {"Image": None}, {}]
    rule = rule_of({"product": "windows"}, Image="x")
    line = FieldTest("Image", (), (Value("", (Text(op, "", cased),)),))
    store = EventStore.from_documents([{"Channel": "C", "EventID": 1, **row} for row in rows])
    matches = NativeEngine().match_rule(rule._replace(condition=line), store)
    assert [store.ref(int(r)).position for r in matches.rows(store)] == ([1] if op == "equals" else [0, 1])
