"""Each switch by itself: what one rule does without it and with it, from the specification and from Chainsaw."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.choose import make_engine
from sigma_env.engines.native import NativeEngine
from sigma_env.engines.switched_match import SwitchedMatcher
from sigma_env.errors import EngineError, OptionError
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.files import parse_rule_text
from sigma_env.sigma.rule import And, LogSource, Rule
from sigma_env.sigma.switches import CHAINSAW, SIGMA, Switch, name_of, switches_of
from tests.engines.recorded import recordings

PATH = Path("rule.yml")
SYSMON = "Microsoft-Windows-Sysmon"
NOT_LOADED = "not loaded"


def event(**data: Any) -> dict[str, Any]:
    """An event of Sysmon 1 with these values, some of them in System."""
    system = {
        "Provider_attributes": {"Name": data.pop("Provider", SYSMON)},
        "EventID": data.pop("EventID", 1),
        "Channel": f"{SYSMON}/Operational",
        "TimeCreated_attributes": {"SystemTime": "2026-01-01T00:00:00.000000Z"},
    }
    return {"Event": {"System": system, "EventData": data}}


class Witness(NamedTuple):
    """A rule on which a switch tells.

    Attributes:
        switch: the switch.
        detection: of the rule, as YAML; or the whole file, if it has a title.
        events: what it is run on.
        off: numbers of the events that match without the switch.
        on: and with it.
        others: the switches that are on besides: none of the others, or all.
    """

    switch: Switch
    detection: str
    events: list[dict[str, Any]]
    off: list[int] | str
    on: list[int] | str
    others: frozenset[Switch] = SIGMA


FIELDS = {"a": "Image: x", "b": "User: y", "c": "Company: z"}
TABLE = """
{s1: {Image: a, CommandLine: b}, f1: {User: u}, f2: {Company: c}, s2: {Product: p1, Type: t1},
 s3: {Product: p2, Type: t2}, condition: (s1 and (f1 or f2)) or s2 or s3}
