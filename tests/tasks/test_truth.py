"""Which events a task ignores, on stores small enough to say why."""

from typing import Any

import pytest
import yaml

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.events.volatile import volatile_fields
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from sigma_env.tasks.truth import IgnoredEvents, contradicting

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def rule(text: str) -> Rule:
    return parse_rule(yaml.safe_load(text))


def process(**fields: Any) -> dict[str, Any]:
    return {"Channel": SYSMON, "EventID": 1, "Provider_Name": "Microsoft-Windows-Sysmon", **fields}


def security(event_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "Channel": "Security",
        "EventID": event_id,
        "Provider_Name": "Microsoft-Windows-Security-Auditing",
        **fields,
    }


def ignored(
    reference: Rule, documents: list[dict[str, Any]], visible: tuple[int, ...] = ()
) -> tuple[set[int], set[int]]:
    """(true, ignored), as places in `documents`."""
    store = EventStore.from_documents(documents)
    [true] = NativeEngine().match([reference], store)
    assert isinstance(true, Matches)
    place = {row: store.ref(row).position for row in range(store.n_events)}
    refs = [store.ref(row) for row, position in place.items() if position in visible]
    found = IgnoredEvents(store).of(reference, true, refs)
    return {place[int(r)] for r in true.rows(store)}, {place[int(r)] for r in found.rows(store)}


WHOAMI = rule("{logsource: {category: process_creation}, detection: {s: {Image|endswith: whoami.exe}, condition: s}}")
BY_WORD = rule(
    "{logsource: {category: process_creation},"
    " detection: {s: {Image|endswith: whoami.exe}, p: {ParentImage|endswith: winword.exe}, condition: s and p}}"
)
NOT_BY_WORD = rule(
    "{logsource: {category: process_creation},"
    " detection: {s: {Image|endswith: whoami.exe}, p: {ParentImage|endswith: winword.exe}, condition: s and not p}}"
)
CHILD_OF_WORD = process(Image="c:\\whoami.exe", ParentImage="c:\\winword.exe")


class TestRepeatedEvents:
    def test_of_events_that_differ_in_volatile_fields_only_the_first_counts(self):
        documents = [
            process(Image="c:\\whoami.exe", ProcessId=1, UtcTime="2020-01-01 00:00:00"),
            process(Image="c:\\whoami.exe", ProcessId=2, UtcTime="2020-01-02 00:00:00"),
            process(Image="c:\\whoami.exe", ProcessId=1, User="other"),
            process(Image="c:\\calc.exe", ProcessId=1),
            process(Image="c:\\calc.exe", ProcessId=9),
        ]
        assert ignored(WHOAMI, documents) == ({0, 1, 2}, {1, 4})

    def test_one_of_each_side_counts_where_the_reference_reads_a_volatile_field(self):
        by_id = rule("{logsource: {category: process_creation}, detection: {s: {ProcessId: 4}, condition: s}}")
        documents = [process(Image="a", ProcessId=n) for n in (1, 4, 2, 4)]
        assert ignored(by_id, documents) == ({1, 3}, {2, 3})

    def test_absent_null_and_empty_are_no_repetition_of_each_other(self):
        documents = [process(Image="a"), process(Image="a", User=None), process(Image="a", User="")]
        assert ignored(WHOAMI, documents)[1] == set()

    def test_repeated_elements_are_compared_one_by_one(self):
        documents = [process(Data=["a", "b"]), process(Data=["b", "a"]), process(Data=["a", "b"], ProcessId=3)]
        assert ignored(WHOAMI, documents)[1] == {2}

    def test_a_name_can_be_volatile_in_one_channel_only(self):
        bits = "microsoft-windows-bits-client/operational"
        assert "jobId" in volatile_fields(bits) - volatile_fields("Security")
        documents = [
            {"Channel": channel, "EventID": 3, "jobId": job} for channel in (bits, "Other") for job in ("a", "b")
        ]
        assert ignored(WHOAMI, documents)[1] == {1}


class TestVisibleEvents:
    def test_an_event_that_the_task_shows_is_ignored(self):
        documents = [CHILD_OF_WORD, process(Image="d:\\whoami.exe")]
        assert ignored(WHOAMI, documents, visible=(0,)) == ({0, 1}, {0})

    def test_and_so_is_every_repetition_of_it(self):
        documents = [{**CHILD_OF_WORD, "ProcessId": n} for n in (1, 2, 3)]
        assert ignored(WHOAMI, documents, visible=(1,)) == ({0, 1, 2}, {0, 1, 2})


