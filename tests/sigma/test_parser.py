from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest

from sigma_env.sigma.errors import InvalidRule, RuleError, TooComplex, UnsupportedRule
from sigma_env.sigma.limits import ANSWER_LIMITS, RULE_LIMITS, Limits
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import And, FieldTest, LogSource, Meta, Node, Not, Or, Selection, Text, Value
from sigma_env.sigma.yaml import load_mapping

LOGSOURCE = {"category": "process_creation", "product": "windows"}


def condition(detection: dict[Any, Any], logsource: Any = LOGSOURCE) -> Node:
    return parse_rule({"logsource": logsource, "detection": detection}, ANSWER_LIMITS).condition


def child(definition: Any) -> Node:
    selection = condition({"s": definition, "condition": "s"})
    assert isinstance(selection, Selection)
    return selection.child


def equals(field: str, text: str) -> FieldTest:
    return FieldTest(field, (), (Value(text, (Text("equals", text),)),))


def words(*texts: str) -> FieldTest:
    return FieldTest(None, (), tuple(Value(text, (Text("contains", text),)) for text in texts))


@pytest.mark.parametrize(
    ("definition", "node"),
    [
        ({"a": "x"}, equals("a", "x")),
        ({"a": "x", "b": "y"}, And((equals("a", "x"), equals("b", "y")))),
        ([{"a": "x"}, {"b": "y"}], Or((equals("a", "x"), equals("b", "y")))),
        ([{"a": "x"}], equals("a", "x")),
        ([{"a": "x", "b": "y"}, "z"], Or((And((equals("a", "x"), equals("b", "y"))), words("z")))),
        (["x", "y"], words("x", "y")),
        ("x", words("x")),
        ([["x", "y"], {"a": "x"}], Or((words("x", "y"), equals("a", "x")))),
        ([[{"a": "x"}], [{"b": "y"}]], Or((equals("a", "x"), equals("b", "y")))),
        ({"|all": ["x", "y"]}, words("x", "y")._replace(modifiers=("all",), all=True)),
        ({None: "x"}, words("x")),
        ({"": "x"}, words("x")),
    ],
)
def test_maps_are_and_lists_are_or_plain_values_are_keywords(definition: Any, node: Node) -> None:
    assert child(definition) == node


def test_conditions_in_a_list_are_or() -> None:
    detection = {"a": {"x": "1"}, "b": {"y": "2"}, "condition": ["a and b", "not a"]}
    a, b = Selection("a", equals("x", "1")), Selection("b", equals("y", "2"))
    rule = parse_rule({"logsource": LOGSOURCE, "detection": detection})
    assert rule.condition == Or((And((a, b)), Not(a)))
    assert rule.conditions == ("a and b", "not a")


def test_a_rule_keeps_its_logsource_and_detection_as_loaded_and_its_meta() -> None:
    document = {
        "title": "t",
        "logsource": {"category": " Process_Creation "},
        "detection": {"s": "x", "condition": "s"},
    }
    rule = parse_rule(document, meta=Meta(id="1"))
    assert rule.logsource == LogSource("process_creation", None, None)
    assert rule.document == {"logsource": document["logsource"], "detection": document["detection"]}
    assert rule.meta == Meta(id="1")


