"""Two conditions count as the same only if no event can tell them apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.engines.evaluator import DictEvent, trace, value_holds
from sigma_env.events.store import EventStore
from sigma_env.scoring.quality.equivalence import same_meaning
from sigma_env.scoring.quality.implication import excludes, implies
from sigma_env.scoring.quality.kinds import Kind, kinds
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Rule, Value
from sigma_env.sigma.tree import field_tests

ANY_EVENT = [Kind(None)]


def rule(condition: str, logsource: dict[str, str] | None = None, **selections: Any) -> Rule:
    detection = {**selections, "condition": condition}
    return parse_rule({"logsource": logsource or {"category": "process_creation"}, "detection": detection})


def same(one: Rule, other: Rule, *, on_schemas: bool = False) -> bool:
    store = EventStore.from_documents([])
    found = list(kinds(one, store, [], simulated=True)) if on_schemas else ANY_EVENT
    assert found
    return same_meaning(one.condition, other.condition, found)


# Written values over a tiny alphabet, so that they meet often.
_TEXTS = st.text("abA*?", min_size=1, max_size=3)
_MODIFIERS = st.sampled_from(["", "contains", "startswith", "endswith", "re", "cased", "contains|cased"])


@st.composite
def values(draw: st.DrawFn) -> Value:
    modifiers = draw(_MODIFIERS)
    text = draw(st.text("abA", min_size=1, max_size=3) if modifiers == "re" else _TEXTS)
    return value_of(modifiers, text)


def value_of(modifiers: str, written: str | int) -> Value:
    field = f"Image|{modifiers}" if modifiers else "Image"
    [test] = field_tests(rule("s", s={field: written}).condition)
    return test.values[0]


def holds(value: Value, text: str) -> bool:
    return any(value_holds(pattern, text) for pattern in value.alternatives)


@given(values(), values(), st.text("abA", max_size=5))
def test_what_is_said_of_two_values_is_true_of_every_text(one: Value, other: Value, text: str) -> None:
    if implies(one, other):
        assert holds(other, text) or not holds(one, text)
    if excludes(one, other):
        assert not (holds(one, text) and holds(other, text))


@pytest.mark.parametrize(
    ("one", "other", "implied", "excluded"),
    [
        ("abc", "abc", True, False),
        ("endswith:xabc", "endswith:abc", True, False),
        ("endswith:abc", "endswith:xabc", False, False),
        ("startswith:abc", "contains:bc", True, False),
        ("startswith:ab", "startswith:ba", False, True),
        ("endswith:ab", "endswith:ba", False, True),
        ("abc", "contains:x", False, True),
        ("abc", "contains:B", True, False),
        ("ab*c", "startswith:A", True, False),
        ("ab*c", "endswith:c", True, False),
        ("10.1.2.3", "cidr:10.0.0.0/8", True, False),
        ("11.1.2.3", "cidr:10.0.0.0/8", False, True),
        ("12", "gt:11", True, False),
        ("12", "lt:11", False, True),
        ("abc", "re:abc", False, False),  # in capitals it would not be found
        ("contains:b", "*", True, False),
        ("contains:netstat*find", "contains:net*find", True, False),
        ("contains:net*find", "contains:netstat*find", False, False),
        ("netstat?find", "net*find", True, False),
        ("net*find", "net?find", False, False),
        ("endswith:x", "?*", False, False),
    ],
)
def test_values_of_each_kind(one: str, other: str, implied: bool, excluded: bool) -> None:
    def value(written: str) -> Value:
        modifier, _, text = written.rpartition(":")
        return value_of(modifier, int(text) if modifier in ("gt", "lt") else text)

    assert implies(value(one), value(other)) == implied
    assert excludes(value(one), value(other)) == excluded


_LINES = st.builds(
    FieldTest,
    st.sampled_from(["Image", "User", None]),
    st.just(()),
    st.lists(values(), min_size=1, max_size=2).map(tuple),
    st.booleans(),
    st.booleans(),
)
_NODES: st.SearchStrategy[Node] = st.recursive(
    _LINES,
    lambda below: st.one_of(
        below.map(Not),
        st.lists(below, min_size=1, max_size=2).map(lambda nodes: And(tuple(nodes))),
        st.lists(below, min_size=1, max_size=2).map(lambda nodes: Or(tuple(nodes))),
    ),
    max_leaves=3,
)
_EVENTS = st.fixed_dictionaries({"Image": st.text("abA", max_size=3), "User": st.text("abA", max_size=3)})


@given(_NODES, _NODES, st.lists(_EVENTS, min_size=1, max_size=8))
def test_what_is_proven_holds_on_every_event(one: Node, other: Node, events: list[dict[str, str]]) -> None:
    if same_meaning(one, other, ANY_EVENT):
        for event in map(DictEvent, events):
            assert trace(one, event).holds == trace(other, event).holds


@given(_NODES, _NODES)
def test_rewritings_of_logic_are_proven(one: Node, other: Node) -> None:
    assert same_meaning(one, Not(Not(one)), ANY_EVENT)
    assert same_meaning(Or((one, And((one, other)))), one, ANY_EVENT)
    assert same_meaning(Not(And((one, other))), Or((Not(one), Not(other))), ANY_EVENT)
    assert not same_meaning(one, Not(one), ANY_EVENT)


def test_an_implied_value_may_go_and_another_may_not() -> None:
    both = rule("s", s={"Image|endswith": [r"\cmd.exe", r"\System32\cmd.exe"], "User": "x"})
    assert same(both, rule("s", s={"Image|endswith": r"\cmd.exe", "User": "x"}))
    assert not same(both, rule("s", s={"Image|endswith": r"\System32\cmd.exe", "User": "x"}))
    assert not same(both, rule("s", s={"Image|endswith": r"\cmd.exe"}))


def test_a_filter_that_cannot_hold_beside_the_selection_may_go() -> None:
    filtered = rule("s and not f", s={"Image|endswith": r"\cmd.exe"}, f={"Image|endswith": r"\calc.exe"})
    selection = rule("s", s={"Image|endswith": r"\cmd.exe"})
    assert same(filtered, selection, on_schemas=True)
    assert not same(filtered, selection)  # of an unknown field with several values, each could have one


def test_what_no_kind_of_event_can_have_may_go() -> None:
    dns = {"category": "dns_query"}
    with_null = rule("s and not f", dns, s={"QueryName": "a.example"}, f={"Image": None})
    assert same(with_null, rule("s", dns, s={"QueryName": "a.example"}), on_schemas=True)
    unknown = rule("s or t", dns, s={"QueryName": "a.example"}, t={"NoSuchField": "x"})
    assert same(unknown, rule("s", dns, s={"QueryName": "a.example"}), on_schemas=True)
    assert not same(unknown, rule("s", dns, s={"QueryName": "a.example"}))


def test_a_text_that_its_field_cannot_hold_may_go() -> None:
    audit = {"product": "windows", "service": "security"}
    changed = {"EventID": 4719, "AuditPolicyChanges": "%%8448"}
    braces = "{0CCE9210-69AE-11D9-BED3-505054503030}"  # readers show a GUID without them
    assert same(
        rule("s and not f", audit, s=changed, f={"SubcategoryGuid": braces}),
        rule("s", audit, s=changed),
        on_schemas=True,
    )
    bare = rule("s and not f", audit, s=changed, f={"SubcategoryGuid": braces.strip("{}")})
    assert not same(bare, rule("s", audit, s=changed), on_schemas=True)
    system = rule("s or t", s={"User": "x"}, t={"Image": "SYSTEM"})  # no path, but what stands for the kernel
    assert not same(system, rule("s", s={"User": "x"}), on_schemas=True)


def test_keywords_look_into_the_unnamed_data_where_nothing_else_could_hold_them() -> None:
    classic = {"product": "windows", "category": "ps_classic_start"}

    def both(line: str, value: str) -> bool:
        named = rule("s", classic, s={f"Data|{line}": value})
        [test] = field_tests(named.condition)
        keywords = named._replace(condition=test._replace(field=None))
        return same(keywords, named, on_schemas=True)

    assert both("contains", "HostApplication=powershell")
    assert both("re", "HostApplication=C:.(Users|Temp)")
    assert not both("contains", "powershell")  # which is in the channel's name
    assert not both("contains", "2026")  # which could be in the time
    assert not both("re", "Host|2026")


def test_registry_events_that_the_category_does_not_mean_are_left_aside() -> None:
    added = {"category": "registry_add"}
    asked = rule("s", added, s={"EventType": ["CreateKey", "CreateValue"], "TargetObject|contains": "x"})
    assert same(asked, rule("s", added, s={"TargetObject|contains": "x"}), on_schemas=True)
    one_kind = rule("s", added, s={"EventType": "CreateKey", "TargetObject|contains": "x"})
    assert not same(one_kind, rule("s", added, s={"TargetObject|contains": "x"}), on_schemas=True)


def test_too_many_combinations_prove_nothing() -> None:
    many = {f"Field{n}": f"value{n}" for n in range(14)}
    one = rule("1 of s*", **{f"s{n}": {name: value} for n, (name, value) in enumerate(many.items())})
    assert not same(one, one)
