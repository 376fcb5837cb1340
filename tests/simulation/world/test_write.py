"""Written logs: what they say of processes, sessions and times holds together, and equal input is equal bytes."""

import hashlib
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sigma_env.events.flatten import FlatEvent
from sigma_env.events.reader import Problem, read_logs
from sigma_env.sigma.taxonomy import SECURITY, SYSMON
from sigma_env.simulation.draft import Draft, Role
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world import Company, Written, background, fill, write, write_logs

COMPANY = Company.default()
MACHINE_GUID = slice(0, 8)


def drafts() -> list[Draft]:
    """Background, with many process starts and what they do later."""
    rng = random.Random(5)
    found = background(COMPANY, 5, 900)
    for name in ("sysmon-1-v5", "security-4688-v2", "sysmon-1-v5", "sysmon-11-v2", "sysmon-10-v3"):
        schema = catalogue().named(name)
        for _ in range(60):
            scene = COMPANY.scene(rng, schema)
            found.append(Draft(schema, fill(schema, {}, scene, COMPANY), scene, "background"))
    return found


DRAFTS = drafts()


class Logs:
    """Simulated logs, read again by this project's reader."""

    def __init__(self, folder: Path, written: list[Written]) -> None:
        self.folder = folder
        self.written = written
        self.files: dict[str, list[FlatEvent]] = {}
        paths = sorted(folder.rglob("*.*"))
        for path, items in zip(paths, read_logs(paths), strict=True):
            events = self.files[path.relative_to(folder).as_posix()] = []
            for item in items:
                assert not isinstance(item, Problem), item
                events.append(item.event)

    def by_host(self) -> Iterator[list[FlatEvent]]:
        """All events of each host, in the order of time."""
        hosts: defaultdict[str, list[FlatEvent]] = defaultdict(list)
        for name, events in self.files.items():
            hosts[name.partition("/")[0]] += events
        for events in hosts.values():
            yield sorted(events, key=lambda event: event.time)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    folder = tmp_path_factory.mktemp("logs")
    return Logs(folder, write_logs(DRAFTS, COMPANY, folder, seed=1))


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def processes(event: FlatEvent) -> Iterator[tuple[Any, Any, Any]]:
    """(GUID, process id, image) of each process that an event of Sysmon names."""
    data = event.data
    for prefix, guid in (("", "Guid"), ("Parent", "Guid"), ("Source", "GUID"), ("Target", "GUID"), ("Source", "Guid")):
        name = f"{prefix}Process{guid}"
        if name in data:
            yield data[name], data[f"{prefix}ProcessId"], data[f"{prefix}Image"]


class TestFiles:
    def test_every_draft_is_written_and_read_again(self, logs: Logs) -> None:
        assert {entry.draft for entry in logs.written} == set(range(len(DRAFTS)))
        assert sum(map(len, logs.files.values())) == len(logs.written)

    def test_where_a_draft_was_said_to_stand_it_stands(self, logs: Logs) -> None:
        for entry in logs.written:
            event, draft = logs.files[entry.file][entry.position], DRAFTS[entry.draft]
            assert event.record_id == entry.event_record_id
            assert event.system["Computer"] == COMPANY.host(draft.scene.host).fqdn
            if not entry.twin:
                assert (event.channel, event.event_id) == (draft.schema.channel, draft.schema.event_id)
                for name, text in draft.values.items():
                    if isinstance(text, str) and isinstance(event.data.get(name), str):
                        assert event.data[name] == text

    def test_files_are_named_as_windows_names_them(self, logs: Logs) -> None:
        assert "DC01/Microsoft-Windows-Sysmon%4Operational.evtx" in logs.files
        for name, events in logs.files.items():
            host, _, file = name.partition("/")
            assert {event.channel for event in events} == {file.removesuffix(".evtx").replace("%4", "/")}
            assert {event.system["Computer"] for event in events} == {COMPANY.host(host).fqdn}

    def test_record_ids_grow_with_time(self, logs: Logs) -> None:
        for events in logs.files.values():
            ids, times = [event.record_id for event in events], [event.time for event in events]
            assert ids == list(range(ids[0] or 0, (ids[0] or 0) + len(ids)))
            assert all(earlier < later for earlier, later in pairwise(times))

    def test_json_lines_hold_what_evtx_holds(self, logs: Logs, tmp_path: Path) -> None:
        write_logs(DRAFTS, COMPANY, tmp_path, seed=1, log_format="jsonl")
        lines = Logs(tmp_path, [])
        assert {name.replace(".jsonl", ".evtx") for name in lines.files} == logs.files.keys()
        for name, events in logs.files.items():
            for event, line in zip(events, lines.files[name.replace(".evtx", ".jsonl")], strict=True):
                assert (line.time, line.record_id, line.event_id) == (event.time, event.record_id, event.event_id)
                assert {n: str(v) for n, v in line.data.items() if v} == {n: str(v) for n, v in event.data.items() if v}


