"""An answer's logsource is right if it reaches every kind of true event and nothing that the reference's does not."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.scoring.logsource import LogsourceCheck, Pair
from sigma_env.sigma.rule import And, FieldTest, LogSource, Node, Not, Or, Rule, Selection, Text, Value
from sigma_env.sigma.taxonomy import categories, services
from tests.scoring.rules import SYSMON, rule, select

PROCESS = select("category: process_creation, product: windows", r"Image|endswith: '\cmd.exe'")
LOGON = select("product: windows, service: security", "EventID: 4624, LogonType: 3")


def check(reference: Rule, *true_pairs: tuple[str, int]) -> LogsourceCheck:
    return LogsourceCheck(reference.logsource, reference.condition, true_pairs)


SYSMON_ONLY = check(PROCESS, (SYSMON, 1))
BOTH_SOURCES = check(PROCESS, (SYSMON, 1), ("Security", 4688))
LOGONS = check(LOGON, ("Security", 4624))


@pytest.mark.parametrize(
    ("logsource", "selection"),
    [
        ("category: process_creation, product: windows", "Image: x"),
        ("category: process_creation", "Image: x"),
        ("category: process_creation, service: sysmon", "Image: x"),
        ("category: process_creation", "EventID: 1"),
        ("service: sysmon", "EventID: 1"),
        ("service: sysmon", "EventID: '1'"),
        ("service: sysmon", "EventID: [1]"),
        ("service: sysmon", "EventID|lt: 2"),
        ("service: sysmon", "EventID|re: ^1$"),
        ("service: sysmon", f"EventID: 1, Channel: {SYSMON}, Provider_Name: Microsoft-Windows-Sysmon"),
        ("product: windows", f"EventID: 1, Channel: {SYSMON}"),
        ("product: windows", f"EventID: 1, Channel: {SYSMON.upper()}"),
        ("product: windows", "EventID: 1, Provider_Name: Microsoft-Windows-Sysmon, Channel|contains: sysmon"),
    ],
)
def test_another_way_to_say_the_same_place_is_right(logsource: str, selection: str) -> None:
    answer = select(logsource, selection)
    assert SYSMON_ONLY.correct(answer.logsource, answer.condition)


@pytest.mark.parametrize(
    ("logsource", "selection", "extra"),
    [
        ("service: sysmon", "Image: x", Pair(SYSMON, None)),
        ("service: sysmon", "EventID: [1, 3]", Pair(SYSMON, 3)),
        ("service: sysmon", "EventID|contains: '1'", Pair(SYSMON, 10)),
        ("service: sysmon", "EventID|gte: 1", Pair(SYSMON, None)),
        ("service: sysmon", "EventID|exists: true", Pair(SYSMON, None)),
        ("service: sysmon", "EventID: '*'", Pair(SYSMON, None)),
        ("service: sysmon", "EventID|neq: 2", Pair(SYSMON, None)),
        ("product: windows", "EventID: 1", Pair("any other channel", 1)),
        ("product: windows", "Image: x", Pair("any other channel", None)),
        ("product: windows", f"EventID: [1, 4688], Channel: ['{SYSMON}', Security]", Pair(SYSMON, 4688)),
    ],
)
def test_reaching_further_than_the_reference_is_wrong(logsource: str, selection: str, extra: Pair) -> None:
    answer = select(logsource, selection)
    assert not SYSMON_ONLY.correct(answer.logsource, answer.condition)
    assert next(SYSMON_ONLY.extra(answer.logsource, answer.condition)) == extra
    assert not list(SYSMON_ONLY.missing(answer.logsource, answer.condition))


@pytest.mark.parametrize(
    ("logsource", "selection"),
    [
        ("category: process_access", "Image: x"),
        ("service: security", "EventID: 4688"),
        ("service: sysmon", "EventID: 3"),
        ("service: sysmon", "EventID: '01'"),
        ("service: sysmon", "EventID: null"),
        ("service: sysmon", "EventID|exists: false"),
        ("service: sysmon", "EventID: 1, EventType: SetValue"),
        ("category: process_creation", "Channel: Security"),
        ("product: linux", "EventID: 1"),
        ("category: no_such_category", "Image: x"),
        ("category: file_access", "Image: x"),
    ],
)
def test_missing_the_true_events_kind_is_wrong(logsource: str, selection: str) -> None:
    answer = select(logsource, selection)
    assert not SYSMON_ONLY.correct(answer.logsource, answer.condition)
    assert list(SYSMON_ONLY.missing(answer.logsource, answer.condition)) == [Pair(SYSMON, 1)]


def test_every_kind_of_true_event_must_be_reached() -> None:
    category = select("category: process_creation", "Image: x")
    assert BOTH_SOURCES.correct(category.logsource, category.condition)
    sysmon = select("service: sysmon", "EventID: 1")
    assert list(BOTH_SOURCES.missing(sysmon.logsource, sysmon.condition)) == [Pair("Security", 4688)]
    assert not BOTH_SOURCES.correct(sysmon.logsource, sysmon.condition)


def test_within_a_service_the_eventid_is_part_of_the_place_only_where_it_leaves_true_events_out() -> None:
    whole, other = select("service: security", "LogonType: 3"), select("service: security", "EventID: 4625")
    assert LOGONS.correct(whole.logsource, whole.condition)
    assert not LOGONS.correct(other.logsource, other.condition)
    process = select("category: process_creation", "LogonType: 3")
    assert Pair("Security", 4688) not in LOGONS.extra(process.logsource, process.condition)
    assert Pair(SYSMON, 1) in LOGONS.extra(process.logsource, process.condition)


@pytest.mark.parametrize(
    ("detection", "right"),
    [
        ("s: {Image: x}, e: {EventID: 1}, condition: s and e", True),
        ("s: {Image: x}, e: {EventID: 1}, condition: not (not s or not e)", True),
        ("s: {Image: x}, e: {EventID: 1}, condition: s or e", False),
        ("s: {Image: x}, e: {EventID: 1}, condition: s and not e", False),
        ("s: {Image: x}, e: {EventID: [1, 3]}, f: {EventID: 3}, condition: s and e and not f", True),
        ("s: {EventID: 1, Image: x}, t: {EventID: 1, Image: y}, condition: 1 of them", True),
        ("s: {EventID: 1, Image: x}, t: {EventID: 3, Image: y}, condition: 1 of them", False),
        ("s: {EventID: 1, Image: x}, t: {EventID: 3, Image: y}, condition: all of them", False),
        ("s: [{EventID: 1, Image: x}, {EventID: 1, Image: y}], condition: s", True),
        ("s: {EventID|all: [1, 3]}, t: {EventID: 1}, condition: s or t", True),
        ("s: {EventID|fieldref: EventID}, t: {EventID: 1}, condition: s and t", True),
        ("s: {EventID|fieldref: Level}, condition: s", False),
        ("s: [x, y], e: {EventID: 1}, condition: s and e", True),
    ],
)
def test_the_condition_is_folded_as_a_whole(detection: str, right: bool) -> None:
    answer = rule("service: sysmon", detection)
    assert SYSMON_ONLY.correct(answer.logsource, answer.condition) is right


def test_sysmons_eventtype_names_the_eventid() -> None:
    registry = check(select("category: registry_set", "TargetObject: x"), (SYSMON, 13))
    for event_type, right in (("SetValue", True), ("CreateKey", False)):
        answer = select("service: sysmon", f"EventType: {event_type}")
        assert registry.correct(answer.logsource, answer.condition) is right
    pipes = check(select("category: pipe_created", "PipeName: x"), (SYSMON, 17), (SYSMON, 18))
    for selection, right in (("EventType: CreatePipe", False), ("EventType|exists: true", True), ("Image: x", True)):
        answer = select("category: pipe_created", selection)
        assert pipes.correct(answer.logsource, answer.condition) is right
    without = rule("category: pipe_created", "s: {EventType|endswith: Pipe}, condition: not s")
    assert pipes.correct(without.logsource, without.condition), "older Sysmon writes pipe events without EventType"


def test_the_channel_is_where_an_event_is_logged_also_where_its_data_name_another() -> None:
    cleared = check(select("product: windows, service: system", "EventID: 104"), ("System", 104))
    for channel, right in (("System", True), ("Security", False)):
        answer = select("service: system", f"EventID: 104, Channel: {channel}")
        assert cleared.correct(answer.logsource, answer.condition) is right


def test_the_provider_of_a_security_event_follows_from_its_eventid() -> None:
    for provider, right in (("Microsoft-Windows-Security-Auditing", True), ("Microsoft-Windows-Eventlog", False)):
        answer = select("service: security", f"Provider_Name: {provider}")
        assert LOGONS.correct(answer.logsource, answer.condition) is right


def test_ids_that_only_the_reference_or_answer_name_are_considered() -> None:
    reference = select("product: windows, service: sysmon", "EventID: 1")
    answer = select("service: sysmon", "EventID: 777")
    assert not LogsourceCheck(reference.logsource, reference.condition, [(SYSMON, 1)]).correct(
        answer.logsource, answer.condition
    )
    far = rule("service: sysmon", "s: {EventID: 1}, t: {EventID|gt: 5000}, condition: s or t")
    assert Pair(SYSMON, 5001) in SYSMON_ONLY.extra(far.logsource, far.condition)


def test_without_a_condition_the_logsource_alone_counts() -> None:
    assert SYSMON_ONLY.correct(LogSource("process_creation"), None)
    assert not SYSMON_ONLY.correct(LogSource(None, "windows"), None)
    assert not SYSMON_ONLY.correct(LogSource(None, None, "sysmon"), None)


def test_a_reference_that_takes_everything_allows_everything() -> None:
    everything = check(select("product: windows", "EventID: 1"), (SYSMON, 1))
    for logsource in ("product: windows", "service: sysmon", "category: process_creation"):
        answer = select(logsource, "EventID: 1")
        assert everything.correct(answer.logsource, answer.condition)


def test_long_lists_of_an_answer_stay_cheap() -> None:
    ids = ", ".join(str(i) for i in range(1, 2001))
    answer = rule("service: sysmon", f"s: {{EventID: [{ids}]}}, e: {{EventID: 1}}, condition: not (not s or not e)")
    assert SYSMON_ONLY.correct(answer.logsource, answer.condition)
    channels = ", ".join(f"channel {i}" for i in range(2000))
    answer = rule("product: windows", f"s: {{Channel: [{channels}]}}, e: {{EventID: 1}}, condition: s and e")
    assert not SYSMON_ONLY.correct(answer.logsource, answer.condition)


def test_verdicts_are_kept_for_few_logsources() -> None:
    judge = check(PROCESS, (SYSMON, 1))
    known = [LogSource(c, p, s) for c in (None, *categories()) for p in (None, "windows") for s in (None, *services())]
    for logsource in known[1:]:
        judge.correct(logsource, None)
    for number in range(100):
        assert not judge.correct(LogSource(None, None, f"service {number}"), None)
    assert len(judge._verdicts) <= 64


TEXTS = {
    "EventID": ["1", "13", "4624", "4688", "104", "17"],
    "Channel": ["security", "system", SYSMON.lower()],
    "EventType": ["setvalue", "createpipe", "createkey"],
    "Provider_Name": ["microsoft-windows-sysmon", "microsoft-windows-security-auditing"],
    "Image": ["x"],
}


@st.composite
def field_tests(draw: st.DrawFn) -> Node:
    field = draw(st.sampled_from(sorted(TEXTS)))
    ops = st.sampled_from(["equals", "startswith", "endswith", "contains"])
    texts = draw(st.lists(st.sampled_from(TEXTS[field]), min_size=1, max_size=3, unique=True))
    values = tuple(Value(text, (Text(draw(ops), text[: draw(st.integers(1, 40))]),)) for text in texts)
    return FieldTest(field, (), values, all=draw(st.booleans()), negated=draw(st.booleans()))


def combined(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), children.map(Not), children.map(lambda c: Selection("s", c)))


conditions = st.recursive(field_tests(), combined, max_leaves=6)
logsources = st.sampled_from(
    [
        LogSource(None, "windows"),
        LogSource("process_creation"),
        LogSource("registry_set"),
        LogSource("pipe_created", "windows", "sysmon"),
        LogSource(None, None, "security"),
        LogSource(None, None, "system"),
    ]
)


def documents() -> Sequence[dict[str, object]]:
    sysmon = {"Channel": SYSMON, "Provider_Name": "Microsoft-Windows-Sysmon"}
    security = {"Channel": "Security", "Provider_Name": "Microsoft-Windows-Security-Auditing"}
    return [
        {**sysmon, "EventID": 1, "Image": "x"},
        {**sysmon, "EventID": 13, "EventType": "SetValue", "Image": "y"},
        {**sysmon, "EventID": 17, "EventType": "CreatePipe", "Image": "x"},
        {**sysmon, "EventID": 17, "Image": "x"},
        {**security, "EventID": 4624},
        {**security, "EventID": 4688, "NewProcessName": "x"},
        {
            "Event": {
                "System": {"Channel": "System", "EventID": 104, "Provider": {"#attributes": {"Name": "Eventlog"}}},
                "UserData": {"LogFileCleared": {"Channel": "Security"}},
            }
        },
    ]


STORE = EventStore.from_documents(documents())


@settings(max_examples=300, deadline=None)
@given(logsources, conditions)
def test_where_a_rule_matches_is_always_among_its_pairs(logsource: LogSource, condition: Node) -> None:
    found = NativeEngine().match_rule(Rule(logsource, condition, ("s",), {}), STORE)
    pairs = [(STORE.partitions[i].channel, STORE.partitions[i].event_id) for i in found.bits]
    judge = LogsourceCheck(logsource, condition, pairs)
    assert not list(judge.missing(logsource, condition))
    assert judge.correct(logsource, condition), "a rule's own logsource is right for it"
