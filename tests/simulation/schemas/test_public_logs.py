"""The schemas against the public logs and SigmaHQ's rules: what they hold, and what they lack, counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sigma_env.events.flatten import FlatEvent
from sigma_env.events.partition import Partition
from sigma_env.events.reader import ReadEvent, read_logs
from sigma_env.scoring.folding import Folding, fixed_values
from sigma_env.sigma import event_fields
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.schema import EventSchema, FieldSpec
from sigma_env.simulation.schemas import cannot_hold, catalogue, resolve
from sigma_env.simulation.schemas.field_table import made_of
from sigma_env.simulation.schemas.kinds import DATA
from sigma_env.simulation.schemas.make import table_text
from tests.real import Real


def test_the_packaged_table_is_what_is_made_of_the_logs(real: Real):
    assert table_text(real.logs) == (DATA / "logs.json").read_text(encoding="utf-8")


def test_the_linters_table_is_what_is_made_of_logs_and_schemas(real: Real):
    path = Path(event_fields.__file__).with_suffix(".json")
    assert made_of(real.store.partitions) == path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def counts(real: Real) -> tuple[Counter[str], Counter[str]]:
    """Per outcome, and per schema: events whose fields another reader shows in the schema's order."""
    order = {schema.name: names_of(schema) for schema in catalogue()}
    outcomes: Counter[str] = Counter()
    like: Counter[str] = Counter()
    for event in events_of(real.logs):
        schemas = [
            schema
            for schema in catalogue().of_event(event.channel, event.event_id)
            if schema.provider == event.system.get("Provider_Name")
        ]
        names = tuple(name for name in event.data if name != "EventData_Name")
        same = [schema.name for schema in schemas if order[schema.name] == names]
        like.update(same)
        outcomes["same" if same else "other" if schemas else "no schema"] += 1
    return outcomes, like


class TestOrderOfFields:
    def test_real_events_have_the_fields_of_a_schema_in_its_order(self, counts: tuple[Counter[str], Counter[str]]):
        # No schema: traces without a channel, UserData with lists, and an intruder's own provider.
        assert counts[0] == {"same": 24_839, "no schema": 428, "other": 31}

    def test_each_schema_of_the_logs_is_that_of_a_real_event(self, counts: tuple[Counter[str], Counter[str]]):
        assert [schema.name for schema in catalogue() if schema.origin == "logs" and not counts[1][schema.name]] == []


def names_of(schema: EventSchema) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.name or "Data" for spec in schema.fields))


def events_of(folders: list[Path]) -> Iterator[FlatEvent]:
    """The events of all logs; equal files once."""
    by_content = {
        hashlib.sha256(path.read_bytes()).digest(): path
        for folder in folders
        for path in sorted(folder.rglob("*.evtx"), reverse=True)
    }
    for items in read_logs(list(by_content.values())):
        yield from (item.event for item in items if isinstance(item, ReadEvent))


class TestWhatFieldsCanHold:
    def test_real_values_are_accepted(self, real: Real):
        refused: Counter[tuple[str, str]] = Counter()
        total = 0
        for partition in real.store.partitions:
            for name, specs, values in columns(partition):
                total += sum(values.values())
                wrong = {text: n for text, n in values.items() if all(cannot_hold(spec, text) for spec in specs)}
                if wrong:
                    refused[partition.channel, name] += sum(wrong.values())
        assert total > 280_000
        assert sum(refused.values()) / total < 0.001
        # GUIDs in braces come from exports by way of XML, the images are damaged memory, the share was renamed.
        assert refused == {
            ("Security", "LogonGuid"): 44,
            ("Security", "TransactionId"): 29,
            ("Microsoft-Windows-Sysmon/Operational", "SourceImage"): 6,
            ("Microsoft-Windows-Sysmon/Operational", "TargetImage"): 1,
            ("Security", "ShareLocalPath"): 2,
        }


def columns(partition: Partition) -> Iterator[tuple[str, list[FieldSpec], dict[str, int]]]:
    """By field of a partition's events: its specifications in all schemas of them, and how often it has which text."""
    for info in partition.infos:
        column = None if info.system else partition.column(info.name)
        found = (resolve(schema, info.name) for schema in catalogue().of_event(partition.channel, partition.event_id))
        specs = [spec for spec in found if isinstance(spec, FieldSpec)]
        if column is not None and specs:
            first = column.codes[(column.codes >= 0) & (column.codes < column.n_values)]
            counts = np.bincount(first, minlength=column.n_values).tolist()
            yield info.name, specs, {column.value(code): max(count, 1) for code, count in enumerate(counts)}