class TestProcesses:
    def test_a_guid_is_one_process_with_one_id_and_image(self, logs: Logs) -> None:
        for events in logs.by_host():
            known: dict[Any, tuple[Any, Any]] = {}
            for event in events:
                if event.channel == SYSMON:
                    for guid, pid, image in processes(event):
                        assert known.setdefault(guid, (pid, str(image).lower())) == (pid, str(image).lower())
            assert len({guid[MACHINE_GUID] for guid, (pid, _) in known.items() if pid}) <= 1

    def test_a_process_starts_once_and_nothing_refers_to_it_before(self, logs: Logs) -> None:
        starts = 0
        for events in logs.by_host():
            started: set[Any] = set()
            seen: set[Any] = set()
            for event in events:
                if event.channel != SYSMON:
                    continue
                guids = {guid for guid, _, _ in processes(event)}
                if event.event_id == 1:
                    guid = event.data["ProcessGuid"]
                    assert guid not in started | seen
                    started.add(guid)
                    starts += 1
                seen |= guids
        assert starts > 150

    def test_nothing_refers_to_a_process_after_its_end(self, logs: Logs) -> None:
        ends = 0
        for events in logs.by_host():
            ended: set[Any] = set()
            for event in events:
                if event.channel == SYSMON:
                    assert not {guid for guid, _, _ in processes(event)} & ended
                    if event.event_id == 5:
                        ended.add(event.data["ProcessGuid"])
            ends += len(ended)
        assert ends > 5

    def test_parents_keep_their_command_line(self, logs: Logs) -> None:
        for events in logs.by_host():
            lines: dict[Any, Any] = {}
            for event in events:
                if (event.channel, event.event_id) == (SYSMON, 1):
                    lines[event.data["ProcessGuid"]] = event.data["CommandLine"]
                    parent = event.data["ParentProcessGuid"]
                    assert lines.setdefault(parent, event.data["ParentCommandLine"]) == event.data["ParentCommandLine"]

    def test_hosts_that_log_both_tell_every_start_twice(self, logs: Logs) -> None:
        twins = 0
        for entry in logs.written:
            if not entry.twin:
                continue
            twins += 1
            assert COMPANY.host(DRAFTS[entry.draft].scene.host).profile == "both"
            first = next(e for e in logs.written if e.draft == entry.draft and not e.twin)
            pair = {e.channel: e.data for e in (logs.files[x.file][x.position] for x in (first, entry))}
            sysmon, audited = pair[SYSMON], pair[SECURITY]
            assert sysmon["Image"] == audited["NewProcessName"]
            assert sysmon["CommandLine"] == audited.get("CommandLine", sysmon["CommandLine"])
            assert sysmon["ProcessId"] == int(str(audited["NewProcessId"]), 16)
            assert sysmon["ParentProcessId"] == int(str(audited["ProcessId"]), 16)
            if not str(sysmon["User"]).startswith("NT AUTHORITY"):  # those are started by the machine's account
                assert sysmon["LogonId"] == audited["SubjectLogonId"]
        both = [d for d in DRAFTS if COMPANY.host(d.scene.host).profile == "both"]
        assert twins == sum((d.schema.channel, d.schema.event_id) in ((SYSMON, 1), (SECURITY, 4688)) for d in both) > 30