class TestUndecidedEvents:
    OLD = security(4688, NewProcessName="c:\\whoami.exe", Version=0)
    NEW = security(4688, NewProcessName="c:\\whoami.exe", ParentProcessName="c:\\winword.exe", Version=2)

    def test_a_4688_without_a_parent_does_not_decide_a_rule_about_parents(self):
        assert ignored(BY_WORD, [CHILD_OF_WORD, self.OLD, self.NEW]) == ({0, 2}, {1})
        assert ignored(NOT_BY_WORD, [CHILD_OF_WORD, self.OLD, self.NEW]) == ({1}, {1})

    def test_it_does_decide_where_another_line_settles_the_matter(self):
        other = security(4688, NewProcessName="c:\\calc.exe", Version=0)
        assert ignored(BY_WORD, [CHILD_OF_WORD, other])[1] == set()
        assert ignored(WHOAMI, [CHILD_OF_WORD, self.OLD])[1] == set()

    def test_versions_and_providers_are_schemas_of_their_own(self):
        assert ignored(BY_WORD, [self.OLD, self.NEW])[1] == {0}
        same_schema = {**self.OLD, "Version": 2}
        assert ignored(BY_WORD, [same_schema, self.NEW])[1] == set()

    def test_a_field_that_no_event_of_the_logsource_has_is_just_absent(self):
        assert ignored(BY_WORD, [self.OLD, security(4624, ParentImage="c:\\winword.exe")])[1] == set()

    @pytest.mark.parametrize("line", ["ParentImage: null", "ParentImage|exists: false"])
    def test_tests_of_absence_are_definite(self, line):
        selection = f"{{Image|endswith: whoami.exe, {line}}}"
        orphan = rule(f"{{logsource: {{category: process_creation}}, detection: {{s: {selection}, condition: s}}}}")
        assert ignored(orphan, [CHILD_OF_WORD, self.OLD]) == ({1}, set())

    def test_one_definite_value_of_several_is_enough(self):
        either = rule(
            "{logsource: {category: process_creation}, detection: {s: {ParentImage: [null, 'c:\\x']}, condition: s}}"
        )
        assert ignored(either, [CHILD_OF_WORD, self.OLD]) == ({1}, set())

    def test_a_reference_to_a_lacking_field_is_unknown(self):
        same = rule(
            "{logsource: {category: process_creation}, detection: {s: {Image|fieldref: ParentImage}, condition: s}}"
        )
        assert ignored(same, [CHILD_OF_WORD, self.OLD])[1] == {1}


class TestRegistryEvents:
    def events(self) -> list[dict[str, Any]]:
        kinds = ("CreateKey", "DeleteKey", "DeleteValue", "CreateValue", "createkey")
        return [
            {"Channel": SYSMON, "EventID": 12, "EventType": kind, "TargetObject": f"HKLM\\{n}"}
            for n, kind in enumerate(kinds)
        ]

    @pytest.mark.parametrize(("category", "others"), [("registry_add", {1, 2}), ("registry_delete", {0, 3, 4})])
    def test_events_of_the_other_category_are_ignored(self, category, others):
        reference = rule(
            f"{{logsource: {{category: {category}}}, detection: {{s: {{TargetObject|contains: HKLM}}, condition: s}}}}"
        )
        assert ignored(reference, self.events())[1] == others

    def test_other_categories_ignore_none(self):
        reference = rule("{logsource: {category: registry_event}, detection: {s: {EventID: 12}, condition: s}}")
        assert ignored(reference, self.events())[1] == set()
        assert not contradicting(reference.logsource, EventStore.from_documents(self.events()))


class TestWhatWasMadeForTheTask:
    """Simulated tasks: only what the request decides counts, on events that were made for the task."""

    IMAGES = ("a.exe", "b.exe", "c.exe", "d.exe")
    REFERENCE = rule(
        "{logsource: {category: process_creation}, detection: {s: {Image: [a.exe, b.exe, c.exe]}, condition: s}}"
    )
    DISCLOSED = rule("{logsource: {category: process_creation}, detection: {s: {Image: [a.exe, d.exe]}, condition: s}}")

    def found(self, *, disclosed: Rule | None = None, own: list[int] | None = None) -> tuple[set[str], set[str]]:
        """(true, ignored) as images."""
        store = EventStore.from_documents([process(Image=image) for image in self.IMAGES])
        engine = NativeEngine()
        true = engine.match_rule(self.REFERENCE, store)
        ignored = IgnoredEvents(store).of(
            self.REFERENCE,
            true,
            disclosed=None if disclosed is None else engine.match_rule(disclosed, store),
            own=None if own is None else Matches.from_rows(store, own),
        )
        names = [{self.IMAGES[row] for row in matches.rows(store).tolist()} for matches in (true, ignored)]
        return names[0], names[1]

    def test_without_either_nothing_is_ignored(self) -> None:
        assert self.found() == ({"a.exe", "b.exe", "c.exe"}, set())

    def test_what_only_an_undisclosed_part_separates_is_ignored(self) -> None:
        assert self.found(disclosed=self.DISCLOSED)[1] == {"b.exe", "c.exe", "d.exe"}

    def test_true_events_that_were_made_for_others_are_ignored(self) -> None:
        assert self.found(own=[0, 3])[1] == {"b.exe", "c.exe"}, "what is not true stays, whoever it was made for"
