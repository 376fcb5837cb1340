"""Three-valued evaluation against its definition: try every value that the lacking field might have had."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.engines.native import evaluate
from sigma_env.events.store import EventStore
from sigma_env.sigma.parser import parse_rule
from sigma_env.tasks.undecided import UndecidedFinder, decide

LACKED = "Lost"
VALUES = ["a", "b", ""]
LINES: list[tuple[str, Any]] = [
    ("Image", "a"),
    ("Image|contains", "b"),
    ("Image", None),
    (LACKED, "a"),
    (f"{LACKED}|contains|all", ["a", "b"]),
    (LACKED, ["a", "b", None]),
    (LACKED, None),
    (f"{LACKED}|exists", False),
    (f"{LACKED}|neq", "a"),
    ("Image|fieldref", LACKED),
]  # fmt: skip

selections = st.dictionaries(st.sampled_from(["s1", "s2", "s3"]), st.sampled_from(LINES), min_size=3)
conditions = st.recursive(
    st.sampled_from(["s1", "s2", "s3"]),
    lambda inner: st.one_of(
        inner.map(lambda c: f"not ({c})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=5,
)
images = st.lists(st.sampled_from([{"Image": "a"}, {"Image": "b"}, {"Image": "ab"}, {}]), min_size=1, max_size=4)


def store_of(events: list[dict[str, Any]]) -> EventStore:
    return EventStore.from_documents([{"Channel": "Security", "EventID": 1, **event} for event in events])


@given(selections, conditions, images)
@settings(max_examples=300)
def test_bounds_hold_the_outcome_and_sure_rows_stay_sure_whatever_the_field_had_been(chosen, condition, events):
    detection = {name: dict([line]) for name, line in chosen.items()}
    node = parse_rule(
        {"logsource": {"service": "security"}, "detection": {**detection, "condition": condition}}
    ).condition
    partition = store_of(events).partitions[0]
    rows = (1 << len(events)) - 1
    bounds = decide(node, partition, None, frozenset((LACKED,)), rows)
    outcome = evaluate(node, partition, None, rows)
    assert bounds.surely & ~bounds.possibly == 0
    assert bounds.surely & ~outcome == 0
    assert outcome & ~bounds.possibly == 0
    if any(LACKED in key and (value is None or "exists" in key or (isinstance(value, list) and None in value))
           for key, value in chosen.values()):  # fmt: skip
        return  # tests of absence are taken as definite, though a field that had been there would turn them
    for value in VALUES:
        filled = store_of([{**event, LACKED: value} for event in events]).partitions[0]
        would = evaluate(node, filled, None, rows)
        assert bounds.surely & ~would == 0
        assert would & ~bounds.possibly == 0


@given(conditions, images)
def test_without_a_lacking_field_nothing_is_undecided(condition, events):
    detection = {"s1": {"Image": "a"}, "s2": {"Image|contains": "b"}, "s3": {"Image": None}, "condition": condition}
    node = parse_rule({"logsource": {"service": "security"}, "detection": detection}).condition
    partition = store_of(events).partitions[0]
    bounds = decide(node, partition, None, frozenset(), (1 << len(events)) - 1)
    assert bounds.surely == bounds.possibly == evaluate(node, partition, None, (1 << len(events)) - 1)


def undecided(logsource: dict[str, str], detection: dict[str, Any], *events: dict[str, Any]) -> list[int]:
    """Rows that are undecided for a rule."""
    store = EventStore.from_documents([{"Channel": "Security", **event} for event in events])
    rule = parse_rule({"logsource": {"product": "windows", **logsource}, "detection": detection})
    return UndecidedFinder(store).undecided(rule).rows(store).tolist()


def test_a_version_of_an_event_lacks_what_another_has() -> None:
    old, new = {"EventID": 4688, "Version": 1}, {"EventID": 4688, "Version": 2, "ParentProcessName": "a"}
    rule = {"s": {"ParentProcessName": "b"}, "condition": "s"}
    assert len(undecided({"service": "security"}, rule, old, new)) == 1
    assert undecided({"service": "security"}, rule, old, old) == []  # a field of no event is none that was lost


def test_other_events_of_a_log_lack_nothing_that_they_never_have() -> None:
    share, change = {"EventID": 5145, "ShareName": "x"}, {"EventID": 5136, "AttributeValue": "y"}
    rule = {"s": {"ShareName": "a"}, "a": {"AttributeValue": "b"}, "condition": "s or a"}
    assert undecided({"service": "security"}, rule, share, change) == []
    sysmon = {"Channel": "Microsoft-Windows-Sysmon/Operational"}
    rename, create = sysmon | {"EventID": 14, "NewName": "a"}, sysmon | {"EventID": 12, "TargetObject": "b"}
    rule = {"s": [{"NewName": "c"}, {"TargetObject": "d"}], "condition": "s"}
    assert undecided({"category": "registry_event"}, rule, rename, create) == []


def test_nor_does_an_event_of_another_provider() -> None:
    one, other = {"EventID": 1, "Provider_Name": "A", "Data1": "x"}, {"EventID": 1, "Provider_Name": "B"}
    rule = {"s": {"Data1": "y"}, "condition": "s"}
    assert undecided({"service": "security"}, rule, one, other) == []


def test_a_category_lacks_in_one_channel_what_it_has_in_another() -> None:
    sysmon = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "OriginalFileName": "a", "Image": "b"}
    security = {"EventID": 4688, "NewProcessName": "b"}
    rule = {"s": {"OriginalFileName": "c"}, "condition": "s"}
    assert len(undecided({"category": "process_creation"}, rule, sysmon, security)) == 1
