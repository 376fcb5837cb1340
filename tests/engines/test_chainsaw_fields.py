"""Casts and paths as names of fields, and anchors of YAML, as Chainsaw has them; what is not known of it is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sigma_env.engines.base import Matches
from sigma_env.engines.judge import judge
from sigma_env.engines.mapped_fields import MappedFields, mapped_store
from sigma_env.engines.native import NativeEngine
from sigma_env.engines.switched_show import tree
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.chainsaw_tree import Program
from sigma_env.sigma.files import LoadedRule, parse_rule_text
from sigma_env.sigma.switches import CHAINSAW, Switch

HEADER = "title: t\ndescription: d\nlogsource: {category: process_creation}\ndetection: "


def document(section: str = "EventData", **data: Any) -> dict[str, Any]:
    system = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "Task": 3,
        "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"},
        "TimeCreated_attributes": {"SystemTime": "2026-01-01T00:00:00.000000Z"},
    }
    return {"Event": {"System": system, section: data}}


def load(detection: str, on: frozenset[Switch] = CHAINSAW) -> LoadedRule:
    (loaded,) = parse_switched_text(HEADER + detection, Path("rule.yml"), on)
    return loaded


def matched(detection: str, *documents: dict[str, Any]) -> list[int]:
    """Numbers of the events that a rule matches; its tests one by one say the same."""
    rule = load(detection).rule
    assert rule is not None, load(detection).reason
    store = EventStore.from_documents(documents)
    (found,) = NativeEngine("chainsaw").match([rule], store)
    assert isinstance(found, Matches)
    rows = found.rows(store).tolist()
    assert rows == [row for row in range(store.n_events) if judge(rule, store, row, CHAINSAW).matches]
    return sorted(ref.position for ref in store.refs(rows))


VALUES: list[Any] = ["5", "+5", " 5", "0x5", "x", 5, 6, 5.4, 4.5, -5, True, None, ["5", "5"], "-5", 2**63]
EVENTS = [document(), *(document(Image=value) for value in VALUES)]


def values(detection: str) -> list[Any]:
    """The values of Image that a rule matches, "absent" for none."""
    return [(["absent", *VALUES])[i] for i in matched(detection, *EVENTS)]


@pytest.mark.parametrize(
    ("detection", "wanted"),
    [
        # A number, and a text that is one, a float rounded, a boolean as 0 or 1; nothing else is equal to a number.
        ("{s: {int(Image): 5}, condition: s}", ["5", "+5", 5, 5.4, 4.5]),
        ("{s: {int(Image): 1}, condition: s}", [True]),
        ("{s: {int(Image): [6, -5]}, condition: s}", [6, -5, "-5"]),
        ("{s: {int(Image): '>5'}, condition: s}", [6, 2**63]),
        ("{s: {'int( Image )': 5}, condition: s}", ["5", "+5", 5, 5.4, 4.5]),
        ("{s: {Image: 5}, condition: s}", [5]),
        # Its negation is false only where the field is absent.
        (
            "{s: {int(Image): 5}, condition: not s}",
            [" 5", "0x5", "x", 6, -5, True, None, ["5", "5"], "-5", 2**63],
        ),
        ("{s: {not(int(Image)): '<6'}, condition: s}", [" 5", "0x5", "x", 6, None, ["5", "5"], 2**63]),
        # The same in a condition.
        ("{s: {EventID: 1}, condition: s and int(Image) == 5}", ["5", "+5", 5, 5.4, 4.5]),
        ("{s: {EventID: 1}, condition: s and not int(Image) < 6}", [" 5", "0x5", "x", 6, None, ["5", "5"], 2**63]),
        # A text as which a number, a boolean or an element of a list is written; null is none.
        ("{s: {str(Image): '5'}, condition: s}", ["5", 5, ["5", "5"]]),
        ("{s: {str(Image)|startswith: '5'}, condition: s}", ["5", 5, 5.4, ["5", "5"]]),
        ("{s: {str(Image): 'TRUE'}, condition: s}", [True]),
        ("{s: {str(Image)|contains: '5'}, condition: not s}", ["x", 6, True]),
        ("{s: {str(Image): ['x', '6']}, condition: s}", ["x", 6]),
    ],
)
def test_casts(detection: str, wanted: list[Any]) -> None:
    assert [repr(value) for value in values(detection)] == [repr(value) for value in wanted]


def test_floats_are_written_without_exponent() -> None:
    events = [document(Image=value) for value in (1.0, 1e21, 0.000001, 1.5)]
    assert matched("{s: {str(Image): ['1', '1000000000000000000000', '0.000001', '1.5']}, condition: s}", *events) == [
        0,
        1,
        2,
        3,
    ]


def test_a_field_counts_its_texts() -> None:
    events = [document(Image=text) for text in ("ab", "a", "bc", "x", 5)] + [document()]
    of = "{s: {'of(Image, LEAST)|contains': [a, b, c]}, condition: CONDITION}"
    for least, wanted, otherwise in (
        (1, [0, 1, 2], [3]),
        (2, [0, 2], [1, 3]),
        (3, [], [0, 1, 2, 3]),
        (0, [3], [0, 1, 2]),
    ):
        rule = of.replace("LEAST", str(least))
        assert matched(rule.replace("CONDITION", "s"), *events) == wanted
        assert matched(rule.replace("CONDITION", "not s"), *events) == otherwise


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        (
            "{s: {int(Image): x}, condition: s}",
            "field 'int(Image)': what this cast makes of these values is not served",
        ),
        ("{s: {int(Image): true}, condition: s}", "not served"),
        ("{s: {int(Image): [5, null]}, condition: s}", "not served"),
        ("{s: {int(Image)|all: [5, 6]}, condition: s}", "not served"),
        ("{s: {str(Image): 5}, condition: s}", "not served"),
        ("{s: {str(Image)|contains|all: [a, b]}, condition: s}", "not served"),
        ("{s: {flt(Image): 5}, condition: s}", "not served"),
        ("{s: {all(Image): [a, b]}, condition: s}", "not served"),
        ("{s: {'of(Image, 1)': a}, condition: s}", "not served"),
        ("{s: {'of(Image, 1)|re': [a, b]}, condition: s}", "not served"),
        ("{s: {EventID: 1}, condition: s and str(Image) == 5}", "is only served as int(field)"),
        ("{s: {EventID: 1}, condition: s and int(Image)}", "is only served as int(field)"),
        ("{s: {int(a-b): 5}, condition: s}", "failed to tokenise field 'int(a-b)'"),
        (
            "{a: {int(Image): 5, Company: z}, b: {Image: x}, c: {User: y}, condition: a or b or c}",
            "a cast within a table of the optimiser is not served",
        ),
        ("{s: {Event.Nope.Event.System.EventID: 1}, condition: s}", "looked up again from the root"),
        ("{s: {int(Event.Nope.Event.System.EventID): 1}, condition: s}", "looked up again from the root"),
        ("{s: {EventID: 1}, condition: s and int(Nope.Event.System.EventID) == 1}", "looked up again from the root"),
        ("{s: {EventID: 1}, condition: s | count(Nope.Event.System.EventID) > 1}", "looked up again from the root"),
        ("{s: {'Event.EventData.Data.#text[0]': x}, condition: s}", "an element of a list is not served"),
        ("{s: {Event_attributes.xmlns: x}, condition: s}", "attributes of the root are not kept"),
        ("{s: {Event.EventData.Data: x}, condition: s}", "only single values are served"),
        ("{s: {Event.EventData.A.B: x}, condition: s}", "only single values are served"),
        ("{s: {Event.RenderingInfo.Message: x}, condition: s}", "only paths below"),
        # What a configuration made of an event is no evidence, whichever way leads to it.
        ("{s: {Event.EventData.RuleName: x}, condition: s}", "can't be matched"),
        ("{s: {str(Event.EventData.RuleName): x}, condition: s}", "can't be matched"),
        ("{s: {EventID: 1}, condition: s and int(Event.EventData.RuleName) == 5}", "can't be matched"),
        ("{s: {Event.UserData: x}, condition: s}", "a whole section is not served"),
    ],
)
def test_what_is_not_known_is_refused(detection: str, reason: str) -> None:
    loaded = load(detection)
    assert loaded.rule is None
    assert reason in (loaded.reason or "")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Event.System.Task: 3", True),
        ("Event.System.Provider: Microsoft-Windows-Sysmon", True),
        ("Event.System.Provider_attributes.Name: Microsoft-Windows-Sysmon", True),
        ("Event.System.TimeCreated|startswith: '2026'", True),
        ("Event.System.Provider_Name: Microsoft-Windows-Sysmon", False),
        ("Event.System.EventID.Deeper: 1", False),
        ("Event.EventData.Company: x", True),
        ("Company: x", True),
        ("Event.EventData.Odd: x", True),
        ("Odd: x", False),
        ("Nowhere.At.All: x", False),
        ("Event.UserData.Some.Thing: x", False),
        ("Event.UserData.Xml.Company: x", False),
    ],
)
def test_paths(path: str, found: bool) -> None:
    assert matched(f"{{s: {{{path}}}, condition: s}}", document(Company="x", Odd="x")) == ([0] if found else [])


def test_values_without_a_name_are_found_below_text() -> None:
    events = [document(Data={"#text": ["foo", "x"]}), document(Data={"#text": "foo"}), document(Image="foo")]
    assert matched("{s: {'Event.EventData.Data.#text': foo}, condition: s}", *events) == [0, 1]
    assert matched("{s: {Data: foo}, condition: s}", *events) == []


def test_values_of_user_data_go_by_their_last_name() -> None:
    events = [document("UserData", Xml={"A": {"Deep": "x"}}, Xml_attributes={"n": "y"})]
    assert matched("{s: {Event.UserData.Xml.A.Deep: x}, condition: s}", *events) == [0]
    assert matched("{s: {Event.UserData.Xml_attributes.n: y}, condition: s}", *events) == [0]


def test_a_cast_is_shown_as_it_is_written() -> None:
    rule = load("{s: {int(Image): 6}, condition: s}").rule
    assert rule is not None
    found = judge(rule, EventStore.from_documents([document(Image="5")]), 0, CHAINSAW)
    assert found.condition is not None
    assert tree(found.condition) == "✗ s › int(Image): 6 — int(Image) is the number 5"


def test_casts_belong_to_the_two_switches_that_read_names() -> None:
    text = "{s: {int(Image): 5}, condition: s}"
    for off in (Switch.FIELD_MAPPING, Switch.NAME_CHARACTERS):
        assert load(text, CHAINSAW - {off}).rule is None
    assert load(text, CHAINSAW - {Switch.MISSING}).rule is not None
    assert load(text, frozenset({Switch.MISSING})).rule is not None  # there it is a name like any other


ANCHORED = HEADER + "\n  s: {Image: &one [foo, bar]}\n  t: &map {User: *one}\n  u: *map\n  condition: s and t and u\n"


def test_an_alias_stands_for_what_its_anchor_marks() -> None:
    (loaded,) = parse_switched_text(ANCHORED, Path("rule.yml"), CHAINSAW)
    assert loaded.rule is not None
    assert isinstance(loaded.rule.program, Program)
    store = EventStore.from_documents([document(Image="foo", User="bar"), document(Image="foo", User="x")])
    assert NativeEngine("chainsaw").match([loaded.rule], store) == [Matches.from_rows(store, [0])]


def test_without_the_types_of_yaml_1_2_an_anchor_is_refused() -> None:
    for loaded in (
        parse_switched_text(ANCHORED, Path("rule.yml"), CHAINSAW - {Switch.YAML_CORE}),
        parse_rule_text(ANCHORED, Path("rule.yml")),
    ):
        assert "is a YAML anchor" in (loaded[0].reason or "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s: {Image: *none}", "'*none' is an alias without an anchor before it"),
        ("s: &s {Image: *s}", "'*s' is an alias without an anchor before it"),
        ("s: &s {Image: x}\n  *s : y", "a key is a list or a mapping"),
        ("s: {Image: !!str 5}", "is a YAML tag"),
        ("\n  ".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]), "nodes"),
        ("\n  ".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 99))]), "nested more than"),
    ],
)
def test_aliases_that_are_none_and_endless_ones(text: str, reason: str) -> None:
    written = f"{HEADER}\n  {text}\n  condition: s\n"
    (loaded,) = parse_switched_text(written, Path("rule.yml"), CHAINSAW)
    assert loaded.rule is None
    assert reason in (loaded.reason or "")


def test_anchors_end_with_their_document() -> None:
    first, second = parse_switched_text(
        ANCHORED + "---\n" + HEADER + "{s: *one, condition: s}\n", Path("r.yml"), CHAINSAW
    )
    assert {first.rule is None, second.rule is None} == {True, False}


def test_a_merge_key_is_a_field_like_any_other() -> None:
    text = HEADER + "\n  s: &s {Image: x}\n  t: {<<: *s}\n  condition: s\n"
    (loaded,) = parse_switched_text(text, Path("rule.yml"), CHAINSAW)
    assert "failed to tokenise field '<<'" in (loaded.reason or "")


@pytest.mark.parametrize(
    ("field", "having"),
    [
        ("Image", [0]),
        ("int(Image)", [0]),
        ("Company", [1]),
        ("Odd", []),
        ("Event.EventData.Odd", [1]),
        ("EventID", [0, 1]),
        ("Hashes", []),
    ],
)
def test_in_which_partitions_a_field_is(field: str, having: list[int]) -> None:
    documents = [document(Image="x"), document(Company="x", Odd="y")]
    documents[1]["Event"]["System"]["EventID"] = 2
    store = EventStore.from_documents(documents)
    bits = mapped_store(store).having(field)
    assert [number for number in range(2) if bits >> number & 1] == having


def test_of_events_from_files_the_last_of_several_values_counts() -> None:
    event = document()
    event["Event"]["EventData"] = {"Image": ["first", "last"]}
    plain = EventStore.from_documents([event])
    assert [matched(f"{{s: {{Image: {value}}}, condition: s}}", event) for value in ("first", "last")] == [[0], [0]]
    (fields,) = mapped_store(plain).fields
    last_wins = MappedFields(plain.partitions[0], np.ones(1, np.bool_))
    shown = [one.column("Image") for one in (fields, last_wins)]
    assert [None if one is None else one.cells(0) for one in shown] == [["first", "last"], ["last"]]
