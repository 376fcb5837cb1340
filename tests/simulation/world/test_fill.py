"""fill: a complete event of a few values; the same for whatever it is made for."""

import random
import re

import pytest

from sigma_env.simulation.draft import FieldValue, Scene
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.schemas.encode import encode
from sigma_env.simulation.schemas.plausible import cannot_hold
from sigma_env.simulation.world import Company, fill

COMPANY = Company.default()
PROCESS = catalogue().named("sysmon-1-v5")
AUDITED = catalogue().named("security-4688-v2")


def scene(kind: str = "sysmon-1-v5", seed: int = 0, **needs: str) -> Scene:
    return COMPANY.scene(random.Random(seed), catalogue().named(kind), **needs)  # type: ignore[arg-type]


def filled(kind: str, seed: int = 0, user: str | None = None, **given: FieldValue) -> dict[str, FieldValue]:
    schema = catalogue().named(kind)
    where = COMPANY.scene(random.Random(seed), schema, user=user)
    return fill(schema, given, where, COMPANY)


class TestEveryKind:
    @pytest.mark.parametrize("user", [None, "SYSTEM"])
    def test_every_field_that_is_not_volatile_gets_a_text_that_it_can_hold(self, user: str | None) -> None:
        rng = random.Random(1)
        for schema in catalogue():
            for _ in range(3):
                values = fill(schema, {}, COMPANY.scene(rng, schema, user=user), COMPANY)
                unnamed = iter(values.get("Data", ()))
                for spec in schema.fields:
                    if spec.volatile:
                        assert spec.name not in values
                        continue
                    text = next(unnamed) if spec.name is None else values[spec.name]
                    assert isinstance(text, str)
                    encode(spec, text)
                    assert cannot_hold(spec, text) is None, (schema.name, spec.name, text)

    def test_it_is_a_function_of_schema_scene_and_values(self) -> None:
        rng = random.Random(2)
        for schema in list(catalogue())[::7]:
            where = COMPANY.scene(rng, schema)
            first = fill(schema, {}, where, COMPANY)
            for other in list(catalogue())[::50]:
                fill(other, {}, COMPANY.scene(rng, other), COMPANY)
            assert fill(schema, {}, where, Company.default()) == first

    def test_given_values_win_and_stay_as_they_are(self) -> None:
        given = {"Image": "C:\\X\\Y.EXE", "CommandLine": "y /Q", "ProcessId": "4712", "Hashes": "MD5=00"}
        values = fill(PROCESS, given, scene(), COMPANY)
        assert {name: values[name] for name in given} == given
        assert given == {"Image": "C:\\X\\Y.EXE", "CommandLine": "y /Q", "ProcessId": "4712", "Hashes": "MD5=00"}

    def test_filling_a_complete_event_changes_nothing(self) -> None:
        rng = random.Random(3)
        for schema in catalogue():
            where = COMPANY.scene(rng, schema)
            values = fill(schema, {}, where, COMPANY)
            assert fill(schema, values, where, COMPANY) == values

    def test_a_field_that_the_event_has_not_is_refused(self) -> None:
        with pytest.raises(SimulationError, match=r"sysmon-1-v5 has no field \['Imgae'\]"):
            fill(PROCESS, {"Imgae": "x"}, scene(), COMPANY)


