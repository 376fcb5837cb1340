"""Under which names Sigma rules find an event's values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.errors import StoreError
from sigma_env.events.flatten import NO_EVENT_ID, NO_TIME, flatten, microseconds


def nested(**parts: Any) -> dict[str, Any]:
    return {"Event": {"System": {"Channel": "C", "EventID": 1}} | parts}


def data(**parts: Any) -> dict[str, Any]:
    return flatten(nested(**parts)).data


def test_elements_of_system_are_plain_and_attributes_follow_their_tag() -> None:
    system = {
        "Provider_attributes": {"Name": "P", "Guid": "G"},
        "EventID": 4,
        "EventID_attributes": {"Qualifiers": 16384},
        "TimeCreated_attributes": {"SystemTime": "2026-01-02T03:04:05.000006Z"},
        "EventRecordID": 9,
        "Execution_attributes": {"ProcessID": 4, "ThreadID": 8},
        "Channel": "C",
        "Security_attributes": {"UserID": "S-1-5-18"},
    }
    event = flatten({"Event": {"System": system}})
    assert event.system == {
        "Provider_Name": "P",
        "Provider_Guid": "G",
        "EventID": 4,
        "EventID_Qualifiers": 16384,
        "TimeCreated_SystemTime": "2026-01-02T03:04:05.000006Z",
        "EventRecordID": 9,
        "Execution_ProcessID": 4,
        "Execution_ThreadID": 8,
        "Channel": "C",
        "Security_UserID": "S-1-5-18",
    }
    assert (event.channel, event.event_id, event.record_id) == ("C", 4, 9)
    assert event.time == microseconds("2026-01-02T03:04:05.000006+00:00")


def test_attributes_within_their_element_give_the_same_names() -> None:
    beside = {"Provider_attributes": {"Name": "P"}, "EventID": 1, "EventID_attributes": {"Qualifiers": 0}}
    within = {"Provider": {"#attributes": {"Name": "P"}}, "EventID": {"#attributes": {"Qualifiers": 0}, "#text": 1}}
    assert flatten({"Event": {"System": beside}}).system == flatten({"Event": {"System": within}}).system


@pytest.mark.parametrize("name", ["Provider", "TimeCreated", "Correlation", "Execution", "Security"])
def test_elements_that_only_have_attributes_are_no_fields_when_they_have_none(name: str) -> None:
    assert flatten({"Event": {"System": {"EventID": 1, name: None}}}).system == {"EventID": 1}


def test_an_empty_element_is_null_and_an_empty_data_is_empty() -> None:
    assert data(EventData={"Image": "", "Binary": None}) == {"Image": "", "Binary": None}


@pytest.mark.parametrize(("text", "expected"), [("a", "a"), (["a", "", "b"], ["a", "", "b"])])
def test_unnamed_data_is_the_field_data(text: Any, expected: Any) -> None:
    assert data(EventData={"Data": {"#text": text}, "Binary": "00"}) == {"Data": expected, "Binary": "00"}


def test_user_data_has_the_names_of_its_leaves() -> None:
    user_data = {
        "EventXML_attributes": {"xmlns": "urn:x", "xmlns:a": "urn:y"},
        "EventXML": {"Param1": "a", "Inner": {"Deep": 5, "Flag_attributes": {"value": "1"}, "Flag": None}},
    }
    assert data(UserData=user_data) == {"Param1": "a", "Deep": 5, "Flag_value": "1", "Flag": None}


def test_leaves_of_one_name_are_one_field_with_several_values() -> None:
    user_data = {"A": {"Name": "1"}, "B": {"Name": "2", "Other": {"Name": "3"}}}
    assert data(UserData=user_data) == {"Name": ["1", "2", "3"]}


def test_repeated_elements_which_readers_number_are_one_field() -> None:
    user_data = {"Apps": {"App": "x", "App_1": "y", "App_2_attributes": {"id": "7"}, "App_2": "z", "App_9": "no"}}
    assert data(UserData=user_data) == {"App": ["x", "y", "z"], "App_id": "7", "App_9": "no"}


def test_an_element_that_is_really_called_so_keeps_its_name() -> None:
    xml = "<Event><UserData><Apps><App>x</App><App_1>y</App_1></Apps></UserData></Event>"
    assert flatten(nested(UserData={"Apps": {"App": "x", "App_1": "y"}}), xml).data == {"App": "x", "App_1": "y"}


def test_named_data_is_never_taken_for_a_repetition() -> None:
    assert data(EventData={"Param": "x", "Param_1": "y"}) == {"Param": "x", "Param_1": "y"}


def test_other_sections_are_data_too_but_not_the_rendered_message() -> None:
    parts = {
        "ProcessingErrorData": {"ErrorCode": 15005},
        "RenderingInfo": {"Message": "a message", "Level": "Information"},
        "EventData_attributes": {"Name": "TaskStarted"},
    }
    assert data(**parts) == {"ErrorCode": 15005, "EventData_Name": "TaskStarted"}


def test_a_flat_document_has_sigma_names_already() -> None:
    event = flatten(
        {"Channel": "Security", "EventID": "4624", "Computer": "PC", "Provider_Name": "P", "IpAddress": "-"}
    )
    assert (event.channel, event.event_id) == ("Security", 4624)
    assert event.system == {"Channel": "Security", "EventID": "4624", "Computer": "PC", "Provider_Name": "P"}
    assert event.data == {"IpAddress": "-"}


@pytest.mark.parametrize("event_id", [None, "", "0x10", "12a", -1, 1.5, True, "٣", "9" * 30, [1, 2]])
def test_what_is_no_decimal_number_is_no_event_id(event_id: Any) -> None:
    assert flatten({"Channel": "C", "EventID": event_id}).event_id == NO_EVENT_ID


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1601-01-01T00:00:00Z", -11_644_473_600_000_000),
        ("", NO_TIME),
        ("yesterday", NO_TIME),
        (7, NO_TIME),
        (None, NO_TIME),
    ],
)
def test_times_are_microseconds_since_1970(text: object, expected: int) -> None:
    assert microseconds(text) == expected


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({}, "neither Event nor EventID nor Channel"),
        ({"Event": {}}, "no System"),
        ({"Event": {"System": None}}, "no System"),
        ({"Event": [1]}, "no System"),
        ({"EventID": 1, "Image": object()}, "'Image' holds a object"),
        ({"EventID": 1, "Image": b"x"}, "'Image' holds a bytes"),
    ],
)
def test_what_is_no_event_is_refused(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint):
        flatten(document)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["#text", "#attributes", "A", "A_1", "A_attributes", "Data", "xmlns", ""]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(section=json_values, system=json_values)
def test_any_json_is_flattened_to_plain_values_or_refused(section: Any, system: Any) -> None:
    try:
        event = flatten({"Event": {"System": system, "EventData": section, "UserData": section}})
    except StoreError:
        assert not isinstance(system, dict)
        return
    for cell in (*event.system.values(), *event.data.values()):
        for value in cell if isinstance(cell, list) else [cell]:
            assert value is None or isinstance(value, str | int | float)
