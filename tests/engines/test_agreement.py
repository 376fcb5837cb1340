"""Where two meanings part: each difference has its cause, and turning the cause on makes the results equal."""

import gzip
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sigma_env.engines.agreement import (
    Comparison,
    Switches,
    compare_engine,
    compare_meanings,
    count_causes,
    labels_of,
)
from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.engines.rule_cache import load_rules as load_cached
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_files import parse_switched_text
from sigma_env.sigma.chainsaw_mapping import chainsaw_mapping
from sigma_env.sigma.files import load_rules, parse_rule_text
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.switches import CHAINSAW, Switch, switches_of
from tests.engines.recorded import FOLDER, recordings
from tests.real import Real, is_for_windows

CASES = {case["id"]: case for case in recordings("cases")}
GENERATED = {one["id"]: one for one in recordings("generated")}

BY_CASE = {
    1: "precedence",
    2: "missing",
    3: "missing and-order",
    5: "inner-wildcards",
    7: "no-escapes",
    9: "question-mark",
    10: "strict-types",
    13: "star-is-text",
    14: "present-null",
    15: "strict-types missing",
    17: "numeric-prefix",
    18: "quotes-stripped",
    19: "ascii-case",
    22: "all-needs-list",
    24: "repeated-field",
    25: "one-of-name",
    26: "all-of-name",
    27: "them",
    28: "optimiser",
    29: "condition-grammar",
    30: "rust-regex panics",
    31: "field-mapping",
    35: "preconditions",
    37: "numbers-unmodified",
    40: "one-condition",
    41: "keywords",
}
BY_GENERATED = {"gen-00016": "few-modifiers", "gen-00051": "of-forms", "gen-00402": "modifier-set", "gen-00018": ""}
"""The last is refused by the specification only, and no switch is to blame."""

RULE = Path("rule.yml")
HEAD = "title: T\nid: one\ndescription: d\nlogsource: {product: windows}\n"
ONE = "detection: {a: {Image: x}, condition: a}\n"
WRITTEN = {
    "description": HEAD.replace("description: d\n", "") + ONE,
    "header-types": HEAD + "tags: attack.execution\n" + ONE,
    "exclusions": HEAD.replace("T", f"'{sorted(chainsaw_mapping().excluded_titles)[0]}'", 1) + ONE,
    "name-characters": HEAD + "detection: {a-b: {Image: x}, condition: a-b}\n",
    "rust-regex": HEAD + "detection: {a: {User|re: '^\\w$'}, condition: a}\n",
    "whole-file": HEAD + ONE + "---\n" + HEAD.replace("one", "two") + "detection: {a: {Image: x}, condition: b}\n",
    "document-split": HEAD.replace("description: d", "description: |\n  a ---\n  b") + ONE,
    "collections": HEAD + "action: global\n---\n" + ONE,
    "underscore-names": HEAD + "detection: {a: {Image: x}, _b: {Image: y}, condition: 1 of them}\n",
    "count": HEAD + "detection: {a: {Image: x}, condition: a | count() by User > 1}\n",
    "yaml-core": HEAD + "detection: {a: {Image: yes}, condition: a}\n",
    "panics": HEAD + "detection: {a: {Image: x}, b: {Image|base64offset: ''}, condition: a or b}\n",
}
NEVER_ALONE = {
    "and-order": "the order only matters if a part is neither true nor false, which 'missing' brings",
    "other-aggregations": "the specification's meaning here has no aggregations either",
    "correlations": "the specification's meaning here has no correlations either; the rules they refer to fire alike",
}


def seen(**data: str) -> dict[str, Any]:
    event: dict[str, Any] = deepcopy(CASES[1]["events"][0])
    event["Event"]["EventData"] = data
    return event


EVENTS = [seen(Image="x", User="é"), seen(Image="x", User="é"), seen(Image="x"), seen(Image="yes"), seen(Image="true")]


def compared(text: str, events: list[dict[str, Any]] | EventStore, folder: Path) -> list[Comparison]:
    (folder / "rule.yml").write_text(text, encoding="utf-8")
    store = events if isinstance(events, EventStore) else EventStore.from_documents(events)
    return compare_meanings([folder / "rule.yml"], store)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))


