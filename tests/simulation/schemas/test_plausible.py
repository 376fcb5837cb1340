"""What a field can hold, and in which form readers show it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas import cannot_hold, catalogue, encode, rendered
from tests.simulation.schemas.samples import sample

START = catalogue().of_event(SYSMON, 1)[0].by_name
LOGON = catalogue().of_event(SECURITY, 4624)[0].by_name
CONNECTION = catalogue().of_event(SYSMON, 3)[0].by_name
REGISTRY = catalogue().of_event(SYSMON, 13)[0].by_name
ACCESS = catalogue().of_event(SYSMON, 10)[0].by_name
PIPE = catalogue().of_event(SYSMON, 17)[0].by_name


def test_every_field_can_hold_its_choices():
    for schema in catalogue():
        for spec in schema.fields:
            refused = [text for text in spec.choices if cannot_hold(spec, text)]
            assert not refused, (schema.name, spec.name, refused)


def test_what_a_field_can_hold_can_be_written():
    for schema in catalogue():
        for spec in schema.fields:
            assert cannot_hold(spec, sample(spec)) is None, (schema.name, spec)
            encode(spec, sample(spec))


SPECS = sorted({spec for schema in catalogue() for spec in schema.fields}, key=repr)
TEXTS = st.one_of(
    st.text(max_size=40),
    st.integers(-(2**33), 2**65).map(str),
    st.integers(0, 2**65).map(hex),
    st.uuids().map(lambda value: str(value).upper()),
    st.datetimes().map(str),
    st.lists(st.integers(0, 2**33), min_size=2, max_size=17).map(lambda parts: "S-1-" + "-".join(map(str, parts))),
    st.binary(max_size=20).map(lambda value: value.hex().upper()),
    st.sampled_from(["", "-", "true", "false", "C:\\a.exe"]),
)


@given(st.sampled_from(SPECS), TEXTS)
def test_whatever_is_accepted_can_be_written_and_is_shown_as_it_is(spec: FieldSpec, text: str):
    if cannot_hold(spec, text) is None:
        encode(spec, text)
        assert rendered(spec, text) == text


def test_a_choice_of_few_has_choices():
    for schema in catalogue():
        for spec in schema.fields:
            assert spec.kind is not FieldKind.ENUM or spec.choices, (schema.name, spec.name)
            assert not (spec.volatile and spec.choices), (schema.name, spec.name)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (START["Image"], "C:\\Windows\\System32\\cmd.exe"),
        (START["Image"], "\\\\server\\share\\tool.exe"),
        (START["Image"], "\\Device\\HarddiskVolume3\\Windows\\explorer.exe"),
        (START["Image"], "System"),
        (START["Image"], "Registry"),
        (START["Image"], "<unknown process>"),
        (START["Image"], "-"),
        (START["Image"], ""),
        (START["CommandLine"], 'anything <at> all | "of" it\n'),
        (START["IntegrityLevel"], "System"),
        (START["LogonId"], "0x3e7"),
        (START["ProcessGuid"], "5770385F-C22A-43E0-BF4C-06F5698FFBD9"),
        (START["Hashes"], "SHA1=EE8CBF12D87C4D388F09B4F69BED2E91682920B5,MD5=AD7B9C14083B52BC532FBA5948342B98"),
        (START["User"], "NT AUTHORITY\\SYSTEM"),
        (LOGON["LogonType"], "10"),
        (LOGON["IpAddress"], "::ffff:10.0.0.1"),
        (LOGON["IpAddress"], "-"),
        (LOGON["IpPort"], "0"),
        (LOGON["SubjectUserSid"], "S-1-5-18"),
        (CONNECTION["DestinationIp"], "fe80:0:0:0:80ac:4126:fa58:1b81"),
        (CONNECTION["DestinationPort"], "65535"),
        (CONNECTION["Initiated"], "true"),
        (REGISTRY["TargetObject"], "HKU\\S-1-5-21-1\\Software\\x"),
        (ACCESS["GrantedAccess"], "0x1fffff"),
        (PIPE["PipeName"], "<Anonymous Pipe>"),
    ],
)
def test_what_windows_writes_is_accepted(spec: FieldSpec, text: str):
    assert cannot_hold(spec, text) is None


@pytest.mark.parametrize(
    ("spec", "text", "why"),
    [
        (START["Image"], "cmd.exe", "absolute path"),
        (START["Image"], "\\cmd.exe", "absolute path"),
        (START["Image"], "C:\\Windows\\", "absolute path"),
        (START["Image"], "C:\\a*b.exe", "absolute path"),
        (START["Image"], "C:\\a\x07.exe", "absolute path"),
        (START["IntegrityLevel"], "S-1-16-16384", "one of 'System'"),
        (START["LogonId"], "999", "hexadecimal number"),
        (START["LogonId"], "0x3E7", "as '0x3e7'"),
        (START["LogonId"], "0x03e7", "hexadecimal number"),
        (START["ProcessId"], "4294967296", "number of a process"),
        (START["ProcessId"], "07", "number of a process"),
        (START["ProcessGuid"], "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", "guid"),
        (START["ProcessGuid"], "5770385f-c22a-43e0-bf4c-06f5698ffbd9", "as '5770385F"),
        (START["Hashes"], "imphash", "hashes"),
        (START["UtcTime"], "yesterday", "a time"),
        (START["Description"], "a\nb", "one line"),
        (LOGON["LogonType"], "6", "one of"),
        (LOGON["IpAddress"], "10.0.0.256", "IP address"),
        (LOGON["IpPort"], "65536", "port"),
        (LOGON["SubjectUserSid"], "SYSTEM", "SID"),
        (CONNECTION["DestinationPort"], "65536", "port"),
        (CONNECTION["Initiated"], "True", "as 'true'"),
        (CONNECTION["Protocol"], "icmp", "one of 'tcp'"),
        (REGISTRY["TargetObject"], "\\Software\\x", "hive"),
        (REGISTRY["EventType"], "CreateKey", "one of 'SetValue'"),
        (ACCESS["GrantedAccess"], "1fffff", "hex32"),
        (PIPE["PipeName"], "spoolss", "backslash"),
        (START["CommandLine"], "a\0b", "NUL"),
        (START["CommandLine"], "x" * 40_000, "characters"),
    ],
)
def test_what_no_event_shows_is_refused_with_the_reason(spec: FieldSpec, text: str, why: str):
    reason = cannot_hold(spec, text)
    assert reason is not None
    assert why in reason


@pytest.mark.parametrize(
    ("spec", "text", "shown"),
    [
        (START["LogonId"], "0X3E7", "0x3e7"),
        (START["IntegrityLevel"], "SYSTEM", "System"),
        (START["IntegrityLevel"], "S-1-16-16384", None),
        (START["ProcessGuid"], "5770385f-c22a-43e0-bf4c-06f5698ffbd9", "5770385F-C22A-43E0-BF4C-06F5698FFBD9"),
        (CONNECTION["Initiated"], "TRUE", "true"),
        (LOGON["SubjectUserSid"], "s-1-5-18", "S-1-5-18"),
        (START["CommandLine"], "CMD /c", "CMD /c"),
        (START["ProcessId"], "four", None),
    ],
)
def test_a_text_is_brought_into_the_form_that_readers_show(spec: FieldSpec, text: str, shown: str | None):
    assert rendered(spec, text) == shown
