"""What a store promises: rows in a fixed order, values under the names that rules use, references that people use."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.errors import StoreError
from sigma_env.events.builder import MAX_FIELDS, ColumnBuilder
from sigma_env.events.column import Cell, Column, build_parts
from sigma_env.events.ref import EventRef
from sigma_env.events.store import EventStore
from tests.events.logs_made import same, security, values


def flat(channel: str, event_id: Any, **fields: Any) -> dict[str, Any]:
    return {"Channel": channel, "EventID": event_id} | fields


def test_partitions_are_sorted_and_rows_keep_their_order() -> None:
    documents = [flat("b", 2, n=0), flat("A", 10, n=1), flat("B", 2, n=2), flat("a", 9, n=3), flat("b", 1, n=4)]
    store = EventStore.from_documents(documents)
    assert [(p.channel, p.event_id, p.base, p.n_rows) for p in store.partitions] == [
        ("A", 9, 0, 1),
        ("A", 10, 1, 1),
        ("b", 1, 2, 1),
        ("b", 2, 3, 2),
    ]
    assert [store.event(row)["n"] for row in range(store.n_events)] == [3, 1, 4, 0, 2]
    assert [store.event(row)["Channel"] for row in range(5)] == ["a", "A", "b", "b", "B"]
    assert [store.partition_of(row).index for row in range(5)] == [0, 1, 2, 3, 3]


def test_channels_are_found_without_case() -> None:
    store = EventStore.from_documents([flat("Security", 4688), flat("Security", 1102), flat("System", 104)])
    assert [p.event_id for p in store.by_channel("SECURITY")] == [1102, 4688]
    found = store.find("security", 4688)
    assert found is not None
    assert found.event_id == 4688
    assert store.find("security", 104) is None
    assert store.find("nowhere", 104) is None


def test_event_ids_as_text_and_missing_ones() -> None:
    store = EventStore.from_documents([flat("C", "17"), flat("C", 17), {"Channel": "C"}, {"EventID": 3}])
    assert [(p.channel, p.event_id, p.n_rows) for p in store.partitions] == [("", 3, 1), ("C", -1, 1), ("C", 17, 2)]
    assert values(store, "EventID") == [[3], [], ["17"], [17]]


class TestNames:
    def test_spaces_are_left_out_or_underscores(self) -> None:
        store = EventStore.from_documents([flat("Defender", 5007, **{"New Value": "x", "Old  Value": "y"})])
        assert values(store, "NewValue") == values(store, "New_Value") == [["x"]]
        assert values(store, "OldValue") == values(store, "Old__Value") == [["y"]]
        assert values(store, "New Value") == [[]]

    def test_case_counts(self) -> None:
        store = EventStore.from_documents([flat("C", 1, Image="x")])
        assert values(store, "image") == [[]]

    def test_a_field_that_is_really_called_so_wins_over_an_alias(self) -> None:
        store = EventStore.from_documents([flat("C", 1, **{"A B": "spaced", "A_B": "own"})])
        assert values(store, "A_B") == [["own"]]
        assert values(store, "AB") == [["spaced"]]

    def test_names_that_become_equal_are_one_field(self) -> None:
        store = EventStore.from_documents([flat("C", 1, **{"A B": "1", "AB": "2"}), flat("C", 1, AB="3")])
        assert values(store, "AB") == [["1", "2"], ["3"]]

    def test_data_wins_over_system_event_by_event(self) -> None:
        system = {"Channel": "System", "EventID": 12, "Level": 4}
        store = EventStore.from_documents(
            [
                {"Event": {"System": system, "UserData": {"Started": {"Level": "high"}}}},
                {"Event": {"System": system, "UserData": {"Started": {"Other": "-"}}}},
                {"Event": {"System": system, "UserData": {"Started": {"Level": None}}}},
            ]
        )
        assert values(store, "Level") == [["high"], [4], [None]]

    def test_what_the_event_is_comes_from_system(self) -> None:
        document = {"Event": {"System": {"Channel": "C", "EventID": 1}, "EventData": {"EventID": "77"}}}
        store = EventStore.from_documents([document])
        cleared = {
            "System": {"Channel": "System", "EventID": 104},
            "UserData": {"LogFileCleared": {"Channel": "Security"}},
        }
        assert values(EventStore.from_documents([{"Event": cleared}]), "Channel") == [["System"]]
        assert values(store, "EventID") == [[1]]
        assert [c.cells(0) for c in store.partitions[0].keyword_columns()] == [["C"], ["1"], ["77"]]

    def test_what_sysmon_s_configuration_makes_of_an_event_is_no_field(self) -> None:
        store = EventStore.from_documents(
            [
                flat("Microsoft-Windows-Sysmon/Operational", 1, RuleName="technique_id=T1033", Image="whoami.exe"),
                flat("Application", 1, RuleName="Allow"),
            ]
        )
        application, sysmon = store.partitions
        assert sysmon.column("RuleName") is None
        assert all(column.name != "RuleName" for column in sysmon.keyword_columns())
        assert "RuleName" not in sysmon.cells(0)
        assert "RuleName" not in sysmon.columns
        assert application.cells(0)["RuleName"] == "Allow"

    def test_keywords_see_each_value_once(self) -> None:
        document = security({"New Value": "n", "NewProcessName": "p", "Data": ["a", "b"], "Channel": "x"})
        partition = EventStore.from_documents([document]).partitions[0]
        seen = [value for column in partition.keyword_columns() for value in column.cells(0)]
        assert sorted(str(v) for v in seen) == ["4688", "Security", "a", "b", "n", "p", "x"]

    def test_the_mapping_of_columns_has_original_names_only(self) -> None:
        partition = EventStore.from_documents([security({"NewProcessName": "p", "A B": "x"})]).partitions[0]
        assert list(partition.columns) == ["Channel", "EventID", "NewProcessName", "AB"]
        assert partition.columns["AB"].cells(0) == ["x"]
        assert partition.has("Image")
        with pytest.raises(KeyError):
            partition.columns["Image"]


class TestProcessCreation:
    FIELDS: ClassVar = {
        "SubjectUserName": "creator",
        "SubjectDomainName": "CORP",
        "SubjectLogonId": "0x3e7",
        "NewProcessId": "0x1fc",
        "NewProcessName": r"C:\Windows\cmd.exe",
        "ProcessId": "0x278",
        "ParentProcessName": r"C:\Windows\explorer.exe",
        "MandatoryLabel": "S-1-16-8192",
        "TargetUserSid": "S-1-0-0",
        "TargetUserName": "-",
        "TargetDomainName": "-",
    }

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("Image", r"C:\Windows\cmd.exe"),
            ("ParentImage", r"C:\Windows\explorer.exe"),
            ("ProcessId", "0x1fc"),
            ("ParentProcessId", "0x278"),
            ("LogonId", "0x3e7"),
            ("IntegrityLevel", "S-1-16-8192"),
            ("User", r"CORP\creator"),
            ("NewProcessName", r"C:\Windows\cmd.exe"),
        ],
    )
    def test_4688_under_the_category(self, field: str, expected: str) -> None:
        store = EventStore.from_documents([security(self.FIELDS)])
        assert values(store, field, "process_creation") == [[expected]]
        assert store.event(0, "process_creation")[field] == expected

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("Image", [r"C:\Windows\cmd.exe"]),
            ("ParentImage", [r"C:\Windows\explorer.exe"]),
            ("ProcessId", ["0x278"]),
            ("ParentProcessId", []),
            ("LogonId", []),
            ("IntegrityLevel", []),
            ("User", []),
        ],
    )
    def test_4688_under_its_own_names(self, field: str, expected: list[str]) -> None:
        assert values(EventStore.from_documents([security(self.FIELDS)]), field) == [expected]

    def test_a_raw_image_wins_outside_the_category(self) -> None:
        store = EventStore.from_documents([security({"NewProcessName": "new", "Image": "raw"})])
        assert values(store, "Image") == [["raw"]]
        assert values(store, "Image", "process_creation") == [["new"]]

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"TargetUserSid": "S-1-5-18", "TargetDomainName": "NT", "TargetUserName": "SYSTEM"}, [r"NT\SYSTEM"]),
            ({"TargetUserSid": "s-1-0-0"}, [r"CORP\creator"]),
            ({"TargetUserSid": None, "TargetDomainName": "NT", "TargetUserName": "SYSTEM"}, [r"CORP\creator"]),
            ({"TargetUserSid": "S-1-5-18", "TargetDomainName": "NT", "TargetUserName": None}, []),
            ({"TargetUserSid": "S-1-5-18", "TargetDomainName": None, "TargetUserName": "x"}, ["x"]),
            (
                {"TargetUserSid": ["S-1-5-18", "S-1-0-0"], "TargetDomainName": "D", "TargetUserName": ["a", "b"]},
                [r"D\a"],
            ),
        ],
    )
    def test_user_is_the_target_where_there_is_one(self, fields: dict[str, Any], expected: list[str]) -> None:
        documents = [security(self.FIELDS | fields), security(self.FIELDS)]
        assert values(EventStore.from_documents(documents), "User", "process_creation") == [expected, [r"CORP\creator"]]

    def test_events_of_old_windows_name_no_target(self) -> None:
        store = EventStore.from_documents([security({"SubjectUserName": "u", "SubjectDomainName": "D"}), security({})])
        assert values(store, "User", "process_creation") == [["D\\u"], []]

    def test_an_event_without_names_has_no_user(self) -> None:
        store = EventStore.from_documents([security({"NewProcessName": "x"})])
        assert not store.partitions[0].has("User", "process_creation")

    @pytest.mark.parametrize(("channel", "event_id"), [("Security", 4689), ("Sysmon", 4688)])
    def test_other_events_are_not_renamed(self, channel: str, event_id: int) -> None:
        store = EventStore.from_documents([flat(channel, event_id, **self.FIELDS)])
        assert values(store, "Image", "process_creation") == [[]]
        assert values(store, "ProcessId", "process_creation") == [["0x278"]]

    def test_the_channel_may_be_written_in_any_case(self) -> None:
        store = EventStore.from_documents([flat("SECURITY", 4688, **self.FIELDS)])
        assert values(store, "ProcessId", "process_creation") == [["0x1fc"]]


class TestReferences:
    @pytest.fixture
    def store(self) -> EventStore:
        documents = [flat("B", 1, EventRecordID=5), flat("A", 1, EventRecordID=5), flat("A", 1, EventRecordID=8)]
        return EventStore.from_documents(documents, "logs/Security.evtx")

    def test_rows_and_references_are_two_names_of_an_event(self, store: EventStore) -> None:
        refs = [EventRef("logs/Security.evtx", *numbers) for numbers in ((5, 1), (8, 2), (5, 0))]
        assert store.refs(range(3)) == refs == [store.ref(row) for row in range(3)]
        assert [store.row(ref) for ref in refs] == [0, 1, 2]
        assert [store.resolve(str(ref)) for ref in refs] == [0, 1, 2]
        assert store.refs([2, 0, 2]) == [refs[2], refs[0], refs[2]]

    def test_the_position_may_be_left_out_where_it_is_not_needed(self, store: EventStore) -> None:
        assert store.resolve("logs/Security.evtx:8") == 1
        assert store.resolve("Security.evtx:8") == 1

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("logs/Security.evtx:5", r"2 events; add the position: .*:5:0, .*:5:1"),
            ("logs/Security.evtx:6", "no event with EventRecordID 6; its 3 events have 5 to 8"),
            ("logs/Security.evtx:5:2", "no event with EventRecordID 5 at position 2"),
            ("logs/Sekurity.evtx:5:1", "did you mean 'logs/Security.evtx'"),
            ("nothing like it:5", "no log file is called 'nothing like it'$"),
            ("logs/Security.evtx", "write FILE:RECORD or FILE:RECORD:POSITION"),
            (":5", "write FILE:RECORD"),
            ("", "write FILE:RECORD"),
            ("logs/Security.evtx:x", "write FILE:RECORD"),
            ("logs/Security.evtx:" + "9" * 40, "write FILE:RECORD"),
        ],
    )
    def test_a_reference_that_names_no_single_event_is_refused(
        self, store: EventStore, text: str, complaint: str
    ) -> None:
        with pytest.raises(StoreError, match=complaint):
            store.resolve(text)

    def test_a_reference_must_fit_in_all_parts(self, store: EventStore) -> None:
        with pytest.raises(StoreError, match="position 1 is record 5, not 8"):
            store.row(EventRef("logs/Security.evtx", 8, 1))
        with pytest.raises(StoreError, match="no event at position 3"):
            store.row(EventRef("logs/Security.evtx", 8, 3))
        for row in (-1, 3):
            with pytest.raises(StoreError, match=f"no row {row}"):
                store.ref(row)
            with pytest.raises(StoreError, match=f"no row {row}"):
                store.refs([0, row])

    def test_a_file_name_may_hold_colons(self) -> None:
        store = EventStore.from_documents([flat("A", 1, EventRecordID=5)], r"C:\logs:7")
        assert store.resolve(r"C:\logs:7:5") == store.resolve(r"C:\logs:7:5:0") == 0


def test_time_and_computer() -> None:
    system = {"EventID": 1, "Computer": "PC", "TimeCreated_attributes": {"SystemTime": "2026-03-02T08:15:30.1234567Z"}}
    store = EventStore.from_documents(
        [{"Event": {"System": system, "EventData": {"Computer": "other"}}}, {"Event": {"System": {"EventID": 2}}}]
    )
    assert store.time(0) == datetime(2026, 3, 2, 8, 15, 30, 123456, tzinfo=UTC)
    assert store.computer(0) == "PC"
    assert store.time(1) is None
    assert store.computer(1) == ""
    assert store.time_range() == (store.time(0), store.time(0))


def test_an_empty_store() -> None:
    store = EventStore.from_documents([])
    assert (store.n_events, list(store.partitions), store.refs([])) == (0, [], [])
    assert store.time_range() == (None, None)


def test_a_document_that_is_no_event_is_named() -> None:
    with pytest.raises(StoreError, match=r"events\.json, event 1: the document is no event"):
        EventStore.from_documents([flat("A", 1), {"a": 1}], "events.json")


def test_a_flood_of_field_names_is_refused() -> None:
    documents = [flat("A", 1, **{f"f{n}_{i}": "x" for i in range(MAX_FIELDS // 2)}) for n in range(3)]
    with pytest.raises(StoreError, match=f"event 2: channel 'A', EventID 1: over {MAX_FIELDS} field names"):
        EventStore.from_documents(documents)


names = st.sampled_from(["Image", "New Value", "NewValue", "Data", "Channel", "Level", "Ωx", "a\ud800"])
cells: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=4), st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
documents = st.lists(
    st.builds(
        lambda channel, event_id, fields: {
            "Event": {"System": {"Channel": channel, "EventID": event_id}, "EventData": fields}
        },
        st.sampled_from(["Security", "security", "A\0", ""]),
        st.sampled_from([1, 4688, "1", None]),
        st.dictionaries(names, cells | st.lists(cells, max_size=3), max_size=4),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(documents)
def test_a_store_is_the_same_when_saved_and_opened_and_when_sent_to_a_process(made: list[dict[str, Any]]) -> None:
    from tempfile import TemporaryDirectory

    store = EventStore.from_documents(made)
    assert same(store, pickle.loads(pickle.dumps(store)))
    with TemporaryDirectory() as folder:
        store.save(Path(folder))
        opened = EventStore.open(Path(folder))
        assert opened.fingerprint == store.fingerprint
        assert opened.files == store.files
        assert same(store, opened)
        assert same(store, pickle.loads(pickle.dumps(opened)))
        for view in (None, "process_creation"):
            for field in ("NewValue", "New_Value", "Channel", "Image", "User"):
                assert values(opened, field, view) == values(store, field, view)


@given(st.lists(st.lists(cells | st.lists(cells, max_size=3), max_size=2), max_size=12))
def test_a_column_grown_cell_by_cell_equals_one_made_at_once(rows: list[list[Cell]]) -> None:
    builder = ColumnBuilder("f", system=False)
    at_once: dict[int, Cell] = {}
    for row, added in enumerate(rows):
        for cell in added:
            builder.add(row, cell)
        several = [value for cell in added for value in (cell if isinstance(cell, list) else [cell])]
        if added:
            at_once[row] = several[0] if len(added) == 1 and not isinstance(added[0], list) else several
    grown = Column("f", builder.finish(len(rows)))
    made = Column("f", build_parts(len(rows), list(at_once), list(at_once.values())))
    assert [grown.typed_cells(r) for r in range(len(rows))] == [made.typed_cells(r) for r in range(len(rows))]
    assert grown.lower == made.lower
