"""A plan: what a request tells of its rule, and the rule cut down to that."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.sigma.rule import Meta, Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.plan import SCENARIOS, Outage, Plan
from sigma_env.simulation.requests import RequestError, full_plan, make_plan
from sigma_env.simulation.requests.choosing import MOST_VALUES, MOST_WAYS, ways_of
from sigma_env.simulation.requests.outline import outline_of
from tests.simulation.requests.rules import rules

PROCESSES = {"product": "windows", "category": "process_creation"}


def rule_of(detection: dict[str, Any], logsource: dict[str, str] = PROCESSES) -> Rule:
    return parse_rule({"logsource": logsource, "detection": detection}, meta=Meta(id="r", title="Odd starts"))


def places(plan: Plan, kind: str) -> list[str]:
    return [part.place for part in plan.parts if part.kind == kind]


def test_every_part_of_a_rule_is_in_its_plan() -> None:
    rule = rule_of(
        {
            "selection": [{"Image|endswith": "\\a.exe"}, {"Image|endswith": "\\b.exe", "User": ["x", None]}],
            "filter": {"CommandLine|contains|all": ["one", "two"]},
            "condition": "selection and not filter",
        }
    )
    plan = make_plan(rule, 0)
    assert plan.coverage == 1
    assert plan.cut is rule
    assert places(plan, "selection") == ["selection"]
    assert places(plan, "filter") == ["filter"]
    lines = ["selection[1].Image|endswith", "selection[2].Image|endswith", "selection[2].User"]
    assert places(plan, "condition") == places(plan, "boundary") == [*lines, "filter.CommandLine|contains|all"]
    values = [(part.place, part.text) for part in plan.parts if part.kind == "value"]
    assert values == [
        ("selection[1].Image|endswith", "\\a.exe"),
        ("selection[2].Image|endswith", "\\b.exe"),
        ("selection[2].User", "x"),
        ("selection[2].User", "null"),
        ("filter.CommandLine|contains|all", "one"),
        ("filter.CommandLine|contains|all", "two"),
    ]


def test_a_long_list_is_told_in_part_and_evenly() -> None:
    names = [f"\\tool{number:03}.exe" for number in range(100)]
    detection = {"s": {"Image|endswith": names, "CommandLine|contains|all": ["aa", "bb"]}, "condition": "s"}
    plan = make_plan(rule_of(detection), 3)
    told = [part.text for part in plan.parts if part.kind == "value" and part.disclosed and part.text in names]
    stretches = [names.index(name) * MOST_VALUES // len(names) for name in told]
    assert len(told) == MOST_VALUES
    assert all(abs(stretch - at) <= 1 for at, stretch in enumerate(stretches))
    assert plan.cut.document["detection"]["s"]["CommandLine|contains|all"] == ["aa", "bb"]
    assert plan.coverage == pytest.approx(sum(part.disclosed for part in plan.parts) / len(plan.parts), abs=1e-4)
    assert make_plan(rule_of(detection), 3) == plan
    assert make_plan(rule_of(detection), 4) != plan


def test_of_a_long_list_those_values_are_told_of_which_an_exception_speaks() -> None:
    detection = {
        "s": {"Image|endswith": [f"\\p{number}.exe" for number in range(60)]},
        "filter": {"Image": ["C:\\Good\\P17.exe", "C:\\Good\\p42.exe"]},
        "condition": "s and not filter",
    }
    for seed in range(10):
        told = make_plan(rule_of(detection), seed).cut.document["detection"]["s"]["Image|endswith"]
        assert len(told) == MOST_VALUES
        assert {"\\p17.exe", "\\p42.exe"} <= set(told)


def test_a_list_of_which_every_value_must_hold_is_never_cut() -> None:
    words = [f"word{number}" for number in range(40)]
    plan = make_plan(rule_of({"s": {"CommandLine|contains|all": words}, "condition": "s"}), 0)
    assert plan.cut is plan.rule


def test_alternatives_share_the_ways_that_fit() -> None:
    detection: dict[str, Any] = {f"s{n}": {"Image|endswith": [f"\\{n}{m}.exe" for m in range(9)]} for n in range(6)}
    plan = make_plan(rule_of({**detection, "condition": "1 of s*"}), 0)
    kept = [len(test.values) for test in field_tests(plan.cut.condition)]
    assert kept == [4] * 6
    many = {f"s{n}": {"Image|endswith": f"\\{n}.exe", "User": "u"} for n in range(60)}
    plan = make_plan(rule_of({**many, "condition": "1 of s*"}), 0)
    assert ways_of(outline_of(plan.cut)) == MOST_WAYS
    assert all(len(list(field_tests(child))) == 2 for child in plan.cut.condition.children)  # type: ignore[union-attr]


def test_filters_do_not_count_as_ways() -> None:
    filters = {f"f{n}": {"Image": f"C:\\{n}.exe"} for n in range(30)}
    detection = {"s": {"User": ["a", "b"]}, **filters, "condition": "s and not 1 of f*"}
    plan = make_plan(rule_of(detection), 0)
    assert plan.cut is plan.rule


def test_what_no_request_can_hold_is_refused() -> None:
    words = [f"{number:03}" * 40 for number in range(60)]
    with pytest.raises(RequestError, match="'Odd starts' is too long"):
        make_plan(rule_of({"s": {"CommandLine|contains|all": words}, "condition": "s"}), 0)
    assert full_plan(rule_of({"s": {"CommandLine|contains|all": words}, "condition": "s"})).coverage == 1


@given(rules(), st.sampled_from(SCENARIOS), st.integers(0, 3))
def test_a_cut_rule_is_a_rule_and_no_more_than_is_told(rule: Rule | None, scenario: Any, seed: int) -> None:
    assume(rule is not None)
    assert rule is not None
    try:
        plan = make_plan(rule, seed, scenario)
    except RequestError:
        assume(False)
    assert parse_rule(plan.cut.document).condition == plan.cut.condition
    assert parse_rule(plan.cut.document).conditions == plan.cut.conditions
    assert ways_of(outline_of(plan.cut)) <= MOST_WAYS
    whole = {id(test) for test in field_tests(rule.condition)}
    values = {test.values for test in field_tests(rule.condition)}
    for test in field_tests(plan.cut.condition):
        assert id(test) in whole or test.values not in values
    assert (plan.coverage == 1) == (plan.cut is rule)


def test_cut_rules_of_sigmahq_can_be_written_and_read(sigmahq: list[Rule]) -> None:
    cut = [plan for plan in (make_plan(rule, 7) for rule in sigmahq) if plan.cut is not plan.rule]
    assert 80 < len(cut) < 200
    for plan in cut:
        answer = parse_answer(fenced(to_yaml(plan.cut.document)))
        assert answer.rule is not None
        assert answer.rule.condition == plan.cut.condition


def test_sigmahq_is_told_almost_whole(sigmahq: list[Rule]) -> None:
    plans = [make_plan(rule, 0) for rule in sigmahq]
    assert sum(plan.coverage == 1 for plan in plans) > 0.94 * len(plans)
    without_a_filter = [p for p in plans if any(part.kind == "filter" and not part.disclosed for part in p.parts)]
    assert len(without_a_filter) <= 8


# Scenarios


def test_an_ambiguous_plan_leaves_conditions_and_filters_out() -> None:
    detection = {
        "s": {"EventID": 1, "Image|endswith": "\\a.exe", "User": "u", "CommandLine|contains": ["a", "b", "c", "d"]},
        "filter": {"ParentImage": "C:\\p.exe"},
        "condition": "s and not filter",
    }
    plans = [make_plan(rule_of(detection), seed, "ambiguous") for seed in range(20)]
    assert {plan.scenario for plan in plans} == {"ambiguous"}
    assert all("EventID" in plan.cut.document["detection"]["s"] for plan in plans)
    assert all(0.2 < plan.coverage < 0.9 for plan in plans)
    assert {"filter" in plan.cut.document["detection"] for plan in plans} == {True, False}


def test_partial_data_is_half_of_each_list() -> None:
    detection = {"s": {"Image|endswith": ["\\a", "\\b", "\\c", "\\d", "\\e"], "User": "u"}, "condition": "s"}
    plan = make_plan(rule_of(detection), 0, "partial_data")
    assert len(plan.cut.document["detection"]["s"]["Image|endswith"]) == 3
    assert plan.cut.document["detection"]["s"]["User"] == "u"


@pytest.mark.parametrize("scenario", ["ambiguous", "partial_data", "wrong_detail", "broken_log_source"])
def test_a_rule_that_a_scenario_does_not_suit_gets_the_default_one(scenario: Any) -> None:
    rule = rule_of({"s": {"EventID": 4625}, "condition": "s"}, {"product": "windows", "service": "ntlm"})
    plan = make_plan(rule, 0, scenario)
    assert plan.scenario == "default"
    assert plan.cut is rule


def test_a_broken_log_source_leaves_a_way_to_detect() -> None:
    rule = rule_of({"s": {"Image|endswith": "\\a.exe", "CommandLine|contains": "x"}, "condition": "s"})
    outages = {make_plan(rule, seed, "broken_log_source").outage for seed in range(30)}
    lost = {outage.channels for outage in outages if outage is not None and outage.channels}
    assert lost == {("Security",), ("Microsoft-Windows-Sysmon/Operational",)}
    sysmon_only = rule_of({"s": {"OriginalFileName": "a.exe", "Image|endswith": "\\a.exe"}, "condition": "s"})
    outages = {make_plan(sysmon_only, seed, "broken_log_source").outage for seed in range(30)}
    assert {outage.channels for outage in outages if outage is not None and outage.channels} == {("Security",)}
    assert all("OriginalFileName" not in outage.blank_fields for outage in outages if outage is not None)


def test_a_field_that_has_an_alternative_may_be_empty() -> None:
    rule = rule_of({"s": [{"Image|endswith": "\\a.exe"}, {"OriginalFileName": "a.exe"}], "condition": "s"})
    outages = {make_plan(rule, seed, "broken_log_source").outage for seed in range(30)}
    assert Outage(blank_fields=("OriginalFileName",)) in outages