@pytest.mark.parametrize(
    ("detection", "problem"),
    [
        (None, "'detection' is null; it must be a mapping"),
        ([], "'detection' is a list"),
        ({}, "'detection' has no 'condition'"),
        ({"condition": "s"}, "'detection' has no selection"),
        ({"s": {"a": "x"}}, "'detection' has no 'condition'"),
        ({"s": {}, "condition": "s"}, "selection 's': it is empty"),
        ({"s": [], "condition": "s"}, "selection 's': the list of values is empty"),
        ({"s": {"a": []}, "condition": "s"}, "selection 's': field 'a': the list of values is empty"),
        ({"s": {"a": "x"}, "t": [[]], "condition": "s"}, "selection 't': the list of values is empty"),
        ({"s": {"a": {"b": "c"}}, "condition": "s"}, "selection 's': field 'a': a value is a mapping"),
        ({"s": {"a": [["b"]]}, "condition": "s"}, "selection 's': field 'a': a value is a list"),
        ({"s": {5: "x"}, "condition": "s"}, "selection 's': the field 5 is a number; quote it"),
        ({"s": {True: "x"}, "condition": "s"}, "selection 's': the field True is a boolean; quote it"),
        ({1: {"a": "x"}, "condition": "1"}, "the selection 1 has a name that is a number; quote it"),
        ({"s": {"a": "x"}, "condition": None}, "a condition is null; it must be text"),
        ({"s": {"a": "x"}, "condition": []}, "the list of conditions is empty"),
        ({"s": {"a": "x"}, "condition": ["s", 1]}, "a condition is a number"),
        ({"s": {"a": "x"}, "condition": "t"}, "condition: no selection 't'; the detection has 's'"),
        ({"s": {"a": "x"}, "condition": "s and and"}, "condition: no selection 'and'"),
        ({"s": {"a": "x"}, "unused": {"b|contains": 5}, "condition": "s"}, "selection 'unused': field 'b|contains'"),
    ],
)
def test_what_is_no_detection_is_refused_with_the_place(detection: Any, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        condition(detection)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("logsource", "problem"),
    [
        (None, "'logsource' is null; it must be a mapping"),
        ("windows", "'logsource' is text"),
        ([], "'logsource' is a list"),
        ({}, "'logsource' is empty"),
        ({"definition": "x"}, "'logsource' is empty"),
        ({"category": ["a"]}, "logsource: 'category' is a list; it must be text"),
        ({"category": "a", "service": 5}, "logsource: 'service' is a number"),
        ({"category": "a", "definition": {}}, "logsource: 'definition' is a mapping"),
    ],
)
def test_what_is_no_logsource_is_refused(logsource: Any, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        condition({"s": {"a": "x"}, "condition": "s"}, logsource)
    assert problem in str(error.value)
    with pytest.raises(InvalidRule, match="'logsource' is missing"):
        parse_rule({"detection": {"s": {"a": "x"}, "condition": "s"}})


def test_a_name_of_spaces_says_nothing() -> None:
    rule = parse_rule({"logsource": {"product": "windows", "service": " "}, "detection": {"s": "x", "condition": "s"}})
    assert rule.logsource == LogSource(None, "windows", None)


def test_dates_are_no_values() -> None:
    for written, kind in (
        ("2024-01-01", "a date"),
        ("2024-01-01 10:00:00", "a time"),
        ("2024-13-01", "a malformed"),
    ):
        document = load_mapping(f"logsource: {{category: c}}\ndetection: {{s: {{a: {written}}}, condition: s}}")
        with pytest.raises(InvalidRule, match=rf"a value is {kind}.* \(quote it"):
            parse_rule(document)


@pytest.mark.parametrize(
    ("extra", "text", "reason"),
    [
        ({"timeframe": "5m"}, "s", "'timeframe' belongs to aggregations"),
        ({}, "s | count() by User > 5", "the aggregation '| count() by User > 5' is not served"),
        ({}, "not s|near x", "the aggregation '| near x' is not served"),
        ({"e": {"a|expand": "%x%"}}, "s or e", "field 'a|expand': the modifier 'expand' needs values from outside"),
    ],
)
def test_what_is_not_served_is_refused_with_the_rest_of_the_rule(extra: dict[str, Any], text: str, reason: str) -> None:
    with pytest.raises(UnsupportedRule) as error:
        condition({"s": {"a": "x"}, **extra, "condition": text})
    assert reason in str(error.value)
    assert error.value.rule is not None
    assert error.value.logsource == error.value.rule.logsource == LogSource("process_creation", "windows", None)


@pytest.mark.parametrize(
    ("detection", "problem"),
    [
        ({"s": {"a|contains": 5}, "timeframe": "5m", "condition": "s"}, "'contains' cannot be applied"),
        ({"s": {"a": "x"}, "timeframe": {"a": []}, "condition": "s"}, "selection 'timeframe': field 'a'"),
        ({"s": {"a": "x"}, "condition": "t | count() > 5"}, "no selection 't'"),
        ({"s": {"a": "x"}, "condition": "| count() > 5"}, "here a selection"),
        ({"timeframe": "5m", "condition": "1 of them"}, "'detection' has no selection"),
        ({"s": {"a|expand": "%x%"}, "t": {}, "condition": "s"}, "selection 't': it is empty"),
    ],
)
def test_an_invalid_rule_stays_invalid_when_it_also_uses_what_is_not_served(detection: Any, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        condition(detection)
    assert problem in str(error.value)


def test_correlations_and_filters_are_sigma_but_no_rules_over_events() -> None:
    correlation = {"title": "t", "correlation": {"type": "event_count", "rules": ["a"]}}
    with pytest.raises(UnsupportedRule, match="a correlation document is no rule over events") as error:
        parse_rule(correlation)
    assert error.value.rule is error.value.logsource is None
    with pytest.raises(UnsupportedRule, match="a filter document") as error:
        parse_rule({"logsource": LOGSOURCE, "filter": {"rules": ["a"], "condition": "not f"}})
    assert error.value.logsource == LogSource("process_creation", "windows", None)
    for document in ({"correlation": "x"}, {"correlation": {"type": "x"}}, {"filter": []}, {}):
        with pytest.raises(InvalidRule, match="the rule has no 'detection'"):
            parse_rule(document)
    with_detection = {"logsource": LOGSOURCE, "detection": {"s": "x", "condition": "s"}, **correlation}
    assert parse_rule(with_detection).conditions == ("s",)


def many(count: int, **fields: Any) -> dict[str, Any]:
    return {f"s{number}": dict(fields) for number in range(count)}


@pytest.mark.parametrize(
    ("detection", "problem"),
    [
        ({**many(101, a="x"), "condition": "s1"}, "101 selections; at most 100"),
        ({"s": {"a": ["x"] * 2001}, "condition": "s"}, "more than 2000 values"),
        ({"s": [{"a": "x"}] * 501, "condition": "s"}, "more than 500 fields"),
        ({"s": {"a|windash": ["-a -b -c"] * 33}, "condition": "s"}, "make more than 4000 patterns"),
        ({"s": {"a|re": ["x"] * 21}, "condition": "s"}, "more than 20 regular expressions"),
        ({"s": {"a": "x"}, "condition": ["s"] * 21}, "21 conditions; at most 20"),
        ({"s": {"a": "x"}, "condition": "s" * 4097}, "a condition of 4097 characters"),
        ({"s": {"a": "x"}, "condition": "(" * 51 + "s" + ")" * 51}, "nested too deeply"),
        ({**many(99, a="x"), "condition": " or ".join(["1 of s*"] * 20)}, "names too many selections"),
    ],
)
def test_what_passes_a_cap_is_too_complex(detection: Any, problem: str) -> None:
    with pytest.raises(TooComplex) as error:
        condition(detection)
    assert problem in str(error.value)


def test_nested_lists_are_too_complex_before_they_end_the_process() -> None:
    nested: Any = "x"
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(TooComplex, match="lists are nested too deeply"):
        condition({"s": nested, "condition": "s"})


def fault(text: str, limits: Limits) -> str:
    try:
        parse_rule(load_mapping(text, limits), limits)
    except RuleError as error:
        return error.status
    return "ok"


def test_the_caps_admit_every_rule_of_sigmahq(sigmahq_answers: dict[str, str]) -> None:
    as_rules = {path: fault(text, RULE_LIMITS) for path, text in sigmahq_answers.items()}
    assert [PurePath(path).stem for path, status in as_rules.items() if status != "ok"] == [
        "win_security_adcs_certighost_cdc_chase_request",  # these two use expand
        "win_security_adcs_certighost_cert_issued_via_chase",
    ]
    as_answers = {path: fault(text, ANSWER_LIMITS) for path, text in sigmahq_answers.items()}
    assert [PurePath(path).stem for path in as_rules if as_rules[path] != as_answers[path]] == [
        "driver_load_win_vuln_drivers",  # 4,432 values in 288 KiB
    ]