"""
SPLIT = """
title: t
description: d --- e ---
logsource: {category: process_creation}
detection: {s: {Image: x}, condition: s}
"""
TWO = """
title: t
description: d
logsource: {category: process_creation}
detection: {s: {Image: x}, condition: s}
---
title: t
description: d
logsource: {category: process_creation}
detection: {s: {Image: x}, condition: t}
"""
COLLECTION = """
title: t
description: d
action: global
logsource: {category: process_creation}
detection: {condition: s}
---
detection: {s: {Image: x}}
"""
HEADED = "{title: t, description: d, author: 5, logsource: {category: process_creation}, detection: DETECTION}"
BARE = "{title: t, logsource: {category: process_creation}, detection: DETECTION}"
EXCLUDED = "{title: USB Device Plugged, description: d, logsource: {category: process_creation}, detection: DETECTION}"
NOWHERE = "{title: t, description: d, logsource: {category: nothing_of_it}, detection: DETECTION}"
X = "{s: {Image: x}, condition: s}"
MANY = frozenset(CHAINSAW)

WITNESSES = [
    Witness(
        Switch.PRECEDENCE,
        "{a: {Image: x}, b: {User: y}, c: {Company: z}, condition: a or b and c}",
        [event(Image="x", User="n", Company="n"), event(Image="n", User="y", Company="z")],
        [0, 1],
        [1],
    ),
    Witness(Switch.CONDITION_GRAMMAR, "{s: {Image: x}, condition: (s}", [event(Image="x")], NOT_LOADED, [0]),
    Witness(
        Switch.INNER_WILDCARDS,
        "{s: {Image: 'foo*bar'}, condition: s}",
        [event(Image="foo1bar"), event(Image="a foo*bar b")],
        [0],
        [1],
    ),
    Witness(
        Switch.QUESTION_MARK, "{s: {Image: '?'}, condition: s}", [event(Image="abc"), event(Image="a")], [1], [0, 1]
    ),
    Witness(
        Switch.NO_ESCAPES,
        r"{s: {Image|startswith: '\\srv'}, condition: s}",
        [event(Image=r"\srv\x"), event(Image=r"\\srv\x")],
        [0],
        [1],
    ),
    Witness(
        Switch.ASCII_CASE, "{s: {User|contains: É}, condition: s}", [event(User="É"), event(User="é")], [0, 1], [1]
    ),
    Witness(
        Switch.QUOTES_STRIPPED,
        """{s: {Image: '"foo"'}, condition: s}""",
        [event(Image='"foo"'), event(Image="foo")],
        [0],
        [1],
    ),
    Witness(
        Switch.NUMERIC_PREFIX,
        "{s: {DestinationPort: '>100'}, condition: s}",
        [event(DestinationPort=443), event(DestinationPort=">100")],
        [1],
        [0],
    ),
    Witness(Switch.STRICT_TYPES, "{s: {EventID: '1'}, condition: s}", [event()], [0], []),
    Witness(Switch.PRESENT_NULL, "{s: {Image: null}, condition: s}", [event(), event(Image=None)], [0, 1], [1]),
    Witness(
        Switch.MISSING,
        "{s: {Image: x}, f: {User: y}, condition: s and not f}",
        [event(Image="x"), event(Image="x", User="z")],
        [0, 1],
        [1],
    ),
    Witness(Switch.STAR_IS_TEXT, "{s: {EventID: '*'}, condition: s}", [event()], [0], []),
    Witness(
        Switch.AND_ORDER,
        "{s: {Image: x}, f: {User: u, Company: c}, condition: s and not f}",
        [event(Image="x", User="z"), event(Image="x", Company="z")],
        [0, 1],
        [0],
        MANY,
    ),
    Witness(Switch.KEYWORDS, "{s: {Image: x}, k: [foo], condition: s}", [event(Image="x")], [0], NOT_LOADED),
    Witness(
        Switch.ONE_CONDITION, "{a: {Image: x}, b: {Image: y}, condition: [a, b]}", [event(Image="y")], [0], NOT_LOADED
    ),
    Witness(Switch.ONE_OF_NAME, "{s: {Image: x, User: y}, condition: 1 of s}", [event(Image="x", User="n")], [], [0]),
    Witness(
        Switch.ALL_OF_NAME,
        "{s: {Image|contains: [a, b]}, condition: all of s}",
        [event(Image="a"), event(Image="ab")],
        [0, 1],
        [1],
    ),
    Witness(
        Switch.THEM,
        "{s: [{Image: x}, {User: y}], t: {Company: z}, condition: all of them}",
        [event(Image="x", Company="z"), event(Image="x", User="y", Company="z")],
        [0, 1],
        [1],
    ),
    Witness(Switch.OF_FORMS, "{s1: {Image: x}, condition: any of s*}", [event(Image="x")], [0], NOT_LOADED),
    Witness(
        Switch.UNDERSCORE_NAMES,
        "{s: {Image: x}, _p: {User: y}, condition: all of them}",
        [event(Image="x")],
        [0],
        NOT_LOADED,
    ),
    Witness(Switch.NAME_CHARACTERS, "{a-b: {Image: x}, condition: a-b}", [event(Image="x")], [0], NOT_LOADED),
    Witness(Switch.ALL_NEEDS_LIST, "{s: {Image|contains|all: x}, condition: s}", [event(Image="x")], [0], NOT_LOADED),
    Witness(
        Switch.MODIFIER_SET,
        "{s: {CommandLine|contains|base64offset: foo}, condition: s}",
        [event(CommandLine="x Zm9v y")],
        NOT_LOADED,
        [0],
    ),
    Witness(Switch.FEW_MODIFIERS, "{s: {Image|cased: x}, condition: s}", [event(Image="x")], [0], NOT_LOADED),
    Witness(
        Switch.NUMBERS_UNMODIFIED,
        "{s: {DestinationPort|startswith: 44}, condition: s}",
        [event(DestinationPort=44)],
        NOT_LOADED,
        [0],
    ),
    Witness(
        Switch.RUST_REGEX, r"{s: {Image|re: '^\d$'}, condition: s}", [event(Image="5"), event(Image="٣")], [0], [0, 1]
    ),
    Witness(
        Switch.REPEATED_FIELD,
        "{s: [{Image|startswith: a, Image|endswith: b}, {User: y}], condition: s}",
        [event(Image="ab"), event(User="y")],
        [0, 1],
        NOT_LOADED,
    ),
    Witness(Switch.PRECONDITIONS, NOWHERE.replace("DETECTION", X), [event(Image="x", EventID=77)], [], [0]),
    Witness(Switch.FIELD_MAPPING, "{s: {SignatureStatus: x}, condition: s}", [event(SignatureStatus="x")], [0], []),
    Witness(
        Switch.COUNT,
        "{s: {Image: x}, condition: s | count(User) > 1}",
        [event(Image="x", User="a"), event(Image="x", User="a"), event(Image="x", User="b")],
        NOT_LOADED,
        [0, 1],
    ),
    Witness(Switch.COLLECTIONS, COLLECTION, [event(Image="x")], NOT_LOADED, [0]),
    Witness(Switch.DESCRIPTION, BARE.replace("DETECTION", X), [event(Image="x")], [0], NOT_LOADED),
    Witness(Switch.HEADER_TYPES, HEADED.replace("DETECTION", X), [event(Image="x")], [0], NOT_LOADED),
    Witness(
        Switch.YAML_CORE,
        "{s: {Image: yes}, condition: s}",
        [event(Image="yes"), event(Image="true")],
        [1],
        [0],
    ),
    Witness(Switch.DOCUMENT_SPLIT, SPLIT, [event(Image="x")], [0], NOT_LOADED, MANY),
    Witness(Switch.WHOLE_FILE, TWO, [event(Image="x")], [0], NOT_LOADED),
    Witness(Switch.EXCLUSIONS, EXCLUDED.replace("DETECTION", X), [event(Image="x")], [0], NOT_LOADED),
    Witness(Switch.OPTIMISER, TABLE, [event(Image="n")], [], [0], MANY),
    Witness(Switch.PANICS, """{s: {Image: '"'}, condition: s}""", [event(Image="x")], [], NOT_LOADED, MANY),
]
WITHOUT_WITNESS = {
    Switch.OTHER_AGGREGATIONS: "the specification's meaning here has no aggregations either",
    Switch.CORRELATIONS: "the specification's meaning here has no correlations either; base rules fire on their own",
}


def whole(detection: str) -> str:
    if "title: " in detection:
        return detection
    return (
        f"title: t\ndescription: d\nid: i\nlogsource: {{category: process_creation}}\ndetection: {detection.strip()}\n"
    )


def outcome(text: str, events: list[dict[str, Any]], on: frozenset[Switch]) -> list[int] | str:
    """Numbers of the events that the rules of a file match, or that none of them loads."""
    store = EventStore.from_documents(events)
    rules = [one.rule for one in parse_switched_text(whole(text), PATH, on) if one.rule is not None]
    found = [one for one in NativeEngine(on).match(rules, store) if isinstance(one, Matches)]
    if not found:
        return NOT_LOADED
    return sorted({ref.position for one in found for ref in store.refs(one.rows(store))})


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda witness: witness.switch.label)
def test_what_a_switch_does(witness: Witness) -> None:
    others = witness.others - {witness.switch}
    assert outcome(witness.detection, witness.events, others) == witness.off
    assert outcome(witness.detection, witness.events, others | {witness.switch}) == witness.on


def test_every_switch_has_a_witness_or_a_reason_why_not() -> None:
    assert {witness.switch for witness in WITNESSES} | WITHOUT_WITNESS.keys() == set(Switch)


def test_without_switches_the_compiler_means_what_the_specification_means() -> None:
    """Every generated rule that is one by the specification, compiled with all switches off."""
    engine = NativeEngine()
    compiled = SwitchedMatcher(SIGMA, engine._selected_rows)
    values = ["foo", "c:\\tools\\FOO.EXE", "", "foo?bar", "a\\b", 443, None, "É", "xbarx", True, ["foo", "bar"]]
    fields = ["Image", "CommandLine", "User", "ParentImage", "TargetFilename", "Hashes", "DestinationPort"]
    events = [
        event(**{field: values[(i * (k + 1) + k) % len(values)] for k, field in enumerate(fields) if (i >> k) % 3})
        for i in range(40)
    ]
    store = EventStore.from_documents(events)
    compared = 0
    for recorded in recordings("generated"):
        (loaded,) = parse_rule_text(recorded["rule"], PATH)
        if loaded.rule is not None:
            assert compiled.match_rule(loaded.rule, store) == engine.match_rule(loaded.rule, store), recorded["id"]
            compared += 1
    assert compared > 1_300


def test_any_set_of_switches_is_a_meaning() -> None:
    """Each switch alone and each left out: every rule has matches or a reason, and none stops the engine."""
    store = EventStore.from_documents([event(Image="foo", User="bar"), event(CommandLine="foo*bar", ProcessId=4)])
    rules = [
        loaded.rule
        for recorded in recordings("generated")[:400]
        for loaded in parse_rule_text(recorded["rule"], PATH)
        if loaded.rule is not None
    ]
    for switch in Switch:
        for on in (frozenset({switch}), CHAINSAW - {switch}):
            for result in NativeEngine(on).match(rules, store):
                assert isinstance(result, Matches) or (isinstance(result, Unsupported) and result.reason)


def test_an_answer_means_the_same_as_its_file() -> None:
    """Rules that were loaded for the specification, as answers are, are compiled from their document."""
    text = whole("{s: {Image: x}, f: {User: y}, condition: s and not f}")
    store = EventStore.from_documents([event(Image="x"), event(Image="x", User="z")])
    (answer,) = parse_rule_text(text, PATH)
    (loaded,) = parse_switched_text(text, PATH, CHAINSAW)
    assert answer.rule is not None
    assert loaded.rule is not None
    engine = make_engine("native", "chainsaw")
    assert engine.match([answer.rule], store) == engine.match([loaded.rule], store)
    assert (engine.name, engine.semantics) == ("native", "chainsaw")


def test_a_rule_that_chainsaw_does_not_load_is_unsupported_with_its_reason() -> None:
    text = whole("{s: {CommandLine|windash|contains: ' -x'}, condition: s}")
    (answer,) = parse_rule_text(text, PATH)
    assert answer.rule is not None
    store = EventStore.from_documents([event()])
    engine = NativeEngine("chainsaw")
    assert engine.match([answer.rule], store) == [Unsupported("unsupported modifiers - windash")]
    with pytest.raises(EngineError, match="unsupported modifiers - windash"):
        engine.match_rule(answer.rule, store)


def test_names_of_meanings() -> None:
    assert name_of(SIGMA) == "sigma"
    assert name_of(CHAINSAW) == "chainsaw"
    assert name_of(switches_of(["missing", "and-order"])) == "and-order+missing"
    assert NativeEngine(switches_of(["missing"])).semantics == "missing"
    with pytest.raises(OptionError, match="unknown switch 'mising'"):
        switches_of(["mising"])


def test_reasons_are_for_people() -> None:
    for switch in Switch:
        assert len(switch.value) > 20
        assert not switch.value.endswith(".")


def test_the_mapping_is_the_observed_one() -> None:
    """Counts of the facts, so that a lost line shows."""
    path = Path(parse_switched_text.__code__.co_filename).with_name("chainsaw_mapping.yaml")
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert len(table["system"]) + len(table["event_data"]) == 163
    assert [len(table[key]) for key in ("categories", "services", "excluded_titles")] == [28, 36, 16]


def test_hostile_rules_end_with_a_result() -> None:
    """Long lists, long conditions and odd characters: neither recursion nor memory gives out."""
    store = EventStore.from_documents([event(Image="foo")])
    many = {f"s{i}": {"Image": "x"} for i in range(400)}
    hostile: list[dict[Any, Any]] = [
        {"s": [{"Image": f"x{i}", "User": "u"} for i in range(1_000)], "condition": "not s"},
        {"s": [{f"F{i}": "x"} for i in range(4_900)], "condition": "s"},
        {"s": {"Image": "x"}, "condition": " or ".join(["s"] * 1_500)},
        {"s": {"Image": "x"}, "condition": "not " * 1_500 + "s"},
        {"s": {"Image": "x"}, "condition": "(" * 2_000 + "s"},
        {**many, "condition": " or ".join(["1 of s*"] * 500)},
        {**many, "condition": "all of them"},
        {"s": {"Image": ["x"]}, "condition": "of(s, 99999999999)"},
        {"s": {"Image": ["x"]}, "condition": "s | count() > " + "9" * 300},
        {"s": {"Image|re": r"\w{900}"}, "condition": "s"},
        {"s": {"Image": {"a": {"b": 1}}}, "condition": "not s"},
        {"s": {"Image": "x"}, "condition": "s and \0 and 1 of s*"},
        {1: {2: 3}, None: {None: None}, "condition": "1"},
    ]
    rules = [
        Rule(LogSource("process_creation"), And(()), (), {"logsource": {}, "detection": detection})
        for detection in hostile
    ]
    for on in (CHAINSAW, frozenset({Switch.MISSING}), CHAINSAW - {Switch.OPTIMISER}):
        assert len(NativeEngine(on).match(rules, store)) == len(hostile)


def test_the_document_lists_every_switch() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "switches.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == [f"| `{s.label}` | {s.value} |" for s in Switch]


def test_a_rule_without_its_text_is_the_caller_s_fault() -> None:
    rule = Rule(LogSource("process_creation"), And(()), (), {})
    with pytest.raises(EngineError, match="has no document"):
        NativeEngine("chainsaw").match([rule], EventStore.from_documents([event()]))
