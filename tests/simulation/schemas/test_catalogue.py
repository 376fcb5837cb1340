"""The catalogue holds the schemas of both files, finds them by event, logsource and name, and refuses what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sigma_env.events.flatten import scalars
from sigma_env.events.reader import ReadEvent, read_log
from sigma_env.events.writer import Event, EvtxWriter
from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.taxonomy import SECURITY, SYSMON, fixed_fields, select, services
from sigma_env.simulation.schema import EventSchema
from sigma_env.simulation.schemas import Catalogue, body, catalogue
from sigma_env.simulation.schemas.catalogue import load_catalogue
from sigma_env.simulation.schemas.errors import SchemaError
from sigma_env.simulation.schemas.kinds import FIELD_TYPES
from tests.simulation.schemas.samples import sample_values

NOW = datetime(2025, 1, 31, 8, 15, tzinfo=UTC)


def test_no_two_schemas_are_the_same_event():
    seen = [
        (s.channel, s.event_id, s.provider, s.version, s.keywords, tuple(spec.name for spec in s.fields))
        for s in catalogue()
    ]
    assert len(set(seen)) == len(seen) == len(catalogue())


def test_a_schema_is_found_by_its_name():
    for schema in catalogue():
        assert catalogue().named(schema.name) is schema
    with pytest.raises(SchemaError, match="sysmon-99"):
        catalogue().named("sysmon-99")


def test_the_names_of_a_schemas_fields_differ_as_rules_see_them():
    for schema in catalogue():
        named = [spec for spec in schema.fields if spec.name is not None]
        assert len(schema.by_name) == len(named), schema.name
        assert {spec.type for spec in schema.fields} <= FIELD_TYPES


def test_unnamed_values_stand_alone_but_for_the_binary_behind_them():
    for schema in catalogue():
        if any(spec.name is None for spec in schema.fields):
            assert {spec.name for spec in schema.fields} <= {None, "Binary"}, schema.name


def test_the_newest_version_of_an_event_comes_first():
    assert [s.version for s in catalogue().of_event("security", 4624)] == [3, 2, 1, 0]
    starts = catalogue().of_event(SYSMON, 1)
    assert "ParentUser" in starts[0].by_name
    assert "ParentUser" not in starts[1].by_name
    assert starts[0].version == starts[1].version == 5


def test_audits_of_success_and_failure_are_schemas_of_their_own():
    keywords = {hex(schema.keywords) for schema in catalogue().of_event(SECURITY, 4673)}
    assert keywords == {"0x8020000000000000", "0x8010000000000000"}


def test_an_event_without_schema_has_none():
    assert catalogue().of_event(SYSMON, 999) == ()


@pytest.mark.parametrize(
    ("logsource", "events"),
    [
        (LogSource(category="process_creation", product="windows"), {(SYSMON, 1), (SECURITY, 4688)}),
        (LogSource(category="registry_event"), {(SYSMON, 12), (SYSMON, 13), (SYSMON, 14)}),
        (LogSource(category="process_creation", service="security"), {(SECURITY, 4688)}),
        (LogSource(product="linux"), set()),
        (LogSource(category="file_access"), set()),
    ],
)
def test_a_logsource_selects_the_schemas_of_its_events(logsource: LogSource, events: set[tuple[str, int]]):
    found = catalogue().selectable(logsource)
    assert {(schema.channel, schema.event_id) for schema in found} == events
    assert {schema.name for schema in found} == {s.name for event in events for s in catalogue().of_event(*event)}


def test_a_logsource_without_category_and_service_selects_all():
    assert len(catalogue().selectable(LogSource(product="windows"))) == len(catalogue())


def test_the_services_without_schemas_are_those_that_no_rule_of_sigmahq_names():
    without = {name for name in services() if not catalogue().selectable(LogSource(service=name))}
    unused = {"dhcp", "hyper-v-worker", "kernel-event-tracing", "kernel-shimengine", "ntfs", "sense", "vhdmp"}
    assert without == unused


def test_the_taxonomy_says_the_same_of_providers():
    for schema in catalogue():
        known = fixed_fields(schema.channel, schema.event_id).get("Provider_Name")
        xp = schema.channel == SECURITY and schema.event_id < 1000
        assert known is None or schema.provider in known or xp, schema.name
    assert select(LogSource(service="security")).targets


def test_sysmons_event_types_are_those_of_the_taxonomy():
    for schema in catalogue():
        types = fixed_fields(schema.channel, schema.event_id).get("EventType")
        if types is not None and "EventType" in schema.by_name:
            assert set(schema.by_name["EventType"].choices) == types, schema.name


def test_every_schema_can_be_written_and_read_back(tmp_path: Path):
    path = tmp_path / "all.evtx"
    schemas = list(catalogue())
    with EvtxWriter(path) as log:
        for number, schema in enumerate(schemas, 1):
            log.write(event(schema, number))
    read = [item.event for item in read_log(path) if isinstance(item, ReadEvent)]
    assert len(read) == len(schemas)
    for schema, flat in zip(schemas, read, strict=True):
        values = sample_values(schema)
        assert (flat.channel, flat.event_id) == (schema.channel, schema.event_id)
        assert [name for name in flat.data if name != "EventData_Name"] == list(
            dict.fromkeys(spec.name or "Data" for spec in schema.fields)
        ), schema.name
        for name, expected in values.items():
            shown = tuple(text_of(value) for value in scalars(flat.data[name]))
            assert shown == ((expected,) if isinstance(expected, str) else expected), (schema.name, name)


def text_of(value: object) -> str:
    if value is None:
        return ""  # readers show an empty value as null
    return str(value).lower() if isinstance(value, bool) else str(value)


def event(schema: EventSchema, number: int) -> Event:
    return Event(
        provider=schema.provider,
        provider_guid=schema.provider_guid,
        provider_source=schema.provider_source,
        event_id=schema.event_id,
        version=schema.version,
        level=schema.level,
        task=schema.task,
        opcode=schema.opcode,
        keywords=schema.keywords,
        qualifiers=schema.qualifiers,
        channel=schema.channel,
        computer="PC1.contoso.com",
        time=NOW,
        record_id=number,
        **body(schema, sample_values(schema)),
    )


class TestBody:
    schema = catalogue().named("system-service-control-manager-7045-v0")

    def test_needs_a_text_for_every_field(self):
        values = sample_values(self.schema)
        del values["ImagePath"]
        with pytest.raises(SchemaError, match="ImagePath has no text"):
            body(self.schema, values)

    def test_knows_no_other_field(self):
        with pytest.raises(SchemaError, match=r"no field for Image$"):
            body(self.schema, sample_values(self.schema) | {"Image": "C:\\a.exe"})

    def test_counts_the_unnamed(self):
        classic = catalogue().of_event("Windows PowerShell", 400)[0]
        with pytest.raises(SchemaError, match="no field for an unnamed value"):
            body(classic, {"Data": ("Available", "None", "", "more"), "Binary": ""})

    @pytest.mark.parametrize(
        ("name", "text"),
        [("ProcessId", "0x10"), ("LogonId", "999x"), ("ProcessGuid", "{nothing}"), ("TerminalSessionId", "-1")],
    )
    def test_refuses_what_a_type_cannot_hold(self, name: str, text: str):
        schema = catalogue().of_event(SYSMON, 1)[0]
        with pytest.raises(SchemaError, match=name):
            body(schema, sample_values(schema) | {name: text})


class TestWrongFiles:
    def folder(self, tmp_path: Path, row: dict[str, object]) -> Path:
        (tmp_path / "logs.json").write_text(json.dumps([row]), encoding="utf-8")
        (tmp_path / "project.yml").write_text("[]", encoding="utf-8")
        return tmp_path

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ({"id": 1, "provider": "P"}, "channel"),
            ({"channel": "C", "id": 1, "provider": "P", "fields": "A:text"}, "'text' is no type"),
            ({"channel": "C", "id": 1, "provider": "P", "colour": 3}, "unknown keys colour"),
            ({"channel": "C", "id": 1, "provider": "P", "keywords": "none"}, "none"),
        ],
    )
    def test_the_message_names_event_and_fault(self, tmp_path: Path, row: dict[str, object], message: str):
        with pytest.raises(SchemaError, match=message):
            load_catalogue(self.folder(tmp_path, row))

    def test_two_schemas_of_one_name(self):
        schema = catalogue().named("sysmon-1-v5")
        with pytest.raises(SchemaError, match="sysmon-1-v5"):
            Catalogue([schema, replace(schema, level=2)])