@pytest.fixture(scope="module")
def rules(real: Real) -> list[tuple[str, Rule]]:
    return [(loaded.path.stem, loaded.rule) for loaded in real.rules if loaded.rule is not None]


class TestSigmaHQ:
    def test_rules_without_a_schema_are_those_that_no_event_log_serves(self, rules: list[tuple[str, Rule]]):
        without = {name: rule.logsource.category for name, rule in rules if not schemas_of(rule)}
        etw_only = {name for name, category in without.items() if category in ("file_access", "file_rename")}
        assert len(etw_only) == 15
        # Its filter names the channel that all of its events are in.
        assert without.keys() - etw_only == {"win_system_eventlog_cleared"}

    def test_fields_that_no_schema_of_a_rule_has(self, rules: list[tuple[str, Rule]]):
        missing: Counter[tuple[str, str]] = Counter()
        for _, rule in rules:
            lacking = [lacking_fields(schema, rule) for schema in schemas_of(rule)]
            for field in set.intersection(*lacking) if lacking else ():
                missing[rule.logsource.category or str(rule.logsource.service), field] += 1
        assert missing == MISSING

    def test_rules_that_hold_on_no_event_that_has_only_the_fields_of_its_schema(self, rules: list[tuple[str, Rule]]):
        unsatisfiable = set()
        for name, rule in rules:
            folding = Folding(rule.condition)
            absent = [
                {**fixed(schema), **dict.fromkeys(lacking_fields(schema, rule), frozenset((None,)))}
                for schema in schemas_of(rule)
            ]
            if absent and all(folding.truth(values) is False for values in absent):
                unsatisfiable.add(name)
        assert unsatisfiable == NEEDS_ANOTHER_FIELD


# Counts of rules by logsource and field. SigmaHQ's authors mean logs of other products here, or the message's text.
MISSING = {
    ("application", "Message"): 2,
    ("create_remote_thread", "SourceCommandLine"): 1,
    ("create_remote_thread", "SourceParentImage"): 2,
    ("create_remote_thread", "TargetParentProcessId"): 1,
    ("file_event", "CommandLine"): 4,
    ("file_event", "IntegrityLevel"): 1,
    ("file_event", "ParentCommandLine"): 1,
    ("file_event", "ParentImage"): 3,
    ("image_load", "CommandLine"): 3,
    ("network_connection", "CommandLine"): 4,
    ("network_connection", "ParentImage"): 3,
    ("process_access", "SourceCommandLine"): 1,
    ("process_creation", "GrandParentImage"): 2,
    ("security", "FileName"): 1,
    ("system", "ProcessId"): 1,
}
NEEDS_ANOTHER_FIELD = {
    "file_event_win_exchange_webshell_drop",
    "file_event_win_exchange_webshell_drop_suspicious",
    "file_event_win_ntds_dit_uncommon_parent_process",
    "file_event_win_wdac_policy_creation_in_codeintegrity_folder",
    "net_connection_win_malware_pikabot_rundll32_activity",
    "net_connection_win_susp_binary_no_cmdline",
    "net_connection_win_wuauclt_network_connection",
    "win_mssql_sp_maggie",
    "win_software_atera_rmm_agent_install",
    "win_system_service_install_sups_unusal_client",
}


def schemas_of(rule: Rule) -> list[EventSchema]:
    """The schemas of events on which a rule's condition is not false whatever their fields hold."""
    folding = Folding(rule.condition)
    return [schema for schema in catalogue().selectable(rule.logsource) if folding.truth(fixed(schema)) is not False]


def lacking_fields(schema: EventSchema, rule: Rule) -> set[str]:
    """The fields that a rule tests and an event of the schema does not have."""
    fields = {test.field for test in field_tests(rule.condition) if test.field is not None}
    return {field for field in fields if resolve(schema, field, rule.logsource.category) is None}


def fixed(schema: EventSchema) -> dict[str, Any]:
    return {**fixed_values(schema.channel, schema.event_id), "Provider_Name": frozenset((schema.provider,))}
