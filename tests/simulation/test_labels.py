"""Labels: the engine decides what an event is for a rule, and a case that misses its aim is an error."""

import random
from pathlib import Path

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.events.build import build
from sigma_env.events.logs import LogRoot
from sigma_env.sigma.files import parse_rule_text
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.draft import Draft, Role
from sigma_env.simulation.errors import SimulationError
from sigma_env.simulation.labels import ALL, LABELS, Label, Labeller, read_labels, write_labels
from sigma_env.simulation.schemas.catalogue import catalogue
from sigma_env.simulation.world import Company, fill, write_logs

COMPANY = Company.default()
SYSMON = catalogue().named("sysmon-1-v5")


def rule(rule_id: str, selection: str) -> Rule:
    text = (
        f"id: {rule_id}\ntitle: {rule_id}\nlogsource: {{category: process_creation, product: windows}}\n"
        f"detection: {{selection: {selection}, condition: selection}}\n"
    )
    loaded = parse_rule_text(text, Path("rule.yml"))[0].rule
    assert loaded is not None
    return loaded


NET = rule("net", "{Image|endswith: '\\net.exe', CommandLine|contains: ' share'}")
SHARE = rule("share", "{CommandLine|contains: ' share'}")
ORIGINAL = rule("original", "{OriginalFileName: net.exe, CommandLine|contains: ' share'}")


def draft(
    rule_id: str | None,
    role: Role,
    command_line: str,
    broken: str | None = None,
    profile: str = "sysmon",
) -> Draft:
    schema = SYSMON
    hosts = [host for host in COMPANY.hosts_for(schema) if host.profile == profile]
    scene = COMPANY.scene(random.Random(0), schema, program="net.exe")._replace(host=hosts[0].name)
    values = {"Image": "C:\\Windows\\System32\\net.exe", "CommandLine": command_line}
    branch = None if rule_id is None else 3
    return Draft(schema, fill(schema, values, scene, COMPANY), scene, role, rule_id, branch, broken)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "logs"


def labels(folder: Path, drafts: list[Draft], *rules: Rule) -> list[Label]:
    written = write_logs(drafts, COMPANY, folder, seed=1)
    return Labeller(build([LogRoot(folder)]), drafts, written).label(rules, judged=ALL)


class TestRoles:
    def test_own_events_keep_branch_and_what_excludes_them(self, folder: Path) -> None:
        drafts = [draft("net", "positive", "net share"), draft("net", "near_miss", "net use", "selection.CommandLine")]
        found = {label.role: label for label in labels(folder, drafts, NET)}
        assert found.keys() == {"positive", "near_miss"}
        assert (found["positive"].branch, found["positive"].broken) == (3, None)
        assert (found["near_miss"].branch, found["near_miss"].broken) == (3, "selection.CommandLine")

    def test_an_event_that_another_rule_matches_is_a_positive_of_that_rule_too(self, folder: Path) -> None:
        found = labels(folder, [draft("net", "positive", "net share")], NET, SHARE)
        assert [(label.rule_id, label.role, label.branch) for label in found] == [
            ("net", "positive", 3),
            ("share", "positive", None),
        ]

    def test_background_is_of_no_rule_even_if_a_rule_matches_it(self, folder: Path) -> None:
        found = labels(folder, [draft(None, "background", "net share")], NET)
        assert [(label.rule_id, label.role) for label in found] == [(None, "background"), ("net", "positive")]

    def test_both_records_of_a_process_start_have_the_same_label(self, folder: Path) -> None:
        found = labels(folder, [draft("net", "positive", "net share", profile="both")], NET)
        assert [label.role for label in found] == ["positive", "positive"]
        assert {label.file.partition("/")[2] for label in found} == {
            "Microsoft-Windows-Sysmon%4Operational.evtx",
            "Security.evtx",
        }

    def test_a_second_record_that_lacks_the_field_is_no_case(self, folder: Path) -> None:
        found = labels(folder, [draft("original", "positive", "net share", profile="both")], ORIGINAL)
        assert [(label.role, label.file.partition("/")[2]) for label in found] == [
            ("positive", "Microsoft-Windows-Sysmon%4Operational.evtx")
        ]


class TestFaults:
    @pytest.mark.parametrize(
        ("role", "command_line", "complaint"),
        [
            ("positive", "net use", "a positive, was made to match and does not"),
            ("near_miss", "net share", r"a near_miss \(breaks selection\), was made not to match and does"),
            ("filtered", "net share", r"a filtered \(breaks selection\), was made not to match and does"),
        ],
    )
    def test_a_case_that_misses_its_aim_names_rule_and_event(
        self, folder: Path, role: Role, command_line: str, complaint: str
    ) -> None:
        broken = None if role == "positive" else "selection"
        with pytest.raises(SimulationError, match=rf"rule net: .*Operational\.evtx:\d+, {complaint}"):
            labels(folder, [draft("net", role, command_line, broken)], NET)

    def test_an_evaluator_that_disagrees_is_a_fault(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sigma_env.simulation.labels.selects", lambda *_: False)
        with pytest.raises(SimulationError, match="rule net: the engine and the evaluator disagree on"):
            labels(folder, [draft("net", "positive", "net share")], NET)

    def test_two_rules_of_one_id_are_refused(self, folder: Path) -> None:
        with pytest.raises(SimulationError, match="net: several rules have this id"):
            labels(folder, [draft("net", "positive", "net share")], NET, NET)

    def test_events_of_a_rule_that_is_not_given_are_refused(self, folder: Path) -> None:
        with pytest.raises(SimulationError, match="there are events of net, but not the rule itself"):
            labels(folder, [draft("net", "positive", "net share")], SHARE)


class TestFile:
    LABEL = Label("DC01/System.evtx", 7, "net", "near_miss", 1, "selection.Image", visible=True)

    def test_written_labels_are_read_again(self, tmp_path: Path) -> None:
        write_labels([self.LABEL, Label("DC01/System.evtx", 8, None, "background")], tmp_path)
        assert read_labels(tmp_path) == [self.LABEL, Label("DC01/System.evtx", 8, None, "background")]

    @pytest.mark.parametrize("line", ["{", '{"file": "a"}', '{"colour": 1}', "[]"])
    def test_a_broken_line_is_named(self, tmp_path: Path, line: str) -> None:
        write_labels([self.LABEL], tmp_path)
        path = tmp_path / LABELS
        path.write_text(path.read_text() + line + "\n")
        with pytest.raises(SimulationError, match=r"labels\.jsonl, line 2: "):
            read_labels(tmp_path)

    def test_a_folder_without_labels_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SimulationError, match=r"labels\.jsonl: cannot be read"):
            read_labels(tmp_path)