class TestSessions:
    def test_a_logon_id_belongs_to_one_account_and_one_logon_guid(self, logs: Logs) -> None:
        for events in logs.by_host():
            guids: dict[Any, Any] = {}
            owners: dict[Any, Any] = {}
            for event in events:
                data = event.data
                if (event.channel, event.event_id) == (SYSMON, 1):
                    assert guids.setdefault(data["LogonId"], data["LogonGuid"]) == data["LogonGuid"]
                    assert owners.setdefault(data["LogonId"], data["User"]) == data["User"]
            assert len(set(guids.values())) == len(guids)

    def test_a_logoff_ends_a_logon_of_the_same_account_or_one_from_before(self, logs: Logs) -> None:
        ended = 0
        for events in logs.by_host():
            begun: dict[Any, Any] = {}
            for event in events:
                data = event.data
                if (event.channel, event.event_id) == (SECURITY, 4624):
                    begun[data["TargetLogonId"]] = data["TargetUserSid"]
                elif (event.channel, event.event_id) == (SECURITY, 4634):
                    ended += data["TargetLogonId"] in begun
                    assert begun.pop(data["TargetLogonId"], data["TargetUserSid"]) == data["TargetUserSid"]
        assert ended

    def test_the_two_parts_of_the_company_share_no_ids(self, logs: Logs) -> None:
        ids: dict[bool, set[Any]] = {False: set(), True: set()}
        for entry in logs.written:
            event = logs.files[entry.file][entry.position]
            if (event.channel, event.event_id) == (SYSMON, 1):
                pilot = COMPANY.host(DRAFTS[entry.draft].scene.host).pilot
                ids[pilot] |= {event.data["ProcessId"], event.data["LogonGuid"], event.data["ProcessGuid"]}
        assert ids[True]
        assert not ids[False] & ids[True]


class TestBytes:
    def test_order_and_numbers_do_not_depend_on_what_a_draft_is_for(self, logs: Logs, tmp_path: Path) -> None:
        roles: tuple[Role, ...] = ("positive", "near_miss", "filtered")
        changed = [
            draft._replace(role=roles[at % 3], rule_id=f"rule-{at % 7}", branch=at, broken="selection.Image")
            for at, draft in enumerate(DRAFTS)
        ]
        write_logs(changed, COMPANY, tmp_path, seed=1)
        assert digest(tmp_path) == digest(logs.folder)

    def test_the_number_of_processes_does_not_matter(
        self, logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(write, "_WORTH_A_PROCESS", 0)
        assert write_logs(DRAFTS, COMPANY, tmp_path, seed=1, processes=2) == logs.written
        assert digest(tmp_path) == digest(logs.folder)

    def test_another_seed_gives_another_order(self, logs: Logs, tmp_path: Path) -> None:
        assert write_logs(DRAFTS, COMPANY, tmp_path, seed=2) != logs.written

    @pytest.mark.parametrize("hash_seed", ["1", "77"])
    def test_another_process_with_other_hashes_writes_the_same_bytes(self, tmp_path: Path, hash_seed: str) -> None:
        code = (
            "import sys; from pathlib import Path\n"
            "from sigma_env.simulation.world import Company, background, write_logs\n"
            "company = Company.default()\n"
            "write_logs(background(company, 3, 400), company, Path(sys.argv[1]), seed=3)\n"
        )
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment)
        write_logs(background(COMPANY, 3, 400), COMPANY, tmp_path / "here", seed=3)
        assert digest(tmp_path / "there") == digest(tmp_path / "here")


class TestDrafts:
    def one(self, tmp_path: Path, **values: str) -> FlatEvent:
        schema = catalogue().named("sysmon-1-v5")
        scene = COMPANY.scene(random.Random(1), schema)
        draft = Draft(schema, fill(schema, values, scene, COMPANY), scene, "positive", "rule")
        written = write_logs([draft], COMPANY, tmp_path, seed=1)
        return Logs(tmp_path, written).files[written[0].file][0]

    def test_a_volatile_value_that_is_given_is_kept(self, tmp_path: Path) -> None:
        event = self.one(tmp_path, ProcessId="4712", LogonId="0x3e7")
        assert (event.data["ProcessId"], event.data["LogonId"]) == (4712, "0x3e7")

    def test_a_draft_that_lacks_a_field_is_refused(self, tmp_path: Path) -> None:
        schema = catalogue().named("sysmon-1-v5")
        scene = COMPANY.scene(random.Random(1), schema)
        draft = Draft(schema, {"Image": "C:\\a.exe", "RuleName": "-"}, scene, "near_miss", "rule-7")
        with pytest.raises(SimulationError, match=r"near_miss of rule rule-7\): \['Comm.* have no value; .* fill\(\)"):
            write_logs([draft], COMPANY, tmp_path, seed=1)

    def test_a_value_that_its_field_cannot_hold_is_refused_and_leaves_no_log(self, tmp_path: Path) -> None:
        with pytest.raises(SimulationError, match=r"sysmon-1-v5 on .* ProcessId \(uint32\) cannot hold 'many'"):
            self.one(tmp_path, ProcessId="many")
        assert not list(tmp_path.rglob("*.evtx"))