class TestProcesses:
    def test_command_line_and_image_belong_together(self) -> None:
        for seed in range(60):
            values = filled("sysmon-1-v5", seed)
            name = re.sub(r"\.\w+$", "", str(values["Image"]).rpartition("\\")[2]).lower()
            assert name in str(values["CommandLine"]).lower()

    def test_a_given_image_brings_its_own_command_line(self) -> None:
        values = filled("sysmon-1-v5", Image="C:\\Windows\\System32\\notepad.exe")
        assert "notepad.exe" in str(values["CommandLine"])

    def test_a_given_command_line_brings_its_image(self) -> None:
        assert filled("sysmon-1-v5", CommandLine="whoami /all")["Image"] == "C:\\Windows\\System32\\whoami.exe"
        quoted = filled("sysmon-1-v5", CommandLine='"C:\\A B\\c.exe" -x')
        assert quoted["Image"] == "C:\\A B\\c.exe"

    def test_renaming_a_program_does_not_change_what_it_says_of_itself(self) -> None:
        where = scene(program="certutil.exe")
        original = fill(PROCESS, {"Image": "C:\\Windows\\System32\\certutil.exe"}, where, COMPANY)
        renamed = fill(PROCESS, {"Image": "C:\\Users\\Public\\c.exe"}, where, COMPANY)
        for name in ("Description", "Company", "Product", "OriginalFileName", "FileVersion", "Hashes"):
            assert renamed[name] == original[name]
        assert original["OriginalFileName"] == "CertUtil.exe"

    @pytest.mark.parametrize(
        ("user", "level"), [("SYSTEM", "System"), ("adm_keller", "High"), ("m.lindqvist", "Medium")]
    )
    def test_integrity_follows_from_the_account(self, user: str, level: str) -> None:
        assert filled("sysmon-1-v5", user=user)["IntegrityLevel"] == level
        label = {"System": "S-1-16-16384", "High": "S-1-16-12288", "Medium": "S-1-16-8192"}[level]
        assert filled("security-4688-v2", user=user)["MandatoryLabel"] == label

    def test_a_given_user_decides_on_integrity(self) -> None:
        values = filled("sysmon-1-v5", user="m.lindqvist", User="NT AUTHORITY\\SYSTEM")
        assert values["IntegrityLevel"] == "System"

    def test_both_sources_tell_of_the_same_process(self) -> None:
        both = next(host for host in COMPANY.hosts.values() if host.profile == "both" and host.windows_age == 0)
        for number in range(50):
            where = Scene(both.name, both.user, number * 7919)
            one, other = fill(PROCESS, {}, where, COMPANY), fill(AUDITED, {}, where, COMPANY)
            assert one["Image"] == other["NewProcessName"]
            assert one["CommandLine"] == other["CommandLine"]
            assert one["ParentImage"] == other["ParentProcessName"]


class TestPeopleAndAddresses:
    def test_a_person_has_the_name_domain_and_sid_of_the_account(self) -> None:
        account = COMPANY.account("m.lindqvist")
        values = filled("security-4663-v1", user="m.lindqvist")
        assert values["SubjectUserName"] == account.name
        assert values["SubjectUserSid"] == account.sid
        assert values["SubjectDomainName"] == COMPANY.domain.name

    def test_the_system_acts_under_the_name_of_its_machine(self) -> None:
        where = scene("security-4663-v1", user="SYSTEM")
        values = fill(catalogue().named("security-4663-v1"), {}, where, COMPANY)
        assert values["SubjectUserName"] == f"{where.host}$"
        assert values["SubjectUserSid"] == "S-1-5-18"

    @pytest.mark.parametrize(
        ("name", "sid"),
        [
            ("Domain Admins", f"{COMPANY.domain.sid}-512"),
            ("Administrators", "S-1-5-32-544"),
            ("ANONYMOUS LOGON", "S-1-5-7"),
            ("adm_keller", COMPANY.account("adm_keller").sid),
        ],
    )
    def test_a_given_name_brings_its_sid(self, name: str, sid: str) -> None:
        assert filled("security-4732-v0", TargetUserName=name)["TargetSid"] == sid

    def test_a_logon_of_a_given_type_looks_like_one(self) -> None:
        network = filled("security-4624-v2", user="m.lindqvist", LogonType="3")
        assert network["SubjectUserSid"] == "S-1-0-0"
        assert network["IpAddress"] in {host.ip for host in COMPANY.hosts.values()}
        at_the_screen = filled("security-4624-v2", user="m.lindqvist", LogonType="2")
        assert at_the_screen["LogonProcessName"] == "User32 "
        assert at_the_screen["IpAddress"] == "127.0.0.1"

    def test_connections_leave_from_the_host_and_ports_have_names(self) -> None:
        where = scene("sysmon-3-v5", user="m.lindqvist")
        schema = catalogue().named("sysmon-3-v5")
        values = fill(schema, {"DestinationPort": "3389", "DestinationIp": "2001:db8::7"}, where, COMPANY)
        assert values["SourceIp"] == COMPANY.host(where.host).ip
        assert values["DestinationPortName"] == "ms-wbt-server"
        assert values["DestinationIsIpv6"] == "true"
        assert fill(schema, {"Initiated": "false"}, where, COMPANY)["DestinationIp"] == COMPANY.host(where.host).ip

    def test_a_file_that_is_no_program_has_no_imphash(self) -> None:
        assert str(filled("sysmon-23-v5", TargetFilename="C:\\a.txt")["Hashes"]).endswith("IMPHASH=" + "0" * 32)
        assert not str(filled("sysmon-23-v5", TargetFilename="C:\\a.exe")["Hashes"]).endswith("IMPHASH=" + "0" * 32)

    def test_an_unsigned_library_has_no_signature(self) -> None:
        values = filled("sysmon-7-v3", Signed="false")
        assert (values["Signature"], values["SignatureStatus"]) == ("-", "Unavailable")
