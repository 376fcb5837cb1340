"""Private datasets from rules and EVTX files, end to end, and what becomes of them on disk."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE, stores_dir
from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import DatasetError, DatasetNotBuilt, StoreError
from sigma_env.events.binxml import ValueType, number, string
from sigma_env.events.store import EventStore
from sigma_env.events.writer import Event, EvtxWriter
from sigma_env.sigma.rule import Rule
from sigma_env.tasks.build import build_private
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.folder import LEFT_OUT, MANIFEST, TASKS, dataset_folder
from sigma_env.tasks.leakage import leakage
from sigma_env.tasks.reference import reference_rule

SYSMON = "Microsoft-Windows-Sysmon/Operational"
RULE = """
title: {title}
description: {description}
author: A. Nalyst
license: MIT
tags: [attack.t1059]
logsource: {{category: process_creation, product: windows}}
detection:
  selection: {{{line}}}
  condition: selection
"""
RULES = {
    "whoami.yml": RULE.format(
        title="Somebody asks who they are", description="Discovery by whoami.", line=r"Image|endswith: '\whoami.exe'"
    ),
    "deep/net.yml": RULE.format(
        title="Accounts listed", description="The net tool lists users.", line="CommandLine|contains: net user"
    ),
    "silent.yml": RULE.format(title="Never seen", description="Nothing.", line="Image: nothing"),
    "broken.yml": "title: [",
    "linux.yml": "{title: L, logsource: {product: linux}, detection: {s: {a: b}, condition: s}}",
    "expand.yml": RULE.format(title="E", description="E", line="User|expand: '%admins%'"),
    "nameless.yml": "{logsource: {category: process_creation}, detection: {s: {Image|contains: who}, condition: s}}",
}
PROCESSES = [
    (r"C:\Windows\System32\whoami.exe", "whoami /all"),
    (r"C:\Windows\System32\net.exe", "net user /domain"),
    (r"C:\Windows\System32\net.exe", "net view"),
    (r"C:\Windows\System32\whoami.exe", "whoami /all"),
    (r"C:\Windows\explorer.exe", "explorer"),
]


def write_log(path: Path, processes: Sequence[tuple[str, str]] = PROCESSES) -> None:
    with EvtxWriter(path) as log:
        for at, (image, command) in enumerate(processes):
            log.write(
                Event(
                    provider="Microsoft-Windows-Sysmon",
                    event_id=1,
                    version=5,
                    time=datetime(2026, 1, 2, 3, 4, at, tzinfo=UTC),
                    record_id=100 + at,
                    channel=SYSMON,
                    computer="HOST",
                    data=[
                        ("UtcTime", string(f"2026-01-02 03:04:0{at}")),
                        ("ProcessId", number(ValueType.UINT32, 1000 + at)),
                        ("Image", string(image)),
                        ("CommandLine", string(command)),
                    ],
                )
            )


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with rules and logs, and an empty cache."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    for name, text in RULES.items():
        file = tmp_path / "rules" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "logs").mkdir()
    write_log(tmp_path / "logs" / "host.evtx")
    return tmp_path


def build(own: Path, name: str = "mine") -> Dataset:
    build_private(name, [own / "rules"], [own / "logs"])
    return load_dataset(name)


class TestPrivateDataset:
    def test_every_rule_that_fires_becomes_a_task(self, own: Path) -> None:
        dataset = build(own)
        assert [task.source for task in sorted(dataset.tasks, key=lambda t: t.source)] == [
            "mine:deep/net.yml",
            "mine:whoami.yml",
        ]
        task = next(t for t in dataset.tasks if t.source == "mine:whoami.yml")
        assert task.request == "Somebody asks who they are\n\nDiscovery by whoami."
        assert (task.author, task.licence, task.tags) == ("A. Nalyst", "MIT", ("attack.t1059",))
        assert task.logsource == {"category": "process_creation", "product": "windows"}
        assert task.reference == RULES["whoami.yml"]

    def test_every_other_rule_is_named_with_the_reason(self, own: Path) -> None:
        manifest = build(own).manifest
        assert manifest.rules_read == 7
        assert manifest.left_out == {
            "bad_yaml": 1, "no_event_source": 1, "no_match": 1, "no_request": 1, "unsupported": 1,
        }  # fmt: skip
        lines = [json.loads(line) for line in (dataset_folder("mine") / LEFT_OUT).read_text().splitlines()]
        reasons = {line["source"].removeprefix("mine:"): (line["reason"], line["detail"]) for line in lines}
        assert reasons.keys() == RULES.keys() - {"whoami.yml", "deep/net.yml"}
        assert "product 'linux' has no Windows events" in reasons["linux.yml"][1]
        assert "expand" in reasons["expand.yml"][1]

    def test_the_truth_is_what_the_reference_matches_less_repetitions(self, own: Path) -> None:
        dataset = build(own)
        task = next(t for t in dataset.tasks if t.source == "mine:whoami.yml")
        truth = dataset.truth(task, NativeEngine())
        assert [dataset.store.ref(int(row)).record_id for row in truth.true.rows(dataset.store)] == [100, 103]
        assert [dataset.store.ref(int(row)).record_id for row in truth.scored.rows(dataset.store)] == [100]

    def test_a_rule_of_which_no_event_counts_is_left_out(self, own: Path) -> None:
        extra = own / "logs" / "events.jsonl"
        security = {"Channel": "Security", "EventID": 4688, "NewProcessName": "C:\\tool.exe"}
        extra.write_text(json.dumps(security) + "\n")
        (own / "rules" / "undecided.yml").write_text(
            "{title: U, logsource: {category: process_creation}, detection: {s: {Image|endswith: tool.exe},"
            " f: {OriginalFileName: tool.exe}, condition: s and not f}}"
        )
        sysmon = {"Channel": SYSMON, "EventID": 1, "Image": "a", "OriginalFileName": "b"}
        extra.write_text("".join(json.dumps(event) + "\n" for event in (security, sysmon)))
        build_private("mine", [own / "rules"], [own / "logs", extra])
        assert load_dataset("mine").manifest.left_out["nothing_scored"] == 1

    def test_a_rule_that_asks_for_the_same_again_is_left_out(self, own: Path) -> None:
        (own / "rules" / "zz-copy.yml").write_text(RULES["whoami.yml"])
        lines = [
            json.loads(line) for line in (build(own) and dataset_folder("mine") / LEFT_OUT).read_text().splitlines()
        ]
        [copy] = [line for line in lines if line["reason"] == "duplicate"]
        assert copy["source"] == "mine:zz-copy.yml"
        assert "mine:whoami.yml" in copy["detail"]

    def test_each_document_of_a_file_is_a_rule(self, own: Path) -> None:
        both = f"{RULES['whoami.yml']}---{RULES['deep/net.yml'].replace('net user', 'net view')}"
        (own / "both.yml").write_text(both)
        build_private("two", [own / "both.yml"], [own / "logs"])
        tasks = load_dataset("two").tasks
        assert sorted(task.source for task in tasks) == ["two:both.yml#1", "two:both.yml#2"]
        assert all("author: A. Nalyst" in task.reference and task.licence == "MIT" for task in tasks)
        assert len({reference_rule(task).condition for task in tasks}) == 2

    @pytest.mark.parametrize(
        "name", ["starter", "sigmahq-real", "SigmaHQ-mine", "../up", "a/b", "", ".hidden", "x" * 65]
    )
    def test_a_name_that_cannot_be_used_is_refused(self, own: Path, name: str) -> None:
        with pytest.raises(DatasetError, match="name"):
            build_private(name, [own / "rules"], [own / "logs"])

    def test_paths_without_rules_or_logs_are_named(self, own: Path) -> None:
        with pytest.raises(DatasetError, match="absent does not exist"):
            build_private("mine", [own / "absent"], [own / "logs"])
        with pytest.raises(DatasetError, match="no rule file"):
            build_private("mine", [own / "logs"], [own / "logs"])
        with pytest.raises(StoreError, match=r"no \.evtx file"):
            build_private("mine", [own / "rules"], [own / "rules"])

    def test_without_a_task_there_is_no_dataset(self, own: Path) -> None:
        with pytest.raises(DatasetError, match=r"none of 1 rules.*no_match.*silent\.yml"):
            build_private("mine", [own / "rules" / "silent.yml"], [own / "logs"])
        with pytest.raises(DatasetNotBuilt):
            load_dataset("mine")


class TestOnDisk:
    def test_equal_inputs_give_equal_bytes(self, own: Path) -> None:
        build(own)
        first = {file.name: file.read_bytes() for file in dataset_folder("mine").iterdir()}
        assert first.keys() == {MANIFEST, TASKS, LEFT_OUT, "truth-native-sigma-1.json"}
        build(own)
        assert {file.name: file.read_bytes() for file in dataset_folder("mine").iterdir()} == first

    def test_another_process_with_another_hash_seed_gives_them_too(self, own: Path) -> None:
        build(own)
        first = {file.name: file.read_bytes() for file in dataset_folder("mine").iterdir()}
        shutil.rmtree(own / "cache")
        code = "import sys; from pathlib import Path; from sigma_env.tasks.build import build_private;"
        code += "build_private('mine', [Path(sys.argv[1])], [Path(sys.argv[2])])"
        arguments = [sys.executable, "-c", code, str(own / "rules"), str(own / "logs")]
        subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
        assert {file.name: file.read_bytes() for file in dataset_folder("mine").iterdir()} == first

    def test_no_leftovers_stay(self, own: Path) -> None:
        build(own)
        build(own)
        assert [file.name for file in dataset_folder("mine").parent.iterdir()] == ["mine"]

    def test_a_failed_build_leaves_the_old_dataset(self, own: Path) -> None:
        before = build(own).tasks
        with pytest.raises(DatasetError):
            build_private("mine", [own / "rules" / "silent.yml"], [own / "logs"])
        assert load_dataset("mine").tasks == before

    def test_a_new_build_replaces_what_is_loaded(self, own: Path) -> None:
        assert len(build(own).tasks) == 2
        (own / "rules" / "whoami.yml").unlink()
        assert len(build(own).tasks) == 1

    def test_a_task_that_was_tampered_with_is_refused(self, own: Path) -> None:
        build(own)
        path = dataset_folder("mine") / TASKS
        path.write_text(path.read_text().replace("Discovery by whoami", "Discovery by others"))
        os.utime(dataset_folder("mine") / MANIFEST)
        with pytest.raises(DatasetError, match=r"tasks\.jsonl, line \d: .*does not fit.*sigma-env build mine"):
            load_dataset("mine")

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 0}', b'{"format": 1, "name": 3}'])
    def test_a_damaged_manifest_names_the_command_that_mends_it(self, own: Path, content: bytes) -> None:
        build(own)
        (dataset_folder("mine") / MANIFEST).write_bytes(content)
        with pytest.raises(DatasetError, match="sigma-env build mine"):
            load_dataset("mine")


class TestLoading:
    @pytest.mark.parametrize(
        ("name", "command"),
        [
            ("sigmahq-real", "sigma-env fetch, then: sigma-env build sigmahq-real"),
            ("mine", "sigma-env build mine --rules PATH --logs PATH"),
        ],
    )
    @pytest.mark.usefixtures("own")
    def test_a_dataset_that_is_not_built_names_the_command(self, name: str, command: str) -> None:
        with pytest.raises(DatasetNotBuilt, match=command):
            load_dataset(name)

    def test_one_process_loads_a_dataset_once(self, own: Path) -> None:
        dataset = build(own)
        assert load_dataset("mine") is dataset
        assert dataset.store is load_dataset("mine").store

    def test_tasks_are_found_by_id_and_by_its_beginning(self, own: Path) -> None:
        dataset = build(own)
        task = dataset.tasks[0]
        assert dataset.task(task.id) is dataset.task(task.id[:12]) is task
        for unknown in ("nope", ""):
            with pytest.raises(DatasetError, match="sigma-env tasks mine"):
                dataset.task(unknown)

    def test_splits_are_parts_of_all(self, own: Path) -> None:
        dataset = build(own)
        parts = [dataset.of_split(split) for split in ("train", "validation", "test")]
        assert sorted(task.id for part in parts for task in part) == [task.id for task in dataset.of_split(None)]
        assert dataset.manifest.splits == {part[0].split: len(part) for part in parts if part}

    def test_it_can_be_sent_to_another_process(self, own: Path) -> None:
        dataset = build(own)
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy.tasks == dataset.tasks
        task = dataset.tasks[0]
        assert copy.truth(task, NativeEngine()) == dataset.truth(task, NativeEngine())

    def test_the_store_is_read_again_if_the_cache_has_lost_it(self, own: Path) -> None:
        build(own)
        shutil.rmtree(stores_dir())
        os.utime(dataset_folder("mine") / MANIFEST)
        assert load_dataset("mine").store.n_events == len(PROCESSES)

    def test_logs_that_have_changed_are_not_those_of_the_dataset(self, own: Path) -> None:
        build(own)
        shutil.rmtree(stores_dir())
        write_log(own / "logs" / "host.evtx", PROCESSES[:3])
        os.utime(dataset_folder("mine") / MANIFEST)
        with pytest.raises(DatasetNotBuilt, match="have changed since"):
            load_dataset("mine").store  # noqa: B018

    def test_logs_that_are_gone_are_named(self, own: Path) -> None:
        build(own)
        shutil.rmtree(stores_dir())
        shutil.rmtree(own / "logs")
        os.utime(dataset_folder("mine") / MANIFEST)
        with pytest.raises(DatasetNotBuilt, match="needs its logs back"):
            load_dataset("mine").store  # noqa: B018


class OtherEngine:
    """The native engine under another name, which cannot run rules about whoami."""

    name = "other"
    semantics = "sigma"
    version = "7"

    def __init__(self) -> None:
        self.runs = 0

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        self.runs += 1
        found = NativeEngine().match(rules, store)
        return [Unsupported("no") if "who" in rule.meta.title else m for rule, m in zip(rules, found, strict=True)]


class TestOtherEngines:
    def test_the_truth_of_an_engine_is_computed_once_and_kept(self, own: Path) -> None:
        dataset, engine = build(own), OtherEngine()
        [task] = dataset.playable(engine)
        assert dataset.truth(task, engine) == dataset.truth(task, NativeEngine())
        assert (dataset_folder("mine") / "truth-other-sigma-7.json").exists()
        fresh = Dataset(dataset.manifest, dataset.tasks)
        assert fresh.truth(task, engine) == dataset.truth(task, engine)
        assert engine.runs == 1

    def test_tasks_that_it_cannot_run_are_left_out_with_the_reason(self, own: Path) -> None:
        dataset, engine = build(own), OtherEngine()
        [(task_id, reason)] = dataset.left_out(engine).items()
        assert dataset.task(task_id).source == "mine:whoami.yml"
        assert reason == "no"
        assert not dataset.left_out(NativeEngine())
        with pytest.raises(DatasetError, match=f"{task_id} has no truth under other/sigma/7: no"):
            dataset.truth(dataset.task(task_id), engine)

    @pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"code": "older"}'])
    def test_a_damaged_or_stale_truth_is_computed_again(self, own: Path, damage: bytes) -> None:
        dataset = build(own)
        wanted = {task.id: dataset.truth(task, NativeEngine()) for task in dataset.tasks}
        path = dataset_folder("mine") / "truth-native-sigma-1.json"
        sound = path.read_bytes()
        path.write_bytes(damage)
        fresh = Dataset(dataset.manifest, dataset.tasks)
        assert {task.id: fresh.truth(task, NativeEngine()) for task in fresh.tasks} == wanted
        assert path.read_bytes() == sound

    def test_computed_and_built_truths_are_the_same_file(self, own: Path) -> None:
        dataset = build(own)
        path = dataset_folder("mine") / "truth-native-sigma-1.json"
        built = path.read_bytes()
        path.unlink()
        Dataset(dataset.manifest, dataset.tasks).truth(dataset.tasks[0], NativeEngine())
        assert path.read_bytes() == built


def test_no_near_tasks_of_a_dataset_stand_on_two_sides(small: Dataset) -> None:
    assert leakage(small, NativeEngine()) == []
