"""Which field of an event a rule's name means."""

import pytest

from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.schema import FieldSpec
from sigma_env.simulation.schemas import catalogue, resolve

START = catalogue().named("security-4688-v2")
OLD_START = catalogue().named("security-4688-v1")
SYSMON_START = catalogue().named("sysmon-1-v5")


def name_of(found: FieldSpec | str | None) -> str | None:
    return found.name if isinstance(found, FieldSpec) else found


@pytest.mark.parametrize(
    ("field", "category", "name"),
    [
        ("Image", "process_creation", "NewProcessName"),
        ("ParentImage", "process_creation", "ParentProcessName"),
        ("ProcessId", "process_creation", "NewProcessId"),
        ("ParentProcessId", "process_creation", "ProcessId"),
        ("LogonId", "process_creation", "SubjectLogonId"),
        ("IntegrityLevel", "process_creation", "MandatoryLabel"),
        ("User", "process_creation", "User"),
        ("CommandLine", "process_creation", "CommandLine"),
        ("OriginalFileName", "process_creation", None),
        ("Image", None, "NewProcessName"),
        ("ProcessId", None, "ProcessId"),
        ("User", None, None),
        ("IntegrityLevel", None, None),
    ],
)
def test_a_process_start_of_security_has_the_categorys_fields(field: str, category: str | None, name: str | None):
    assert name_of(resolve(START, field, category)) == name


def test_an_old_process_start_has_no_parent():
    assert resolve(OLD_START, "ParentImage", "process_creation") is None
    assert name_of(resolve(OLD_START, "Image", "process_creation")) == "NewProcessName"


def test_names_are_compared_with_case():
    assert name_of(resolve(SYSMON_START, "CommandLine")) == "CommandLine"
    assert resolve(SYSMON_START, "Commandline") is None


def test_spaces_vanish_or_become_underscores():
    defender = catalogue().of_event("Microsoft-Windows-Windows Defender/Operational", 5007)[0]
    assert name_of(resolve(defender, "NewValue")) == name_of(resolve(defender, "New_Value")) == "New Value"
    assert resolve(defender, "New Value") is None


def test_system_names_are_answered_by_the_schema_itself():
    assert resolve(SYSMON_START, "Provider_Name") == "Provider_Name"
    assert resolve(SYSMON_START, "EventID") == "EventID"


def test_unnamed_values_are_data():
    engine = catalogue().of_event("Windows PowerShell", 400)[0]
    found = resolve(engine, "Data")
    assert isinstance(found, FieldSpec)
    assert found.name is None
    assert resolve(catalogue().of_event(SYSMON, 3)[0], "Data") is None


def test_pseudo_aliases_do_not_reach_other_events():
    assert resolve(catalogue().of_event(SECURITY, 4689)[0], "Image", "process_creation") is None
