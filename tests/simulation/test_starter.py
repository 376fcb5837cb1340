"""The starter dataset keeps its promises: real logs, labels that the engine confirms, near-misses that matter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import Evtx.Evtx
import pytest
import yaml
from sigma.rule import SigmaRule

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.native import NativeEngine
from sigma_env.events.build import build
from sigma_env.events.flatten import FlatEvent
from sigma_env.events.logs import LogRoot
from sigma_env.events.reader import ReadEvent, read_log
from sigma_env.events.store import EventStore
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import FieldTest, Node, Rule
from sigma_env.simulation.starter import DATA, LOGS, Label, StarterRule, generate, load_rules, read_labels
from tests.simulation.sloppy import as_keywords, held_tests, parts_left_out, single_tests

Key = tuple[str, int]

RULES = load_rules()
LABELS = read_labels()
PATHS = sorted((DATA / LOGS).rglob("*.evtx"))
NAMES = [path.relative_to(DATA / LOGS).as_posix() for path in PATHS]
# A careless answer must lose at least this much; one forgotten value of several may cost less.
MAX_IOU_WITHOUT_CONDITION = 0.8
MAX_IOU_OF_SINGLE_TEST = 0.6
MAX_IOU_WITHOUT_VALUE = 0.9


@cache
def read_all() -> list[tuple[str, list[ReadEvent]]]:
    logs = []
    for name, path in zip(NAMES, PATHS, strict=True):
        events = list(read_log(path))
        problems = [event for event in events if not isinstance(event, ReadEvent)]
        assert problems == [], name
        logs.append((name, [event for event in events if isinstance(event, ReadEvent)]))
    return logs


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        return build([LogRoot(DATA / LOGS)])


@cache
def parsed(name: str) -> Rule:
    (rule,) = [rule for rule in RULES if rule.name == name]
    return parse_rule(yaml.safe_load(rule.text))


def matched(rule: Rule, store: EventStore) -> set[Key]:
    rows = NativeEngine().match_rule(rule, store).rows(store)
    return {(ref.file, ref.record_id) for ref in store.refs(int(row) for row in rows)}


def positives(rule: StarterRule) -> set[Key]:
    return {(x.file, x.event_record_id) for x in LABELS if x.rule_id == rule.id and x.role == "positive"}


def iou(rule: StarterRule, condition: Node | None, store: EventStore) -> float:
    if condition is None:
        return 0.0
    found, wanted = matched(parsed(rule.name)._replace(condition=condition, conditions=()), store), positives(rule)
    return len(found & wanted) / len(found | wanted)


every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def test_the_shipped_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    generate(tmp_path)
    fresh = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()
    }
    shipped = {f"{LOGS}/{name}": path.read_bytes() for name, path in zip(NAMES, PATHS, strict=True)}
    shipped["labels.jsonl"] = (DATA / "labels.jsonl").read_bytes()
    assert fresh.keys() == shipped.keys()
    assert [name for name in fresh if fresh[name] != shipped[name]] == []


def test_rules_are_many_and_varied() -> None:
    logsources = {str(parsed(rule.name).logsource) for rule in RULES}
    assert len(RULES) >= 34
    assert len(logsources) >= 9
    assert len({rule.id for rule in RULES}) == len(RULES)
    modifiers = {m for rule in RULES for key in _keys(yaml.safe_load(rule.text)) for m in key.split("|")[1:]}
    assert modifiers >= {
        "contains", "all", "startswith", "endswith", "re", "i", "windash", "cidr", "exists",
        "wide", "base64offset", "fieldref", "gte", "lte",
    }  # fmt: skip


def _keys(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        return [key for name, child in node.items() for key in (str(name), *_keys(child))]
    return [key for child in node for key in _keys(child)] if isinstance(node, list) else []


@every_rule
def test_rule_is_complete_and_valid(rule: StarterRule) -> None:
    document = yaml.safe_load(rule.text)
    assert {"title", "id", "status", "description", "license", "author", "date", "tags"} <= document.keys()
    assert {"logsource", "detection", "falsepositives", "level"} <= document.keys()
    assert (document["author"], document["license"]) == ("SigmaForge", "Apache-2.0")
    oracle = SigmaRule.from_yaml(rule.text)
    assert oracle.errors == []
    for condition in oracle.detection.parsed_condition:
        assert condition.parsed is not None


@every_rule
def test_rule_matches_its_positives_and_nothing_else(rule: StarterRule, store: EventStore) -> None:
    assert len(positives(rule)) >= 3
    assert matched(parsed(rule.name), store) == positives(rule)


@every_rule
def test_rule_has_near_misses_that_say_what_they_break(rule: StarterRule) -> None:
    of_rule = [x for x in LABELS if x.rule_id == rule.id]
    others = [x for x in of_rule if x.role in ("near_miss", "filtered")]
    assert len(others) >= 4
    assert all(x.broken for x in others)
    has_filter = "not" in yaml.safe_load(rule.text)["detection"]["condition"].split()
    assert has_filter == any(x.role == "filtered" for x in of_rule)


@every_rule
def test_one_line_of_the_rule_is_not_enough(rule: StarterRule, store: EventStore) -> None:
    scores = {title: iou(rule, node, store) for title, node in single_tests(parsed(rule.name))}
    assert {title: score for title, score in scores.items() if score > MAX_IOU_OF_SINGLE_TEST} == {}


@every_rule
def test_everything_in_the_rule_matters(rule: StarterRule, store: EventStore) -> None:
    careless = {}
    for title, node in parts_left_out(parsed(rule.name).condition):
        limit = MAX_IOU_WITHOUT_CONDITION if title.startswith("without condition") else MAX_IOU_WITHOUT_VALUE
        # Where the fields of one event type imply its EventID, to leave it out is no mistake.
        if (score := iou(rule, node, store)) > limit and not _leaves_out_type_only(parsed(rule.name).condition, node):
            careless[title] = score
    assert careless == {}


def _leaves_out_type_only(whole: Node, rest: Node) -> bool:
    left_out = Counter(_all_tests(whole)) - Counter(_all_tests(rest))
    return all(test.field in ("EventID", "Provider_Name") for test in left_out)


def _all_tests(node: Node) -> list[FieldTest]:
    if isinstance(node, FieldTest):
        return [node]
    children = node.children if hasattr(node, "children") else (node.child,)
    return [test for child in children for test in _all_tests(child)]


@every_rule
def test_its_texts_without_fields_are_not_enough(rule: StarterRule, store: EventStore) -> None:
    condition = parsed(rule.name).condition
    is_about_keywords = any(test.field is None for test in held_tests(condition))
    assert is_about_keywords or iou(rule, as_keywords(condition), store) <= MAX_IOU_WITHOUT_CONDITION


@every_rule
def test_the_request_tells_but_does_not_show(rule: StarterRule) -> None:
    request = " ".join(rule.request.split())
    assert len(rule.request) <= 4_000
    for forbidden in ("detection:", "selection", "condition:", "|contains", "|endswith", "filter_"):
        assert forbidden not in request
    # Short texts (a hyphen, a dollar sign) are told in words; expressions and wildcards too.
    texts = [v for v in _values(yaml.safe_load(rule.text)["detection"]) if len(v.strip("\\")) > 2 and "*" not in v]
    missing = [v for v in texts if v.strip(" \\").lower() not in request.lower()]
    assert missing == []


def _values(detection: Any, key: str = "") -> list[str]:
    if isinstance(detection, Mapping):
        return [v for name, child in detection.items() if name != "condition" for v in _values(child, str(name))]
    if isinstance(detection, list):
        return [v for child in detection for v in _values(child, key)]
    told_in_words = {"re", "fieldref", "exists", "cidr"} & set(key.split("|")[1:])
    return [] if told_in_words or not isinstance(detection, str) else [detection]


def test_every_event_has_one_label() -> None:
    events = {(name, event.event.record_id) for name, log in read_all() for event in log}
    assert len(LABELS) == len(events) == sum(len(log) for _, log in read_all())
    assert {(label.file, label.event_record_id) for label in LABELS} == events


def test_background_is_a_fifth_of_the_logs_and_in_most_channels() -> None:
    roles = Counter(label.role for label in LABELS)
    assert roles["background"] >= 300
    in_background = {Path(label.file).name for label in LABELS if label.role == "background"}
    assert in_background == {Path(name).name for name in NAMES}


def test_time_and_record_ids_only_grow() -> None:
    for name, log in read_all():
        ids = [event.event.record_id or 0 for event in log]
        assert ids == list(range(ids[0], ids[0] + len(ids))), name
        times = [event.event.time for event in log]
        assert all(before < after for before, after in pairwise(times)), name


def test_a_process_start_is_logged_twice_with_one_process_id() -> None:
    by_host: dict[str, dict[int, FlatEvent]] = defaultdict(dict)
    pairs = 0
    for name, log in read_all():
        for event in log:
            if event.event.event_id == 4688 and name.startswith(("DEV-WS22", "SRV-APP01")):
                by_host[name.partition("/")[0]][event.event.time] = event.event
    for name, log in read_all():
        host = name.partition("/")[0]
        if "Sysmon" not in name or host not in by_host:
            continue
        for event in log:
            if event.event.event_id != 1:
                continue
            cells = event.event.data
            twin = max(time for time in by_host[host] if time < event.event.time)
            audited = by_host[host][twin].data
            assert int(str(audited["NewProcessId"]), 16) == int(str(cells["ProcessId"]))
            assert audited["CommandLine"] == cells["CommandLine"]
            pairs += 1
    assert pairs > 50


@pytest.mark.parametrize("name", NAMES)
def test_another_reader_reads_the_log(name: str) -> None:
    with Evtx.Evtx.Evtx(str(DATA / LOGS / name)) as log:
        assert log.get_file_header().verify()
        assert all(chunk.verify() for chunk in log.chunks())
        records = [record.record_num() for record in log.records()]
    assert len(records) == sum(1 for label in LABELS if label.file == name)


def test_labels_are_read_as_written(tmp_path: Path) -> None:
    labels = generate(tmp_path)
    assert read_labels(tmp_path) == labels
    assert isinstance(labels[0], Label)
