"""Proofs that two conditions mean the same: sound on every event, and found where they are needed."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.engines.evaluator import DictEvent
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import LogSource, Rule
from sigma_env.simulation.cases.fold import Folds
from sigma_env.simulation.cases.frame import Frame
from sigma_env.simulation.cases.sameness import Sameness
from sigma_env.simulation.cases.stage import Stage
from sigma_env.simulation.masks import Masks
from sigma_env.simulation.schemas import catalogue
from sigma_env.simulation.sloppy import mutants, shortcuts
from tests.simulation.cases.small import rule_of

SYSMON_1 = catalogue().of_event("Microsoft-Windows-Sysmon/Operational", 1)[0]
TEXTS = ["".join(letters) for n in range(4) for letters in product("ab", repeat=n)]
EVERY_EVENT = [
    DictEvent({"EventID": "1", "CommandLine": one, "ParentCommandLine": other}) for one in TEXTS for other in TEXTS
]

literals = st.text("ab", min_size=1, max_size=2)
lines = st.tuples(
    st.sampled_from(["CommandLine", "ParentCommandLine"]),
    st.sampled_from(["", "|contains", "|startswith", "|endswith", "|contains|all"]),
    st.lists(literals, min_size=1, max_size=3),
).map(lambda line: (line[0] + line[1], line[2]))
maps = st.lists(lines, min_size=1, max_size=2).map(dict)
conditions = st.sampled_from(
    ["s1", "s1 and s2", "s1 or s2", "s1 and not f1", "s1 and s2 and not f1", "s1 and not 1 of f*", "not (s1 or f1)"]
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    detection: dict[str, Any] = {name: draw(maps) for name in ("s1", "s2", "f1", "f2")}
    return rule_of(draw(conditions), **detection)


@settings(max_examples=150)
@given(rules())
def test_what_is_proven_holds_on_every_text(rule: Rule) -> None:
    sameness = Sameness([Frame(SYSMON_1, "process_creation")], Folds())
    masks = Masks(EVERY_EVENT)
    for version in (*mutants(rule), *shortcuts(rule)):
        if "Image" not in version.title and sameness.same(rule.condition, version.rule.condition):
            assert masks.of(rule.condition) == masks.of(version.rule.condition), version.title


def same(one: Rule, other: Rule) -> bool:
    logsource: LogSource = one.logsource
    frames = [Frame(schema, logsource.category) for schema in catalogue().selectable(logsource)]
    newest = [frame for frame in frames if frame.schema.event_id in (1, 5145, 5140, 5136) and frame.schema.version]
    return Sameness(newest or frames, Folds()).same(one.condition, other.condition)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"CommandLine|contains": ["abc", "ab"]}, {"CommandLine|contains": "ab"}),
        ({"CommandLine|contains|all": ["abc", "ab"]}, {"CommandLine|contains": "abc"}),
        ({"CommandLine|endswith": [".bat", "x.bat"]}, {"CommandLine|endswith": ".bat"}),
        ({"Image": ["C:\\a.exe", "https://a/b.exe"]}, {"Image": "C:\\a.exe"}),
        ({"IntegrityLevel": ["High", "S-1-16-12288"]}, {"IntegrityLevel|contains": "High"}),
        ({"Image|endswith": "\\a.exe", "Nowhere": None}, {"Image|endswith": "\\a.exe"}),
    ],
)
def test_lines_that_mean_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    sysmon = {"category": "process_creation", "service": "sysmon"}
    rules = [parse_rule({"logsource": sysmon, "detection": {"s": line, "condition": "s"}}) for line in (one, other)]
    assert same(rules[0], rules[1])


@pytest.mark.parametrize(
    ("filters", "without"),
    [
        ({"f1": {"CommandLine": None}, "f2": {"User": "x"}}, {"f2": {"User": "x"}}),
        ({"f1": {"Image|endswith": "\\b.exe"}, "f2": {"User": "x"}}, {"f2": {"User": "x"}}),
        ({"f2": {"Image|contains": "a.exe", "User": "x"}}, {"f2": {"User": "x"}}),
    ],
)
def test_filters_that_exclude_nothing_and_filter_lines_that_always_hold(
    filters: dict[str, Any], without: dict[str, Any]
) -> None:
    image = {"Image|endswith": "\\a.exe"}
    sysmon = {"category": "process_creation", "service": "sysmon"}
    one, other = (rule_of("s and not 1 of f*", sysmon, s=image, **each) for each in (filters, without))
    assert same(one, other)


SYSMON = {"category": "process_creation", "service": "sysmon"}
A, B, C = {"Image|endswith": "\\a.exe"}, {"CommandLine|contains": " b"}, {"User|contains": "c"}
APPLICATION = {"service": "application"}


@pytest.mark.parametrize(
    ("logsource", "one", "other", "selections"),
    [
        # Whatever b is, one of the two ways is open.
        (SYSMON, "(a and not b) or (a and b and not c)", "(a and not b) or (a and not c)", {"a": A, "b": B, "c": C}),
        # No text that ends as any alternative wants ends as the filter does.
        (
            SYSMON,
            "c and 1 of a_* and not f",
            "c and 1 of a_*",
            {
                "c": C,
                "a_1": {"Image|endswith": ["\\x.exe", "\\y.exe"]},
                "a_2": A | B,
                "f": {"Image|endswith": "\\z.exe"},
            },
        ),
        # The alternative is excluded as a whole, so it does not matter what else it says.
        (
            SYSMON,
            "(c or d) and not a",
            "(c or b) and not a",
            {"a": A, "b": A | B, "c": C, "d": A | {"CommandLine|contains": "d"}},
        ),
        # What is none of the one state is the other.
        (
            {"category": "sysmon_status"},
            "(stop or word) and not start",
            "not start",
            {"stop": {"State": "Stopped"}, "start": {"State": "Started"}, "word": ["changed"]},
        ),
        # Every name of a share begins so.
        (
            {"service": "security"},
            "a and b",
            "b",
            {"a": {"ShareName|startswith": "\\\\\\\\"}, "b": {"EventID": 5145, "ShareName|endswith": "\\IPC$"}},
        ),
    ],
)
def test_conditions_that_agree_whichever_lines_hold(
    logsource: dict[str, str], one: str, other: str, selections: dict[str, Any]
) -> None:
    rule = rule_of(one, logsource, **selections)
    stage = Stage(rule, [rule.condition], catalogue(), Folds())
    assert Sameness(stage.frames, Folds()).same(rule.condition, rule_of(other, logsource, **selections).condition)


@pytest.mark.parametrize(
    ("logsource", "one", "other", "selections"),
    [
        (SYSMON, "(a and not b) or (a and b and not c)", "a and not b", {"a": A, "b": B, "c": C}),
        (SYSMON, "c and not f", "c", {"c": C, "f": A}),
        (
            {"service": "security"},
            "a and b",
            "b",
            {"a": {"ShareName|startswith": "\\\\\\\\srv"}, "b": {"EventID": 5145, "ShareName|endswith": "\\IPC$"}},
        ),
        # A share can be unnamed, and then begins in no way.
        (
            {"service": "security"},
            "a and b",
            "b",
            {"a": {"ShareName|startswith": "\\\\\\\\"}, "b": {"EventID": 5145, "RelativeTargetName": "lsarpc"}},
        ),
        # One element can be the one, another the other.
        (APPLICATION, "a and not f", "a", {"a": {"Data": "MsMpEng.exe"}, "f": {"Data": "mpengine.dll"}}),
        (APPLICATION, "a and b", "a and c", {"a": {"Data": "x"}, "b": {"Data": "y"}, "c": {"Data": "z"}}),
    ],
)
def test_conditions_that_some_event_tells_apart(
    logsource: dict[str, str], one: str, other: str, selections: dict[str, Any]
) -> None:
    rule = rule_of(one, logsource, **selections)
    stage = Stage(rule, [rule.condition], catalogue(), Folds())
    assert not Sameness(stage.frames, Folds()).same(rule.condition, rule_of(other, logsource, **selections).condition)


def test_different_lines_are_not_the_same() -> None:
    one = rule_of("s", s={"Image|endswith": "\\a.exe", "CommandLine|contains": "x"})
    assert not same(one, rule_of("s", s={"Image|endswith": "\\a.exe"}))


def test_an_event_id_is_implied_by_a_field_that_only_its_events_have() -> None:
    security = {"service": "security"}
    one = rule_of("s", security, s={"EventID": 5145, "RelativeTargetName|contains": "x"})
    assert same(one, rule_of("s", security, s={"RelativeTargetName|contains": "x"}))
    share = rule_of("s", security, s={"EventID": 5145, "ShareName|contains": "x"})
    assert not same(share, rule_of("s", security, s={"ShareName|contains": "x"}))