def results(text: str, on: Switches, store: EventStore) -> dict[str, Matches]:
    """What the rules of a file match, by id; rules that are not run are left out."""
    loaded = parse_switched_text(text, RULE, on)
    rules = {one.meta.id: one.rule for one in loaded if one.rule is not None}
    found = NativeEngine(on).match(list(rules.values()), store)
    return {rule_id: one for rule_id, one in zip(rules, found, strict=True) if isinstance(one, Matches)}


def makes_the_difference(text: str, cause: Switches, store: EventStore) -> None:
    """With the cause and nothing else the results are Chainsaw's, and without it they are not."""
    wanted = results(text, CHAINSAW, store)
    assert results(text, cause, store) == wanted
    for switch in cause:
        assert results(text, cause - {switch}, store) != wanted


@pytest.mark.parametrize(("number", "cause"), BY_CASE.items(), ids=lambda value: str(value).replace(" ", "+"))
def test_the_cause_of_a_case(number: int, cause: str, tmp_path: Path) -> None:
    case = CASES[number]
    (one,) = compared(case["rule"], case["events"], tmp_path)
    assert one.cause == switches_of(cause.split())
    makes_the_difference(case["rule"], one.cause, EventStore.from_documents(case["events"]))


@pytest.mark.parametrize("cause", WRITTEN)
def test_the_cause_of_a_written_rule(cause: str, tmp_path: Path) -> None:
    found = compared(WRITTEN[cause], EVENTS, tmp_path)
    causes = {one.cause for one in found if one.cause is not None}
    assert causes == {switches_of([cause])}, found
    makes_the_difference(WRITTEN[cause], switches_of([cause]), EventStore.from_documents(EVENTS))


def test_every_switch_that_can_be_a_cause_alone_is_one_here() -> None:
    causes = [cause.split() for cause in (*BY_CASE.values(), *BY_GENERATED.values(), *WRITTEN)]
    alone = {labels[0] for labels in causes if len(labels) == 1}
    assert alone | NEVER_ALONE.keys() == {switch.label for switch in Switch}
    assert alone.isdisjoint(NEVER_ALONE)


@pytest.mark.parametrize("label", NEVER_ALONE)
def test_what_is_never_a_cause_alone_changes_nothing_alone(label: str, generated_store: EventStore) -> None:
    """On the generated rules, on those of which it is a cause with others, and on what it is about."""
    texts = [recorded["rule"] for recorded in GENERATED.values()]
    texts += [CASES[number]["rule"] for number, cause in BY_CASE.items() if label in cause.split()]
    texts += [HEAD + f"detection: {{a: {{Image: x}}, condition: a | {kind}(Image) > 1}}\n" for kind in ("sum", "near")]
    texts += [HEAD + ONE + "---\ntitle: C\nid: c\ncorrelation: {type: event_count, rules: [one], timespan: 1m}\n"]
    alone = switches_of([label])
    engines, run = (NativeEngine(), NativeEngine(alone)), 0
    for text in texts:
        loaded = parse_rule_text(text, RULE)
        rules = [one.rule for one in loaded if one.rule is not None]
        switched = {one.meta.id: one.rule for one in parse_switched_text(text, RULE, alone)}
        for rule in rules:
            other = switched[rule.meta.id]
            assert other is not None, text
            assert engines[0].match([rule], generated_store) == engines[1].match([other], generated_store), text
            run += 1
    assert run > 1_300


