"""A program test by test on single events agrees with the engine that runs it on columns, and says what decided."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.hit_lines import HitLines
from sigma_env.engines.judge import Causes, judge, meaning_of, same_document, told
from sigma_env.engines.native import NativeEngine
from sigma_env.engines.rule_cache import load_rules
from sigma_env.engines.switched_match import program_of
from sigma_env.engines.switched_show import as_dict, deciders, describe, tree
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.chainsaw_tree import Program
from sigma_env.sigma.files import parse_rule_text
from sigma_env.sigma.rule import And, LogSource, Rule
from sigma_env.sigma.switches import CHAINSAW, SIGMA, Switch
from tests.engines.recorded import FOLDER, recordings
from tests.real import Real

SYSMON = "Microsoft-Windows-Sysmon/Operational"
PROVIDER = "Microsoft-Windows-Sysmon"
TIME = "2026-01-01T00:00:00.000000Z"


def event(**data: Any) -> dict[str, Any]:
    system = {
        "Channel": SYSMON,
        "EventID": data.pop("EventID", 1),
        "Provider_attributes": {"Name": data.pop("Provider", PROVIDER)},
        "TimeCreated_attributes": {"SystemTime": TIME},
    }
    return {"Event": {"System": system, "EventData": data}}


def rule(detection: str) -> Rule:
    """A rule of the specification's shape whose meaning is made of its document."""
    document = {"logsource": {"category": "process_creation"}, "detection": yaml.safe_load(detection)}
    return Rule(LogSource("process_creation"), And(()), (), document)


def judged(rules: list[Rule], store: EventStore, on: frozenset[Switch]) -> int:
    """Compares every rule on every event with the engine; the number of comparisons."""
    compared = 0
    for one, result in zip(rules, NativeEngine(on).match(rules, store), strict=True):
        hits = [judge(one, store, row, on) for row in range(store.n_events)]
        if isinstance(result, Unsupported):
            assert any(hit.problem for hit in hits), (one.document, result)
            assert not any(hit.matches for hit in hits if hit.problem)
            continue
        matched = [row for row, hit in enumerate(hits) if hit.matches]
        assert matched == result.rows(store).tolist(), one.document
        lines = HitLines(one, store, on)
        for row in matched:
            assert all(hit.field is not None for hit in lines.at(row))
        compared += len(hits)
    return compared


VALUES: list[Any] = [
    "foo", "FOO", "xfoobar", "a*b", "É", "é", "", "-", "5", "true", "'q'", "?x", "٣", 5, 7, True, False, 1.5, None,
]  # fmt: skip
FIELDS = ["Image", "CommandLine", "User", "DestinationPort", "Nowhere", "EventID"]
PATTERNS = ["foo", "*foo*", "a*b", "É", "", "*", "5", "'q'", "?f.o", ">4", "<=6", 5, 7, True, None, 1.5, "\\d", "^.o"]
MODIFIERS = ["", "|contains", "|startswith", "|endswith", "|re", "|all", "|contains|all", "|re|all", "|base64offset"]

cells = st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), min_size=2, max_size=3))
stores = st.lists(st.dictionaries(st.sampled_from(FIELDS[:4]), cells, max_size=4), min_size=1, max_size=8).map(
    lambda all_data: EventStore.from_documents([event(**data) for data in all_data])
)
lines = st.tuples(
    st.sampled_from(FIELDS),
    st.sampled_from(MODIFIERS),
    st.one_of(st.sampled_from(PATTERNS), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)),
)
maps = st.lists(lines, min_size=1, max_size=3).map(lambda some: {field + names: value for field, names, value in some})
selections = st.one_of(maps, maps, st.lists(maps, min_size=1, max_size=3))
CONDITIONS = [
    "a", "not a", "a and b", "a or b", "a or b and c", "a and not b", "not (a and b)", "1 of a", "all of a",
    "1 of them", "all of them", "a or b or c", "not (a or b or c)", "of(a, 2)", "a and not(b)", "a and not 1 of *",
    "(a and (b or c)) or b or c", "not 1 of b*", "of(b, 0)",
]  # fmt: skip
detections = st.fixed_dictionaries(
    {"a": selections, "b": selections, "c": selections, "condition": st.sampled_from(CONDITIONS)}
)


