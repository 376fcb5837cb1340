"""Sysmon's RuleName can be matched nowhere: the program reads it in real logs, so it is not asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.chainsaw import ChainsawEngine
from sigma_env.engines.chainsaw_verdict import names_of_verdict
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import EngineError
from sigma_env.events.partition import _VERDICT
from sigma_env.events.store import EventStore
from sigma_env.sigma.chainsaw_fields import is_verdict_path
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from tests.engines.chainsaw.recordings import calls, hunt, logs, replaying, rule, written

pytestmark = pytest.mark.usefixtures("empty_machine")

MAPPING = """
kind: evtx
rules: sigma
groups:
  - name: Sysmon
    fields:
      - {name: Image, from: Image, to: Event.EventData.Image}
      - {name: Verdict, from: Verdict, to: Event.EventData.RuleName}
      - {from: Inner, to: RuleName, container: {field: Event.EventData, format: kv}}
      - {from: RuleName, to: Event.EventData.Description}
"""


def asking(field: str, condition: str = "s") -> Rule:
    selection = json.dumps({field: "technique_id=T1059"})
    return written(f"logsource: {{category: process_creation}}\ndetection: {{s: {selection}, condition: {condition}}}")


@pytest.mark.parametrize(
    "field",
    [
        "Event.EventData.RuleName",
        "Event.EventData.RuleName|contains",
        "int(Event.EventData.RuleName)",
        "of(Event.EventData.RuleName, 1)",
        "not(Event.EventData.RuleName)",
        "Odd.Event.EventData.RuleName",  # looked up again from the root
        "Event.EventData.RuleName[0]",
    ],
)
def test_the_program_is_not_given_a_rule_that_can_reach_it(field: str, tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    [result] = engine.match([asking(field)], logs(tmp_path, "sim.evtx"))
    assert isinstance(result, Unsupported)
    assert "can't be matched" in result.reason
    assert calls(engine) == []


def test_a_condition_can_reach_it_too(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    [result] = engine.match([asking("Image", "s and Event.EventData.RuleName == 5")], logs(tmp_path, "sim.evtx"))
    assert isinstance(result, Unsupported)


def test_the_other_rules_of_the_batch_are_run_in_their_places(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [hunt("one-rule-simulated", "certutil")])
    store = logs(tmp_path, "sim.evtx")
    first, second, third = engine.match(
        [asking("Event.EventData.RuleName"), rule("certutil"), asking("Event.EventData.RuleName")], store
    )
    assert isinstance(second, Matches)
    assert len(second) == 85
    assert isinstance(first, Unsupported)
    assert isinstance(third, Unsupported)


@pytest.mark.parametrize(
    "field", ["Event.EventData.RuleNameLength", "Event.EventData.OldRuleName", "Event.EventData.Data", "Image"]
)
def test_other_names_are_no_path_to_it(field: str) -> None:
    assert not is_verdict_path(field)


def test_both_places_mean_the_same_field() -> None:
    assert is_verdict_path(f"Event.EventData.{_VERDICT}")


def test_a_mapping_of_ones_own_gives_it_no_other_name(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    engine.chainsaw.mapping.write_text(MAPPING, encoding="utf-8")
    assert names_of_verdict(engine.chainsaw.mapping) == {"Verdict", "Inner"}
    engine = ChainsawEngine(engine.chainsaw.program)
    store = logs(tmp_path, "sim.evtx")
    for field in ("Verdict", "Inner|contains", "str(Verdict)"):
        [result] = engine.match([asking(field)], store)
        assert isinstance(result, Unsupported)


def test_a_mapping_that_is_no_yaml_is_an_error(tmp_path: Path) -> None:
    engine = replaying(tmp_path / "bin", [])
    engine.chainsaw.mapping.write_text("groups: [", encoding="utf-8")
    with pytest.raises(EngineError, match="mapping file cannot be read"):
        ChainsawEngine(engine.chainsaw.program)


def test_no_native_meaning_finds_it() -> None:
    system = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"},
        "TimeCreated_attributes": {"SystemTime": "2026-01-01T00:00:00.000000Z"},
    }
    store = EventStore.from_documents([{"Event": {"System": system, "EventData": {"RuleName": "technique_id=T1059"}}}])
    rule = parse_rule(asking("RuleName").document)
    assert NativeEngine().match([rule], store) == [Matches({})]
    [partition] = store.partitions
    assert partition.event_data_column("RuleName") is None
    assert "RuleName" not in list(partition.event_data_names())
