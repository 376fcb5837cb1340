"""Wrong versions of a rule: which there are, and that each says what its title promises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from sigma_env.engines.evaluator import DictEvent
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.masks import Masks
from sigma_env.simulation.sloppy import from_example, mutants, shortcuts
from sigma_env.simulation.sloppy.tree import bare, places, same_tree
from sigma_env.simulation.sloppy.ways import excluded, groups, positives, shares, ways
from tests.engines.strategies import documents, events


def rule_of(condition: str, **detection: Any) -> Rule:
    return parse_rule(
        {"logsource": {"category": "process_creation"}, "detection": {**detection, "condition": condition}}
    )


def rule_or_none(document: dict[str, Any]) -> Rule | None:
    try:
        return parse_rule(document)
    except RuleError:
        return None


CERTUTIL = rule_of(
    "all of selection_* and not 1 of filter_*",
    selection_img=[{"Image|endswith": "\\certutil.exe"}, {"OriginalFileName": "CertUtil.exe"}],
    selection_cli={"CommandLine|contains|all": ["-urlcache", "http"]},
    filter_parent={"ParentImage|endswith": "\\sccm.exe", "User|contains": "SYSTEM"},
    filter_path={"Image|startswith": "C:\\Tools\\"},
)


def titles(rule: Rule, kind: str) -> list[str]:
    return [version.title for version in (*mutants(rule), *shortcuts(rule)) if version.kind == kind]


def matched(rule: Rule, *rows: dict[str, str]) -> list[bool]:
    found = Masks([DictEvent(row) for row in rows]).of(rule.condition)
    return [bool(found >> i & 1) for i in range(len(rows))]


def version(rule: Rule, kind: str, title: str) -> Rule:
    (found,) = [v.rule for v in (*mutants(rule), *shortcuts(rule)) if v.kind == kind and v.title == title]
    return found


def test_each_condition_and_each_value_of_an_all_is_left_out_once() -> None:
    assert titles(CERTUTIL, "condition") == [
        "selection_img",
        "selection_cli",
        "selection_cli.CommandLine|contains|all: '-urlcache'",
        "selection_cli.CommandLine|contains|all: 'http'",
    ]
    assert titles(CERTUTIL, "dropped_condition") == titles(CERTUTIL, "condition")


def test_each_filter_is_left_out_alone_and_all_of_them_together() -> None:
    assert titles(CERTUTIL, "filter") == ["(filter_parent or filter_path)", "filter_parent", "filter_path"]


def test_a_filter_without_one_of_its_lines_excludes_more() -> None:
    assert titles(CERTUTIL, "filter_line") == ["filter_parent.ParentImage|endswith", "filter_parent.User|contains"]
    broader = version(CERTUTIL, "filter_line", "filter_parent.User|contains")
    row = {"Image": "D:\\certutil.exe", "CommandLine": "-urlcache http", "ParentImage": "C:\\sccm.exe", "User": "x"}
    assert matched(CERTUTIL, row) == [True]
    assert matched(broader, row) == [False]


def test_alternatives_are_left_out() -> None:
    assert titles(CERTUTIL, "alternative") == [
        "selection_img.Image|endswith",
        "selection_img.OriginalFileName",
    ]


def test_and_becomes_or_between_selections_but_filters_stay() -> None:
    (title,) = titles(CERTUTIL, "and_or")
    either = version(CERTUTIL, "and_or", title)
    rows = [
        {"Image": "D:\\certutil.exe", "CommandLine": "x"},
        {"Image": "D:\\x.exe", "CommandLine": "-urlcache http"},
        {"Image": "C:\\Tools\\certutil.exe", "CommandLine": "-urlcache http"},
    ]
    assert matched(CERTUTIL, *rows) == [False, False, False]
    assert matched(either, *rows) == [True, True, False]


def test_or_becomes_and_between_selections() -> None:
    rule = rule_of("1 of s*", s1={"Image": "a"}, s2={"CommandLine": "b"})
    (title,) = titles(rule, "and_or")
    assert matched(version(rule, "and_or", title), {"Image": "a"}, {"Image": "a", "CommandLine": "b"}) == [False, True]


def test_all_becomes_any() -> None:
    loose = version(CERTUTIL, "all_to_any", "selection_cli.CommandLine|contains|all")
    assert matched(loose, {"Image": "\\certutil.exe", "CommandLine": "-urlcache"}) == [True]


def test_a_not_is_removed() -> None:
    rule = rule_of("s and not f", s={"Image": "a"}, f={"User": "b"})
    (title,) = titles(rule, "not_removed")
    rows = [{"Image": "a"}, {"Image": "a", "User": "b"}]
    assert matched(version(rule, "not_removed", title), *rows) == [False, True]


def test_few_values_are_left_out_one_by_one_and_many_in_groups_of_a_ninth() -> None:
    few = rule_of("s", s={"Image": [f"v{i}" for i in range(8)]})
    assert len(titles(few, "values")) == 8
    many = rule_of("s", s={"Image": [f"v{i}" for i in range(24)]})
    assert len(titles(many, "values")) == 8
    assert titles(many, "values")[0] == "s.Image: 'v0', 'v1', 'v2'"


def test_values_of_a_filter_are_left_out_in_three_groups() -> None:
    rule = rule_of("s and not f", s={"User": "x"}, f={"Image": [f"v{i}" for i in range(9)]})
    assert titles(rule, "values") == [
        "f.Image: 'v0', 'v1', 'v2'",
        "f.Image: 'v3', 'v4', 'v5'",
        "f.Image: 'v6', 'v7', 'v8'",
    ]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("keywords", {"Image": "x", "ParentCommandLine": "\\certutil.exe -urlcache http"}),
        ("contains", {"Image": "C:\\certutil.exe\\x.exe", "CommandLine": "-urlcache http"}),
        ("one_selection", {"CommandLine": "-urlcache http"}),
        ("one_literal", {"CommandLine": "http"}),
        ("event_id", {"Image": "x"}),
        ("dropped_filter", {"Image": "C:\\Tools\\certutil.exe", "CommandLine": "-urlcache http"}),
        ("sibling_field", {"ParentImage": "x\\certutil.exe", "CommandLine": "-urlcache http"}),
    ],
)
def test_a_shortcut_takes_an_event_that_the_rule_refuses(kind: str, row: dict[str, str]) -> None:
    assert matched(CERTUTIL, row) == [False]
    assert any(matched(v.rule, row) == [True] for v in shortcuts(CERTUTIL) if v.kind == kind)


def test_a_rule_of_one_line_has_no_shortcut_that_says_the_same() -> None:
    rule = rule_of("s", s={"Image|contains": "mimikatz"})
    assert {v.kind for v in shortcuts(rule)} == {"event_id", "keywords", "sibling_field"}


def test_event_id_alone_keeps_what_the_rule_says_of_the_events_type() -> None:
    rule = rule_of("s", s={"EventID": [4624, 4625], "LogonType": 3})
    alone = version(rule, "event_id", "event type alone")
    assert [test.field for test in field_tests(alone.condition)] == ["EventID"]
    assert matched(alone, {"EventID": "4624"}, {"EventID": "1"}) == [True, False]


def test_the_example_alone() -> None:
    assert matched(from_example(CERTUTIL, "Hash", "AB").rule, {"Hash": "ab"}, {"Hash": "b"}) == [True, False]


def test_unchanged_lines_are_shared_with_the_rule() -> None:
    lines = {id(test) for test in field_tests(CERTUTIL.condition)}
    for changed in mutants(CERTUTIL):
        if changed.kind in ("condition", "filter", "filter_line", "alternative", "not_removed"):
            assert {id(test) for test in field_tests(changed.rule.condition)} <= lines | {
                id(test) for test in field_tests(changed.rule.condition) if len(test.values) == 1
            }


@settings(max_examples=60)
@given(documents().map(rule_or_none).filter(bool), events())
def test_every_version_is_a_condition_that_can_be_run_and_leaves_the_rule_as_it_was(
    rule: Rule, rows: list[dict[str, Any]]
) -> None:
    seen = [DictEvent(row) for row in rows]
    before = Masks(seen).of(rule.condition)
    masks = Masks(seen)
    for changed in (*mutants(rule), *shortcuts(rule)):
        masks.of(changed.rule.condition)
        if changed.kind in ("contains", "one_literal"):
            assert not same_tree(bare(changed.rule.condition), bare(rule.condition))
    assert masks.of(rule.condition) == before


@settings(max_examples=60)
@given(documents().map(rule_or_none).filter(bool))
def test_putting_a_node_back_in_its_place_gives_the_rule(rule: Rule) -> None:
    for place in places(rule.condition):
        rebuilt = place.rebuild(place.node)
        assert rebuilt is not None
        assert same_tree(rebuilt, rule.condition)


def test_trees_of_other_kinds_are_not_the_same() -> None:
    both, either = (rule_of(word, a={"Image": "x"}, b={"User": "y"}).condition for word in ("a and b", "a or b"))
    assert both == either  # as tuples
    assert not same_tree(both, either)
    null, any_text = (rule_of("s", s={"Image": value}).condition for value in (None, "*"))
    assert not same_tree(null, any_text)


class TestWays:
    def test_the_longest_list_of_each_alternative_counts(self) -> None:
        rule = rule_of(
            "1 of s*", s1={"Image": ["a", "b", "c"], "User": ["x", "y"]}, s2={"CommandLine|contains|all": ["p", "q"]}
        )
        assert ways(rule.condition) == 4

    def test_positives_are_few_or_a_multiple_of_nine(self) -> None:
        counts = [positives(rule_of("s", s={"Image": [f"v{i}" for i in range(n)]}).condition) for n in (1, 7, 12, 40)]
        assert counts == [6, 9, 18, 27]

    @pytest.mark.parametrize("n", range(1, 31))
    def test_a_third_more_events_make_leaving_a_part_out_cost_a_quarter(self, n: int) -> None:
        assert n / (n + excluded(n)) <= 0.75
        assert n / (n + excluded(n) // 3) < 0.9

    @pytest.mark.parametrize(("n", "share"), [(1, 0.222), (4, 0.125)])
    def test_a_rare_alternative_gets_two_ninths_or_among_many_an_eighth(self, n: int, share: float) -> None:
        rare = {f"s{i}": {"User": f"x{i}"} for i in range(n)}
        rule = rule_of("1 of s*", s_long={"Image": [f"v{i}" for i in range(20)]}, **rare)
        share_of = shares(rule.condition)
        long, *others = field_tests(rule.condition)
        assert [share_of[id(test)] for test in others] == pytest.approx([share] * n)
        assert share_of[id(long)] == pytest.approx(1 - n * share)

    def test_what_cannot_be_divided_is_not(self) -> None:
        assert groups([0.05, 0.05], negated=False) == []
        assert groups([1.0], negated=True) == []
