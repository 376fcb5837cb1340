"""Rewritten rules match what the reference matches, on any events."""

from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError
from sigma_env.events.store import EventStore
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rewrite import to_yaml
from sigma_env.sigma.yaml import load_mapping
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.equivalents import equivalents
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.task import Task
from tests.engines.strategies import documents, events


def task(reference: str | dict[str, Any]) -> Task:
    text = reference if isinstance(reference, str) else to_yaml(reference)
    return Task(request="r", reference=text, logsource={}, split="train", source="test")


def answer(text: str) -> dict[str, Any]:
    """The document that an answer is read as."""
    read = parse_answer(text)
    assert read.status == "ok", read.reason
    assert read.yaml_text is not None
    return load_mapping(read.yaml_text)


def matches(text: str, store: EventStore) -> Matches:
    read = parse_answer(text)
    assert read.rule is not None, read.reason
    [found] = NativeEngine().match([read.rule], store)
    assert isinstance(found, Matches)
    return found


@given(documents(), events())
@settings(max_examples=150, deadline=None)
def test_equivalents_match_the_same_events_whatever_the_rule(
    document: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    try:
        parse_rule(document)
    except RuleError:
        assume(False)
    store = EventStore.from_documents(rows)
    asked = task(document)
    wanted = matches(reference_answer(asked), store)
    answers = equivalents(asked)
    assert len(answers) >= 10
    for name, text in answers:
        assert matches(text, store) == wanted, name


def test_every_task_of_a_dataset_has_at_least_ten_that_earn_what_the_reference_does(small: Dataset) -> None:
    for one in small.tasks:
        wanted = small.truth(one, NativeEngine()).true
        assert matches(reference_answer(one), small.store) == wanted
        answers = equivalents(one)
        assert len({name for name, _ in answers}) == len(answers) >= 10
        for name, text in answers:
            assert matches(text, small.store) == wanted, (one.source, name)


REFERENCE = r"""
title: A title
author: Somebody
logsource: {category: registry_set, product: windows}
detection:
  target: {TargetObject|endswith: '\Run\', Details|contains|all: [Power, Shell]}
  number: {EventID: 13, ProcessId: [4, 0x17]}
  kept: {Image|re: 'Keep[A-Z]', Hashes|cased: Keep}
  other: {Image|startswith: 'C:\Temp\', Image: x}
  condition: target and number and not (kept or other)
"""


def rewritten(name: str, reference: str = REFERENCE) -> dict[str, Any]:
    return answer(dict(equivalents(task(reference)))[name])


def test_the_reference_answer_is_logsource_and_detection_only() -> None:
    document = answer(reference_answer(task(REFERENCE)))
    assert list(document) == ["logsource", "detection"]
    assert document["detection"] == reference_rule(task(REFERENCE)).document["detection"]


def test_de_morgan_negates_the_negation() -> None:
    condition = rewritten("de_morgan")["detection"]["condition"]
    assert condition.startswith("not (")
    assert " or " in condition


def test_selections_are_split_one_per_field() -> None:
    detection = rewritten("selections_split")["detection"]
    assert all(len(lines) == 1 for name, lines in detection.items() if name != "condition")


def test_selections_are_merged_where_fields_differ() -> None:
    detection = rewritten("selections_merged")["detection"]
    assert detection["merged"].keys() == {"TargetObject|endswith", "Details|contains|all", "EventID", "ProcessId"}
    assert "merged and (not (" in detection["condition"]


def test_wildcards_replace_modifiers_and_escape_no_wildcard() -> None:
    detection = rewritten("wildcards_for_modifiers")["detection"]
    assert detection["target"] == {"TargetObject": "*\\Run\\", "Details|all": ["*Power*", "*Shell*"]}
    assert detection["other"] == {"Image|startswith": "C:\\Temp\\", "Image": "x"}
    single = "{logsource: {service: sysmon}, detection: {s: {Image|startswith: 'C:\\Temp\\'}, condition: s}}"
    assert rewritten("wildcards_for_modifiers", single)["detection"]["s"] == {"Image": "C:\\Temp\\\\*"}


def test_numbers_are_quoted() -> None:
    assert rewritten("quoted_numbers")["detection"]["number"] == {"EventID": "13", "ProcessId": ["4", "23"]}


def test_case_is_changed_only_where_it_does_not_count() -> None:
    detection = rewritten("other_case")["detection"]
    assert detection["target"]["Details|contains|all"] == ["pOWER", "sHELL"]
    assert detection["kept"] == {"Image|re": "Keep[A-Z]", "Hashes|cased": "Keep"}


def test_a_sysmon_category_is_a_service_and_an_event_id() -> None:
    document = rewritten("service_and_event_id")
    assert document["logsource"] == {"product": "windows", "service": "sysmon"}
    assert document["detection"]["kind"] == {"EventID": 13}


@pytest.mark.parametrize("logsource", ["{category: process_creation}", "{service: security}", "{product: windows}"])
def test_a_logsource_without_one_channel_and_event_ids_keeps_its_name(logsource: str) -> None:
    reference = f"{{logsource: {logsource}, detection: {{s: {{Image: x}}, condition: s}}}}"
    assert "service_and_event_id" not in dict(equivalents(task(reference)))


def test_a_category_with_two_event_ids_is_asked_for_redundantly_with_both() -> None:
    reference = "{logsource: {category: pipe_created}, detection: {s: {PipeName: x}, condition: s}}"
    assert rewritten("redundant_event_id", reference)["detection"]["kind"] == {"EventID": [17, 18]}


def test_a_service_is_asked_for_redundantly_with_its_channels() -> None:
    reference = "{logsource: {service: powershell}, detection: {s: {EventID: 4104}, condition: s}}"
    kind = rewritten("redundant_channel", reference)["detection"]["kind"]
    assert kind == {"Channel": ["Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"]}


def test_quantifiers_are_written_out_and_chains_become_quantifiers() -> None:
    reference = "{logsource: {service: sysmon}, detection: {a_1: {x: 1}, a_2: {y: 2}, b: [k], condition: 1 of a_*}}"
    assert rewritten("quantifiers_expanded", reference)["detection"]["condition"] == "a_1 or a_2"
    assert rewritten("quantifier", reference)["detection"]["condition"] == "1 of part_*"


def test_a_list_of_conditions_is_or() -> None:
    reference = "{logsource: {service: sysmon}, detection: {a: {x: 1}, b: {y: 2}, condition: a or not b}}"
    assert rewritten("condition_list", reference)["detection"]["condition"] == ["a", "not b"]


def test_a_list_of_values_is_a_list_of_maps() -> None:
    reference = "{logsource: {service: sysmon}, detection: {a: {x: [1, 2], y: 3}, condition: a}}"
    assert rewritten("list_of_maps", reference)["detection"]["a"] == [{"x": 1, "y": 3}, {"x": 2, "y": 3}]


def test_names_that_no_condition_can_write_are_replaced() -> None:
    reference = "{logsource: {service: sysmon}, detection: {'not': {x: 1}, 'a b': {y: 2}, condition: 1 of them}}"
    condition = rewritten("quantifiers_expanded", reference)["detection"]["condition"]
    assert condition == "selection1 or selection2"


def test_a_long_reference_gets_no_form_that_no_answer_may_have() -> None:
    reference = yaml.safe_dump(
        {
            "logsource": {"service": "sysmon"},
            "detection": {"s": {"x": [str(n) for n in range(1500)]}, "condition": "s"},
        }
    )
    names = dict(equivalents(task(reference)))
    assert "values_repeated" not in names
    assert len(names) >= 10


def test_a_reference_that_is_no_rule_is_named() -> None:
    with pytest.raises(DatasetError, match=r"test.*cannot be run: 'logsource' is missing"):
        equivalents(task("{detection: {s: {x: 1}, condition: s}}"))