@settings(max_examples=250)
@given(st.lists(detections, min_size=1, max_size=4), stores, st.data())
def test_a_trace_agrees_with_the_columns(found: list[dict[str, Any]], store: EventStore, data: st.DataObject) -> None:
    rules = [Rule(LogSource("process_creation"), And(()), (), {"detection": one, "logsource": {}}) for one in found]
    off = data.draw(st.frozensets(st.sampled_from(list(Switch)), max_size=4))
    for on in (CHAINSAW, CHAINSAW - off, off):
        if on:
            judged(rules, store, on)


@pytest.mark.parametrize("off", [None, Switch.STRICT_TYPES, Switch.ASCII_CASE, Switch.MISSING, Switch.FIELD_MAPPING])
def test_every_pattern_on_every_value_and_on_lists_of_them(off: Switch | None) -> None:
    data: list[dict[str, Any]] = [{}, *({"Image": value} for value in VALUES)]
    data += [{"Image": [VALUES[i - 1], VALUES[i]]} for i in range(len(VALUES))]
    store = EventStore.from_documents([event(**one) for one in data])
    rules = []
    for names in MODIFIERS:
        for i, pattern in enumerate(PATTERNS):
            written = [pattern, PATTERNS[i - 1]] if "all" in names else pattern
            for condition in ("a", "not a"):
                detection = {"a": {f"Image{names}": written}, "condition": condition}
                rules.append(
                    Rule(LogSource("process_creation"), And(()), (), {"detection": detection, "logsource": {}})
                )
    assert judged(rules, store, CHAINSAW - {off} if off else CHAINSAW) > 7_000


def test_a_trace_agrees_with_the_columns_on_recorded_rules_and_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 2,970 generated rules every eighth, on each of the events that they were recorded on."""
    (tmp_path / "events.evtx").write_bytes(gzip.decompress((FOLDER / "generated-events.evtx.gz").read_bytes()))
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    store = build([LogRoot(tmp_path)])
    rules = [
        loaded.rule
        for recorded in recordings("generated")[::8]
        for loaded in parse_switched_text(recorded["rule"], Path("r.yml"), CHAINSAW)
        if loaded.rule is not None
    ]
    assert judged(rules, store, CHAINSAW) > 10_000


def test_a_trace_agrees_with_the_columns_on_real_rules_and_events(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each SigmaHQ rule on some events that it matches, and on events of the same kinds that it does not."""
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(real.cache))
    loaded = [one.rule for one in load_rules([real.sigma], CHAINSAW) if one.rule is not None]
    store, chance = real.store, Random(0)
    compared = 0
    for one, result in zip(loaded, NativeEngine("chainsaw").match(loaded, store), strict=True):
        if not isinstance(result, Matches) or not result:
            continue
        matched = set(result.rows(store).tolist())
        near = {chance.randrange(store.n_events) for _ in range(3)}
        for index in result.bits:
            partition = store.partitions[index]
            near |= {partition.base + chance.randrange(partition.n_rows) for _ in range(3)}
        lines = HitLines(one, store, CHAINSAW)
        for row in sorted(near | set(sorted(matched)[:3])):
            found = judge(one, store, row, CHAINSAW)
            assert found.matches == (row in matched), (one.meta.id, store.ref(row))
            assert bool(list(lines.at(row))) == (row in matched) or not found.selection.selects
            compared += 1
    assert compared > 2_000


SOME_SWITCHES = (
    CHAINSAW,
    frozenset({Switch.MISSING}),
    CHAINSAW - {Switch.FEW_MODIFIERS, Switch.KEYWORDS},
    frozenset({Switch.FIELD_MAPPING, Switch.OPTIMISER}),
)