@pytest.fixture(scope="module")
def generated_store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    folder = tmp_path_factory.mktemp("generated")
    (folder / "events.evtx").write_bytes(gzip.decompress((FOLDER / "generated-events.evtx.gz").read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGMA_ENV_CACHE", str(folder / "cache"))
        return build([LogRoot(folder)])


@pytest.mark.parametrize(("rule_id", "cause"), BY_GENERATED.items())
def test_the_cause_of_a_generated_rule(rule_id: str, cause: str, generated_store: EventStore, tmp_path: Path) -> None:
    (one,) = compared(GENERATED[rule_id]["rule"], generated_store, tmp_path)
    assert one.cause == switches_of(cause.split())
    if cause:
        makes_the_difference(GENERATED[rule_id]["rule"], one.cause, generated_store)


def outcome(text: str, on: list[str], store: EventStore) -> Matches | None:
    engine = NativeEngine(switches_of(on))
    (loaded,) = parse_switched_text(text, Path("rule.yml"), engine.switches)
    if loaded.rule is None:
        return None
    found = engine.match([loaded.rule], store)[0]
    return None if isinstance(found, Unsupported) else found


def test_turning_a_cause_on_makes_the_results_equal_and_no_switch_can_be_left_out(
    generated_store: EventStore, tmp_path: Path
) -> None:
    for rule_id, recorded in list(GENERATED.items())[:200]:
        (tmp_path / f"{rule_id}.yml").write_text(recorded["rule"], encoding="utf-8")
    found = compare_meanings([tmp_path], generated_store)
    differing = [one for one in found if one.is_difference]
    assert len(found) == 200
    assert len(differing) > 80
    for one in differing:
        assert one.cause is not None
        labels, text = labels_of(one.cause), GENERATED[one.meta.id]["rule"]
        wanted = None if isinstance(one.chainsaw, Unsupported) else one.chainsaw
        if labels:
            assert outcome(text, labels, generated_store) == wanted
        for label in labels:
            fewer = [other for other in labels if other != label]
            assert outcome(text, fewer, generated_store) != wanted, (one.meta.id, labels)


class Answers:
    """An engine that says what it is told to."""

    name = semantics = "chainsaw"
    version = "1"

    def __init__(self, answers: list[Matches | Unsupported]) -> None:
        self.answers = answers

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:  # noqa: ARG002
        assert len(rules) == len(self.answers)
        return self.answers


def test_an_engine_is_explained_by_the_switches_that_its_rules_can_show(tmp_path: Path) -> None:
    """The real program is given headers that it accepts, so a missing description explains nothing."""
    case = CASES[1]
    store = EventStore.from_documents(case["events"])
    (tmp_path / "rule.yml").write_text(case["rule"].replace("description: d\n", ""), encoding="utf-8")
    loaded = load_rules([tmp_path / "rule.yml"])

    (as_meant,) = compare_engine(loaded, store, Answers([Matches.from_rows(store, [1])]))
    assert as_meant.cause is not None
    assert labels_of(as_meant.cause) == ["precedence"]

    (other,) = compare_engine(loaded, store, Answers([Matches.from_rows(store, [])]))
    assert (other.verdict, other.cause) == ("different", None)
    (refused,) = compare_engine(loaded, store, Answers([Unsupported("because")]))
    assert (refused.verdict, refused.cause, refused.reason) == ("only_sigma_runs", None, "because")


def test_rules_that_are_none_by_the_specification_are_not_given_to_an_engine(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(HEAD + "detection: {a: {Image: x}, condition: b}\n", encoding="utf-8")
    (one,) = compare_engine(load_rules([tmp_path]), EventStore.from_documents(EVENTS), Answers([]))
    assert one.verdict == "not_run"


def test_sigmahq_on_the_public_logs(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts that docs/chainsaw.md shows; of all rules, those for other products are not run."""
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(real.cache))
    everything = compare_meanings([real.sigma], real.store)
    for_windows = {one.path for one in load_cached([real.sigma]) if is_for_windows(one)}
    found = [one for one in everything if one.path in for_windows]
    assert {one.verdict for one in everything if one.path not in for_windows} == {"not_run"}
    assert len(found) == 2_858
    assert [one.meta.id for one in found if one.is_difference and one.cause is None] == []
    assert Counter(one.verdict for one in found) == {
        "equal": 2_592,
        "different": 125,
        "only_sigma_runs": 139,
        "not_run": 2,
    }
    causes = [(" ".join(labels_of(row.cause or frozenset())), *row[2:]) for row in count_causes(found)]
    assert causes == [
        ("few-modifiers", 114, 422, 0),
        ("field-mapping", 85, 749, 0),
        ("no-escapes", 17, 81, 0),
        ("keywords", 17, 38, 0),
        ("inner-wildcards", 8, 100, 0),
        ("missing", 6, 102, 0),
        ("exclusions", 6, 17, 0),
        ("strict-types", 5, 19, 0),
        ("missing field-mapping", 3, 50, 0),
        ("numeric-prefix", 2, 4, 0),
        ("preconditions", 1, 69, 0),
    ]
