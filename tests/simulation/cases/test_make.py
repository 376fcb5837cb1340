"""The events of one rule: what holds on them, and how many of each there are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from typing import Any, ClassVar

import pytest

from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.cases import Cases, make_cases
from sigma_env.simulation.cases.parts import parts_of
from sigma_env.simulation.masks import Masks, iou
from sigma_env.simulation.sloppy import UNGATED, mutants, shortcuts
from sigma_env.simulation.sloppy.ways import excluded_at_least
from tests.simulation.cases.small import COMPANY, SHAPES, by_native_engine, event, full, holds, made, rule_of

NAMES = sorted(SHAPES)


@pytest.fixture(scope="module")
def cases() -> dict[str, Cases]:
    return {name: made(rule) for name, rule in SHAPES.items()}


@pytest.mark.parametrize("name", NAMES)
def test_roles_are_what_both_engines_say(name: str, cases: dict[str, Cases]) -> None:
    rule, drafts = SHAPES[name], cases[name].drafts
    positive = [draft.role == "positive" for draft in drafts]
    assert [holds(rule.condition, draft, rule) for draft in drafts] == positive
    assert by_native_engine(rule, drafts) == positive
    assert sum(positive) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_every_field_that_neither_clock_nor_counters_give_is_there(name: str, cases: dict[str, Cases]) -> None:
    for draft in cases[name].drafts:
        steady = {spec.name or "Data" for spec in draft.schema.fields if not spec.volatile}
        assert steady <= draft.values.keys() <= {spec.name or "Data" for spec in draft.schema.fields}


@pytest.mark.parametrize("name", NAMES)
def test_no_two_events_are_the_same_but_for_times_and_counters(name: str, cases: dict[str, Cases]) -> None:
    seen = Counter(
        (d.schema.name, d.scene.host, *((k, v) for k, v in d.values.items() if not _volatile(d, k)))
        for d in cases[name].drafts
    )
    assert set(seen.values()) == {1}


def _volatile(draft: object, name: str) -> bool:
    return any(spec.volatile and spec.name == name for spec in draft.schema.fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_each_part_excludes_events_that_nothing_else_excludes(name: str, cases: dict[str, Cases]) -> None:
    rule, drafts = SHAPES[name], cases[name].drafts
    positives = sum(draft.role == "positive" for draft in drafts)
    proven = {alike.sloppy.title for alike in cases[name].alike if alike.proven}
    for part in parts_of(rule.condition):
        alone = [draft for draft in drafts if draft.broken == part.title]
        if part.title in proven:
            continue
        assert len(alone) >= excluded_at_least(positives), part.title
        for draft in alone:
            assert draft.role == part.role
            assert holds(part.node, draft, rule) == part.truth
            assert part.rest is None or holds(part.rest, draft, rule)


@pytest.mark.parametrize("name", NAMES)
def test_a_near_miss_is_its_positive_but_for_few_fields(name: str, cases: dict[str, Cases]) -> None:
    by_scene = defaultdict(list)
    for draft in cases[name].drafts:
        if draft.role == "positive":
            by_scene[draft.scene, draft.schema.name].append(draft)
    named = len({test.field for test in field_tests(SHAPES[name].condition)})
    for draft in cases[name].drafts:
        origins = by_scene[draft.scene, draft.schema.name]
        if draft.role != "positive" and origins:
            changed = min(sum(draft.values[k] != p.values.get(k) for k in draft.values) for p in origins)
            assert 1 <= changed <= named + 4


@pytest.mark.parametrize("name", NAMES)
def test_wrong_versions_are_told_apart_or_proven_to_mean_the_same(name: str, cases: dict[str, Cases]) -> None:
    rule, made_of = SHAPES[name], cases[name]
    proven = {(alike.sloppy.kind, alike.sloppy.title) for alike in made_of.alike if alike.proven}
    masks = Masks([event(draft, rule) for draft in made_of.drafts])
    true = masks.of(rule.condition)
    alive = [
        (version.kind, version.title)
        for version in (*mutants(rule), *shortcuts(rule))
        if version.kind not in UNGATED and (version.kind, version.title) not in proven
        if iou(masks.of(version.rule.condition), true) >= 0.9
    ]
    assert alive == []


def test_each_of_very_many_parts_excludes_a_third_of_the_positives() -> None:
    pairs = {f"s_{n}": {"CommandLine|contains|all": [f" --make{n}", f" --kind{n}", f" --like{n}"]} for n in range(16)}
    rule = rule_of("1 of s_*", **pairs)
    drafts = made(rule).drafts
    masks = Masks([event(draft, rule) for draft in drafts])
    true = masks.of(rule.condition)
    parts = [part for part in parts_of(rule.condition) if part.rest is not None]
    assert len(parts) == 48
    alone = [(masks.of(part.rest) & ~true).bit_count() for part in parts if part.rest is not None]
    assert min(alone) >= excluded_at_least(true.bit_count()) >= 6


def test_a_filter_that_is_one_of_several_ways_excludes_by_itself() -> None:
    rule = rule_of(
        "s and (not f or x)",
        s={"Image|endswith": "\\a1.exe"},
        f={"User|endswith": "\\svc_sql"},
        x={"CommandLine|contains": " /z9"},
    )
    (part,) = [part for part in parts_of(rule.condition) if part.title == "f"]
    drafts = [draft for draft in made(rule).drafts if draft.broken == "f"]
    assert len(drafts) >= 3
    assert part.rest is not None
    assert all(holds(part.rest, draft, rule) and not holds(rule.condition, draft, rule) for draft in drafts)


def test_values_of_a_list_are_used_evenly() -> None:
    rule = rule_of("s", s={"CommandLine|contains": [f"--mode{i}x" for i in range(9)]})
    (line,) = field_tests(rule.condition)
    drafts = [draft for draft in made(rule).drafts if draft.role == "positive"]
    alone = [line._replace(values=(value,)) for value in line.values]
    assert [sum(holds(one, draft, rule) for draft in drafts) for one in alone] == [1] * 9


def test_values_of_a_filter_are_used_evenly() -> None:
    rule = rule_of("s and not f", s={"Image|endswith": "\\x.exe"}, f={"User|contains": ["adm", "svc", "SYSTEM"]})
    line = list(field_tests(rule.condition))[1]
    drafts = [draft for draft in made(rule).drafts if draft.role == "filtered"]
    alone = [line._replace(values=(value,)) for value in line.values]
    assert all(any(holds(one, draft, rule) for draft in drafts) for one in alone)


def test_process_starts_are_logged_by_sysmon_and_by_security() -> None:
    rule = rule_of("s", s={"Image|endswith": "\\x.exe", "CommandLine|contains": [f"-v{i}" for i in range(9)]})
    channels = Counter(draft.schema.event_id for draft in made(rule).drafts if draft.role == "positive")
    assert channels[1] > channels[4688] > 0


@pytest.mark.parametrize(
    ("category", "types"),
    [("registry_add", {"CreateKey", "CreateValue"}), ("registry_delete", {"DeleteKey", "DeleteValue"})],
)
def test_registry_events_are_what_the_category_says(category: str, types: set[str]) -> None:
    rule = rule_of("s", {"category": category}, s={"TargetObject|contains": "\\Terminal Server Client\\"})
    assert {draft.values["EventType"] for draft in made(rule).drafts if draft.role == "positive"} == types


def test_near_misses_of_registry_events_are_what_the_category_says_too() -> None:
    line = {"EventType": "CreateKey", "TargetObject|contains": "\\Terminal Server Client\\"}
    drafts = made(rule_of("s", {"category": "registry_add"}, s=line)).drafts
    assert {draft.values["EventType"] for draft in drafts} == {"CreateKey", "CreateValue"}
    assert sum(draft.broken == "s.EventType" for draft in drafts) >= 3


def test_4688_is_left_out_where_it_lacks_a_field_of_the_rule() -> None:
    rule = rule_of("s", s=[{"Image|endswith": "\\x.exe"}, {"OriginalFileName": "x.exe"}])
    assert {draft.schema.event_id for draft in made(rule).drafts} == {1}


def test_the_account_of_a_4688_is_told_by_its_own_fields() -> None:
    rule = rule_of("s", {"category": "process_creation", "service": "security"}, s={"User|endswith": "\\svc_backup"})
    drafts = made(rule).drafts
    assert {draft.schema.event_id for draft in drafts} == {4688}
    assert {draft.values["SubjectUserName"] for draft in drafts if draft.role == "positive"} == {"svc_backup"}


def test_the_same_arguments_give_the_same_events_and_another_seed_others() -> None:
    rule = SHAPES["filters"]
    assert made(rule).drafts == made(rule).drafts
    assert made(rule).drafts != made(rule, seed=1).drafts


@pytest.mark.parametrize("name", NAMES)
def test_no_positive_stands_alone_in_its_scene(name: str, cases: dict[str, Cases]) -> None:
    scenes = {draft.scene for draft in cases[name].drafts if draft.role != "positive"}
    assert {draft.scene for draft in cases[name].drafts if draft.role == "positive"} <= scenes


def test_each_literal_stands_in_a_sibling_field_once_while_its_own_line_fails() -> None:
    words = ["alpha-one", "beta-two", "gamma-three"]
    rule = rule_of("s", s={"Image|endswith": "\\x.exe", "CommandLine|contains": words})
    drafts = [draft for draft in made(rule).drafts if draft.broken == "s.CommandLine|contains"]
    for word in words:
        assert any(word in str(draft.values.get("ParentCommandLine")) for draft in drafts)
    assert not any(word in str(draft.values["CommandLine"]).lower() for word in words for draft in drafts)


def test_every_process_makes_the_same_events() -> None:
    code = (
        "from tests.simulation.cases.small import SHAPES, made;"
        "print([[(d.schema.name, sorted(d.values.items()), d.scene, d.role, d.broken) for d in made(SHAPES[n]).drafts]"
        " for n in ('filters', 'list of maps', 'keywords')])"
    )
    texts = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        texts.add(ran.stdout)
    assert len(texts) == 1


class TestUnnamedData:
    """A line holds on `Data` if any of its elements satisfies it: what is wanted together stands in several."""

    CRASH: ClassVar[dict[str, Any]] = {"Provider_Name": "Application Error", "EventID": 1000}

    def test_whole_values_stand_in_elements_of_their_own(self) -> None:
        wanted = ["MsMpEng.exe", "mpengine.dll", "c0000005"]
        rule = rule_of("s", {"service": "application"}, s={**self.CRASH, "Data|all": wanted})
        found = made(rule)
        positives = [draft for draft in found.drafts if draft.role == "positive"]
        assert len(positives) == 6
        assert all(set(wanted) <= set(draft.values["Data"]) for draft in positives)
        assert by_native_engine(rule, found.drafts) == [draft.role == "positive" for draft in found.drafts]
        for value in wanted:
            alone = [draft for draft in found.drafts if draft.broken == f"s.Data|all: {value!r}"]
            assert len(alone) >= 3
            assert all(set(wanted) - set(draft.values["Data"]) == {value} for draft in alone)

    def test_lines_of_several_selections_too_and_a_filter_looks_at_all(self) -> None:
        rule = rule_of(
            "a and b and not f",
            {"service": "application"},
            a={**self.CRASH, "Data": "MsMpEng.exe"},
            b={"Data|endswith": "\\mpengine.dll"},
            f={"Data": "c0000409"},
        )
        drafts = made(rule).drafts
        assert sum(draft.role == "positive" for draft in drafts) == 6
        filtered = [draft for draft in drafts if draft.role == "filtered"]
        assert len(filtered) >= 3
        assert all({"MsMpEng.exe", "c0000409"} <= set(draft.values["Data"]) for draft in filtered)

    def test_what_is_asked_for_stands_where_it_is_most_at_home(self) -> None:
        rule = rule_of(
            "s", {"category": "ps_classic_start"}, s={"Data|contains|all": ["HostName=Default Host", "-bxor"]}
        )
        for draft in made(rule).drafts:
            if draft.role == "positive":
                *others, text = draft.values["Data"]
                assert others == ["Available", "None"]
                assert "HostName=Default Host" in text
                assert "-bxor" in text

    def test_several_keywords_are_found_in_one_event(self) -> None:
        rule = rule_of("k", {"service": "application"}, k={"|all": ["Mimikatz", "Cobalt Strike", "sekurlsa"]})
        assert sum(draft.role == "positive" for draft in made(rule).drafts) == 6


class TestEachWay:
    @staticmethod
    def made(rule: Rule) -> Cases:
        return make_cases(full(rule), COMPANY, 0, each_way=True)

    def test_every_value_and_alternative_has_a_positive(self) -> None:
        rule = rule_of(
            "1 of s_*",
            s_long={"CommandLine|contains": [f"--mode{n}x" for n in range(40)]},
            s_two={"Image|endswith": ["\\a1.exe", "\\b2.exe"], "CommandLine|contains": [" -q9", " -r9", " -s9"]},
        )
        found = self.made(rule)
        drafts = [draft for draft in found.drafts if draft.role == "positive"]
        lines = [line._replace(values=(value,)) for line in field_tests(rule.condition) for value in line.values]
        assert all(any(holds(line, draft, rule) for draft in drafts) for line in lines)
        assert found.unsatisfiable == ()
        assert 43 <= len(drafts) <= 43 + 29

    def test_kinds_of_events_count_as_ways(self) -> None:
        ids = [4720, 4722, 4723, 4724, 4726, 4738, 4781, 4794, 5376, 4624, 4625, 4634]
        found = self.made(rule_of("s", {"service": "security"}, s={"EventID": ids}))
        assert {draft.schema.event_id for draft in found.drafts if draft.role == "positive"} == set(ids)

    def test_what_no_event_can_show_is_listed(self) -> None:
        found = self.made(rule_of("s", {"service": "security"}, s={"EventID": [4720, 9999]}))
        ((branch, reason, _),) = found.unsatisfiable
        assert (branch, reason) == ("s.EventID: 9999", "schema")

    def test_what_is_beyond_the_bound_is_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sigma_env.simulation.cases.make.MOST_WAYS", 30)
        rule = rule_of("s", s={"CommandLine|contains": [f"--mode{n}x" for n in range(80)]})
        found = self.made(rule)
        (line,) = field_tests(rule.condition)
        positives = [draft for draft in found.drafts if draft.role == "positive"]
        shown = {v.written for v in line.values if any(holds(line._replace(values=(v,)), d, rule) for d in positives)}
        listed = {each.branch for each in found.unsatisfiable if each.reason == "too many ways"}
        assert listed == {f"s.CommandLine|contains: '{v.written}'" for v in line.values if v.written not in shown}
        assert listed

    def test_a_rule_that_is_cut_for_its_length_is_shown_whole(self) -> None:
        rule = rule_of("s", s={"CommandLine|contains": [f"--mode{n}x" for n in range(50)]})
        cut = rule_of("s", s={"CommandLine|contains": [f"--mode{n}x" for n in range(9)]})
        drafts = make_cases(full(rule, cut), COMPANY, 0, each_way=True).drafts
        (line,) = field_tests(rule.condition)
        positives = [draft for draft in drafts if draft.role == "positive"]
        assert all(any(holds(line._replace(values=(v,)), d, rule) for d in positives) for v in line.values)


class TestDisclosure:
    RULE = rule_of("s", s={"Image|endswith": ["\\a1.exe", "\\b2.exe", "\\c3.exe"], "CommandLine|contains": "-x9"})
    CUT = rule_of("s", s={"Image|endswith": ["\\a1.exe", "\\b2.exe"], "CommandLine|contains": "-x9"})

    def test_every_event_is_decided_by_what_is_disclosed(self) -> None:
        for draft in made(self.RULE, self.CUT).drafts:
            assert holds(self.RULE.condition, draft, self.RULE) == holds(self.CUT.condition, draft, self.RULE)

    def test_what_is_not_disclosed_is_met_by_positives(self) -> None:
        cut = rule_of("s", s={"Image|endswith": ["\\a1.exe", "\\b2.exe", "\\c3.exe"]})
        positives = [draft for draft in made(self.RULE, cut).drafts if draft.role == "positive"]
        assert len(positives) == 6
        assert all(holds(self.RULE.condition, draft, self.RULE) for draft in positives)


class TestVisible:
    RULE = SHAPES["lines"]

    def test_examples_share_no_host_and_user_with_other_positives(self) -> None:
        drafts = [draft for draft in made(self.RULE, visible=2).drafts if draft.role == "positive"]
        shown = [draft for draft in drafts if draft.visible]
        hidden = [draft for draft in drafts if not draft.visible]
        assert len(shown) == 2
        assert not {d.scene.host for d in shown} & {d.scene.host for d in hidden}
        assert not {d.scene.user for d in shown} & {d.scene.user for d in hidden}

    def test_two_near_misses_share_them(self) -> None:
        drafts = made(self.RULE, visible=1).drafts
        (shown,) = [draft for draft in drafts if draft.visible]
        near = [draft for draft in drafts if draft.role != "positive" and draft.scene == shown.scene]
        assert len(near) >= 2

    def test_other_events_are_the_same_with_and_without(self) -> None:
        without = made(self.RULE).drafts
        assert made(self.RULE, visible=1).drafts[: len(without)] == without


class TestUnsatisfiable:
    def test_no_event_of_the_logsource_has_the_field(self) -> None:
        made_of = made(rule_of("s", {"category": "dns_query"}, s={"DestinationPort": 53}))
        assert made_of.drafts == ()
        assert [each.reason for each in made_of.unsatisfiable] == ["schema"]

    def test_a_field_that_cannot_hold_the_value(self) -> None:
        made_of = made(rule_of("s", s={"Image": ["C:\\Tools\\x.exe", "https://example.org/x.exe"]}))
        (each,) = made_of.unsatisfiable
        assert each.reason == "implausible value"
        assert each.branch == "s.Image: 'https://example.org/x.exe'"
        assert sum(draft.role == "positive" for draft in made_of.drafts) == 6

    def test_a_condition_that_nothing_satisfies(self) -> None:
        made_of = made(rule_of("s and not f", s={"Image|endswith": "\\x.exe"}, f={"Image|contains": "x"}))
        assert made_of.drafts == ()
        assert made_of.unsatisfiable


class TestAlike:
    def test_what_follows_from_the_rest_is_proven(self) -> None:
        rule = rule_of("s", {"service": "security"}, s={"EventID": 5145, "RelativeTargetName|contains": "svcctl"})
        (alike,) = [each for each in made(rule).alike if each.sloppy.kind == "condition"]
        assert alike.proven
        assert alike.sloppy.title == "s.EventID"

    def test_a_filter_on_a_field_that_is_always_there_is_proven(self) -> None:
        alike = made(SHAPES["empty and null filters"]).alike
        assert {(each.sloppy.title, each.proven) for each in alike if each.sloppy.kind == "filter"} == {
            ("f_null", True)
        }


def test_hosts_of_the_events_are_the_companys() -> None:
    assert {draft.scene.host for draft in made(SHAPES["all of"]).drafts} <= COMPANY.hosts.keys()


def test_a_plan_of_everything_is_full() -> None:
    assert full(SHAPES["list"]).cut is SHAPES["list"]