@pytest.mark.parametrize("on", SOME_SWITCHES, ids=range(len(SOME_SWITCHES)))
def test_every_judgement_can_be_shown(on: frozenset[Switch]) -> None:
    store = EventStore.from_documents([event(Image="foo", User="bar"), event(CommandLine="foo*bar"), event()])
    count = 0
    for recorded in recordings("generated")[::20]:
        (loaded,) = parse_rule_text(recorded["rule"], Path("r.yml"))
        for row in range(store.n_events) if loaded.rule is not None else ():
            assert loaded.rule is not None
            found = judge(loaded.rule, store, row, on)
            assert found.problem or found.condition
            if found.condition is not None:
                assert tree(found.condition).splitlines()[0][0] in "✓✗–"
                assert json.loads(json.dumps(as_dict(found.condition)))["result"] == found.condition.truth
                assert all(not leaf.children for leaf in deciders(found.condition))
            count += 1
    assert count > 200


def shown(detection: str, data: dict[str, Any], on: frozenset[Switch] = CHAINSAW) -> str:
    found = judge(rule(detection), EventStore.from_documents([event(**data)]), 0, on)
    assert found.condition is not None
    return tree(found.condition)


def test_a_conjunction_ends_with_its_first_part_that_is_not_true() -> None:
    text = shown("{s: {Image: foo}, f: {Company: x, User: n}, condition: s and not f}", {"Image": "foo", "User": "y"})
    assert text.splitlines() == [
        "✗ all of, in this order: the first that is not ✓ is the result",
        "├─ ✓ s › Image: 'foo' — Image is 'foo'",
        "└─ ✗ not: what is missing stays without a match",
        "   └─ – all of, in this order: the first that is not ✓ is the result",
        "      ├─ – f › Company: 'x' — the event has no Company",
        "      └─ ✗ f › User: 'n' — User is 'y'",
    ]


@pytest.mark.parametrize(
    ("detection", "data", "line"),
    [
        ("{s: {Image|endswith: cmd.exe}, condition: s}", {"Image": "x"}, "✗ s › Image: '*cmd.exe' — Image is 'x'"),
        (
            "{s: {SignatureStatus: x}, condition: s}",
            {"SignatureStatus": "x"},
            "– s › SignatureStatus: 'x' — Chainsaw's mapping has no SignatureStatus, so no event has it",
        ),
        (
            "{s: {DestinationPort: '443'}, condition: s}",
            {"DestinationPort": 443},
            "– s › DestinationPort: '443' — DestinationPort is the number 443, and the test is for text",
        ),
        (
            "{s: {DestinationPort: 443}, condition: s}",
            {"DestinationPort": "443"},
            "✗ s › DestinationPort: 443 — DestinationPort is '443', and the test is for a number",
        ),
        (
            "{s: {Image: 'a*b'}, condition: s}",
            {"Image": "axb"},
            "✗ s › Image: '*a*b*' (with its case) — Image is 'axb'",
        ),
        (
            "{s: {Image: [x, foo, y]}, condition: s}",
            {"Image": "foo"},
            "✓ s › Image: 'foo' (1 of 3 hold, one needed) — Image is 'foo'",
        ),
        ("{s: {Image: null}, condition: s}", {"Image": "y"}, "✗ s › Image: null — Image is 'y'"),
        ("{s: {User|re: a.*b}, condition: s}", {"User": "axb"}, "✓ s › User: /a.*b/ — User is 'axb'"),
    ],
)
def test_a_test_is_shown_as_chainsaw_has_it(detection: str, data: dict[str, Any], line: str) -> None:
    assert shown(detection, data) == line


def test_a_row_that_the_optimiser_emptied_is_said_to_hold_always() -> None:
    lost = (
        "{s1: {Image: a, CommandLine: b}, f1: {User: u}, f2: {Company: c}, s2: {Product: p1, Type: t1},"
        " s3: {Product: p2, Type: t2}, condition: (s1 and (f1 or f2)) or s2 or s3}"
    )
    assert "✓ always true: the optimiser lost every test that stood here" in shown(lost, {"Image": "z"})


def test_of_merged_tests_each_pattern_keeps_its_selection() -> None:
    detection = "{s1: {Image: a}, s2: {Image: b}, s3: {User: c}, condition: 1 of s*}"
    store = EventStore.from_documents([event(Image="b")])
    (hit,) = HitLines(rule(detection), store, CHAINSAW).at(0)
    assert (hit.selection, hit.field, hit.pattern, hit.value) == ("s2", "Image", "b", "b")


