from __future__ import annotations

import pytest

from sigma_env.sigma.rule import LogSource
from sigma_env.sigma.taxonomy import (
    SECURITY,
    SYSMON,
    Target,
    categories,
    event_types,
    fixed_fields,
    select,
    services,
)
from sigma_env.sigma.yaml import load_mapping


def target(channel: str, *event_ids: int) -> Target:
    return Target(channel, frozenset(event_ids) or None)


POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational")


@pytest.mark.parametrize(
    ("logsource", "targets"),
    [
        (LogSource("process_creation"), (target(SYSMON, 1), target(SECURITY, 4688))),
        (LogSource("process_creation", "windows"), (target(SYSMON, 1), target(SECURITY, 4688))),
        (LogSource("process_creation", None, "sysmon"), (target(SYSMON, 1),)),
        (LogSource("process_creation", "windows", "security"), (target(SECURITY, 4688),)),
        (LogSource("registry_event"), (target(SYSMON, 12, 13, 14),)),
        (LogSource("registry_set"), (target(SYSMON, 13),)),
        (LogSource("registry_add"), (target(SYSMON, 12),)),
        (LogSource("registry_delete"), (target(SYSMON, 12),)),
        (LogSource("network_connection"), (target(SYSMON, 3),)),
        (LogSource("ps_script"), tuple(target(channel, 4104) for channel in POWERSHELL)),
        (LogSource("ps_module", None, "powershell"), tuple(target(channel, 4103) for channel in POWERSHELL)),
        (LogSource(None, None, "powershell"), tuple(target(channel) for channel in POWERSHELL)),
        (LogSource("ps_classic_start"), (target("Windows PowerShell", 400),)),
        (LogSource(None, "windows", "security"), (target(SECURITY),)),
        (LogSource(None, None, "sysmon"), (target(SYSMON),)),
        (LogSource(None, None, "smbclient-connectivity"), (target("Microsoft-Windows-SmbClient/Connectivity"),)),
        (LogSource(None, None, "smbserver-connectivity"), (target("Microsoft-Windows-SMBServer/Connectivity"),)),
        (LogSource(None, "windows", None), (Target(None, None),)),
    ],
)
def test_a_logsource_selects_channels_and_event_ids(logsource: LogSource, targets: tuple[Target, ...]) -> None:
    selected = select(logsource)
    assert selected.targets == targets
    assert selected.note is None


@pytest.mark.parametrize(
    ("logsource", "note"),
    [
        (LogSource("dnsquery"), "unknown category 'dnsquery' selects no event; the nearest is 'dns_query'"),
        (LogSource(None, None, "sysmn"), "unknown service 'sysmn' selects no event; the nearest is 'sysmon'"),
        (LogSource("sysmon"), "unknown category 'sysmon' selects no event; 'sysmon' is a service"),
        (LogSource(None, None, "dns_query"), "unknown service 'dns_query' selects no event; 'dns_query' is a category"),
        (LogSource("webserver"), "unknown category 'webserver' selects no event"),
        (LogSource("process_creation", None, "nothing"), "unknown service 'nothing' selects no event"),
        (LogSource("x" * 100), f"unknown category '{'x' * 64}…' selects no event"),
        (LogSource("process_creation", "linux"), "product 'linux' has no Windows events; write 'product: windows'"),
        (
            LogSource("dns_query", None, "security"),
            "category 'dns_query' and service 'security' have no event in common; leave one out",
        ),
    ],
)
def test_what_selects_nothing_says_why(logsource: LogSource, note: str) -> None:
    assert select(logsource) == ((), note, False)


@pytest.mark.parametrize("category", ["file_access", "file_rename"])
def test_categories_of_etw_alone_have_no_event_source(category: str) -> None:
    selected = select(LogSource(category, "windows"))
    assert selected.targets == ()
    assert selected.no_event_source
    assert selected.note is not None
    assert "no event source" in selected.note


def test_every_logsource_of_sigmahq_is_known(sigmahq: dict[str, str]) -> None:
    names = [load_mapping(text)["logsource"] for text in sigmahq.values()]
    assert {name["category"] for name in names if "category" in name} <= set(categories())
    assert {name["service"] for name in names if "service" in name} <= set(services())
    logsources = [LogSource(name.get("category"), name.get("product"), name.get("service")) for name in names]
    assert all(select(logsource).targets or select(logsource).no_event_source for logsource in logsources)
    assert sum(select(logsource).no_event_source for logsource in logsources) == 15


def test_every_name_selects_something_or_has_no_source() -> None:
    for category in categories():
        assert select(LogSource(category)).targets or select(LogSource(category)).no_event_source
    for service in services():
        assert select(LogSource(None, None, service)).targets


def test_an_events_type_fixes_some_fields() -> None:
    assert fixed_fields(SYSMON, 1) == {
        "Channel": {SYSMON},
        "EventID": {"1"},
        "Provider_Name": {"Microsoft-Windows-Sysmon"},
    }
    assert fixed_fields(SYSMON, 12)["EventType"] == {"CreateKey", "CreateValue", "DeleteKey", "DeleteValue"}
    assert fixed_fields(SYSMON.upper(), 13)["EventType"] == {"SetValue"}
    assert fixed_fields(SECURITY, 4688)["Provider_Name"] == {"Microsoft-Windows-Security-Auditing"}
    assert fixed_fields(SECURITY, 1102)["Provider_Name"] == {"Microsoft-Windows-Eventlog"}
    assert "Provider_Name" not in fixed_fields(SECURITY, 9)
    assert "Provider_Name" not in fixed_fields("System", 7045)


def test_registry_categories_mean_some_of_their_event_types() -> None:
    of_event_id_12 = fixed_fields(SYSMON, 12)["EventType"]
    add, delete = event_types("registry_add"), event_types("registry_delete")
    assert add is not None
    assert delete is not None
    assert add | delete == of_event_id_12
    assert add & delete == frozenset()
    assert event_types("registry_set") is None
    assert event_types("process_creation") is None