def test_deciders_are_the_tests_that_made_the_result() -> None:
    detection = "{s: {Image: foo, User: u}, f: {Company: x}, condition: s and not f}"
    for data, wanted in (
        ({"Image": "foo", "User": "n"}, ["User: 'u'"]),
        ({"Image": "foo", "User": "u"}, ["Company: 'x'"]),
        ({"Image": "foo", "User": "u", "Company": "y"}, ["Image: 'foo'", "User: 'u'", "Company: 'x'"]),
    ):
        found = judge(rule(detection), EventStore.from_documents([event(**data)]), 0, CHAINSAW).condition
        assert found is not None
        assert [describe(one.tree) for one in deciders(found)] == wanted  # type: ignore[arg-type]


def causes(detection: str) -> Causes:
    text = f"title: t\ndescription: d\nlogsource: {{category: process_creation}}\ndetection: {detection}\n"
    (loaded,) = parse_switched_text(text, Path("r.yml"), SIGMA)
    assert loaded.rule is not None
    return Causes(same_document(loaded.rule), CHAINSAW)


@pytest.mark.parametrize(
    ("detection", "data", "labels"),
    [
        ("{s: {SignatureStatus: x}, condition: s}", {"SignatureStatus": "x"}, ["field-mapping"]),
        ("{s: {Image: x}, f: {User: y}, condition: s and not f}", {"Image": "x"}, ["missing"]),
        ("{s: {DestinationPort: '443'}, condition: s}", {"DestinationPort": 443}, ["strict-types"]),
        ("{s: {Image: x}, condition: s}", {"Image": "x", "Provider": "other"}, ["preconditions"]),
        (
            "{s: {Image: x}, f: {SignatureStatus: y}, condition: s and not f}",
            {"Image": "x", "SignatureStatus": "n"},
            ["missing", "field-mapping"],
        ),
        ("{s: {Image: x}, condition: s}", {"Image": "x"}, None),
    ],
)
def test_the_switches_that_make_the_difference_on_an_event(
    detection: str, data: dict[str, Any], labels: list[str] | None
) -> None:
    found = causes(detection).at(EventStore.from_documents([event(**data)]), 0)
    assert (None if found is None else [switch.label for switch in Switch if switch in found]) == labels


def test_the_switch_for_which_a_rule_is_not_run() -> None:
    refusal = causes("{s: {CommandLine|windash: ' -x'}, condition: s}").refusal()
    assert told(refusal) == f"few-modifiers ({Switch.FEW_MODIFIERS.value})"
    assert causes("{s: {Image: x}, condition: s}").refusal() == SIGMA


def test_what_is_beside_the_tree_is_said() -> None:
    store = EventStore.from_documents([event(Image="x", User="a"), event(Image="x", User="b"), event(Image="y")])
    counted = rule("{s: {Image: x}, condition: s | count() > 1}")
    assert [judge(counted, store, row, CHAINSAW).matches for row in range(3)] == [True, True, False]
    assert judge(counted, store, 0, CHAINSAW).problem == "the number of such events of one file is > 1"
    panics = judge(rule("{s: {Image: x}, f: {User: a}, condition: s and not(f)}"), store, 0, CHAINSAW)
    assert (panics.matches, panics.condition) == (False, None)
    assert panics.problem == "panics on this event: cast(not(f))"
    assert judge(rule("{s: {Image: x}, f: {User: a}, condition: s and not(f)}"), store, 2, CHAINSAW).problem is None
    refused = judge(rule("{s: {Image|cidr: x}, condition: s}"), store, 0, CHAINSAW)
    assert refused.problem == "unsupported modifiers - cidr"


def test_the_meaning_of_an_engine() -> None:
    assert meaning_of(NativeEngine()) == SIGMA
    assert meaning_of(NativeEngine("chainsaw")) == CHAINSAW

    class RunsTheProgram:
        name, semantics, version = "chainsaw", "chainsaw", "1"

        def match(self, rules: object, store: object) -> list[Matches | Unsupported]:
            raise NotImplementedError

    on = meaning_of(RunsTheProgram())
    assert Switch.MISSING in on
    assert Switch.EXCLUSIONS not in on
    assert isinstance(program_of(rule("{s: {Image: x}, condition: s}"), on), Program)
