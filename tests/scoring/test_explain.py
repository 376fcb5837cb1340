"""A score explains itself to a detection engineer: the line that decided, and the value it met."""

import pytest

from sigma_env.events.store import EventStore
from sigma_env.scoring.scorer import score_rule
from sigma_env.sigma.rule import Rule
from tests.scoring.answers import ANSWERS
from tests.scoring.rules import SYSMON, rule, select
from tests.small import EVENTS

STORE = EventStore.from_documents(EVENTS, "e.jsonl")
WHOAMI = rule(
    "category: process_creation, product: windows",
    r"s: {Image|endswith: '\cmd.exe', CommandLine|contains: whoami}, "
    r"f: {User: 'NT AUTHORITY\SYSTEM'}, condition: s and not f",
)


def explained(answer: str, reference: Rule = WHOAMI, store: EventStore = STORE) -> str:
    return score_rule(answer, reference, store).explain()


def answer(selection: str, logsource: str = "category: process_creation") -> str:
    return f"logsource: {{{logsource}}}\ndetection: {{s: {{{selection}}}, condition: s}}"


def test_the_right_answer_has_nothing_to_explain() -> None:
    assert explained(ANSWERS["right"]) == (
        "Reward 1.1 of 1.1\n"
        "  yaml_valid              1 × 0.1\n"
        "  logsource_correct       1 × 0.3\n"
        "  iou                     1 × 0.7   2 right, 0 missed, 0 extra events"
    )


def test_an_extra_event_names_the_line_of_the_reference_that_excludes_it() -> None:
    text = explained(ANSWERS["no filter"])
    assert "  iou                0.6667 × 0.7   2 right, 0 missed, 1 extra events" in text
    assert "Extra: 1 event that the answer matches and the reference does not" in text
    assert f"  e.jsonl:2:2  {SYSMON} 1" in text
    assert (
        r"    ✓ reference's f: User: 'NT AUTHORITY\SYSTEM' — User is 'NT AUTHORITY\SYSTEM'; "
        "it holds, and the condition negates it"
    ) in text


def test_a_missed_event_names_the_line_of_the_answer_that_failed() -> None:
    text = explained(ANSWERS["half"])
    assert "Missed: 1 event that the reference matches and the answer does not" in text
    assert "    ✗ answer's s: CommandLine|contains: ' /all' — CommandLine is 'cmd /c whoami'" in text


def test_events_on_which_the_same_lines_decide_stand_together() -> None:
    text = explained(answer("Image|contains: windows"))
    assert "Extra: 7 events" in text
    assert text.count("✗ reference's s: Image|endswith: '\\cmd.exe' — Image is") == 1
    assert "e.jsonl:3:3" in text
    assert "and 4 more on which the same lines decide" in text
    assert text.count("✗ reference's s: CommandLine|contains: 'whoami' — ") == 1


def test_what_the_logsource_leaves_out_is_said_instead_of_a_line() -> None:
    text = explained(answer("EventID: 4688", "service: security"))
    assert "The logsource is service: security; the reference has product: windows, category: process_creation." in text
    assert f"  It does not reach what was asked for: {SYSMON} (1)" in text
    assert f"    the answer's logsource (service: security) does not select {SYSMON} 1" in text
    assert "It also reaches" not in text


def test_a_logsource_that_reaches_too_far_is_named_with_where() -> None:
    text = explained(answer("Image|endswith: x", "service: sysmon"))
    assert f"  It also reaches: {SYSMON} (any other EventID, 2, 3, 4, 5, …)" in text
    assert "does not reach" not in text


def test_an_unknown_name_is_named_with_the_nearest() -> None:
    assert "unknown category 'process_start' selects no event" in explained(ANSWERS["unknown place"])


@pytest.mark.parametrize("name", ["empty", "alias", "no condition", "huge", "correlation", "aggregation"])
def test_what_could_not_be_run_is_explained_by_its_reason(name: str) -> None:
    score = score_rule(ANSWERS[name], WHOAMI, STORE)
    text = score.explain()
    assert f"\n\n{score.status}: {score.reason}" in text
    assert "Missed" not in text


def test_many_reasons_and_many_events_are_cut_short() -> None:
    documents = [{"Channel": SYSMON, "EventID": 1, "Image": f"{i} a", "User": str(i)} for i in range(400)]
    lines = ", ".join(f"s{i}_: {{User: '{i}'}}" for i in range(9))
    reference = rule("category: process_creation", f"s: {{Image|contains: a}}, {lines}, condition: s and not 1 of s*_")
    text = explained(answer("Image|contains: a"), reference, EventStore.from_documents(documents))
    assert "Extra: 9 events" in text
    assert "… 4 other reasons" in text
    text = explained(answer("Image: b"), reference, EventStore.from_documents(documents))
    assert "Missed: 391 events" in text
    assert "(191 further events were not looked at)" in text
    assert "and 199 more on which the same lines decide" in text


def test_control_characters_of_logs_and_answers_are_escaped() -> None:
    store = EventStore.from_documents([{"Channel": SYSMON, "EventID": 1, "Image": "a\x1b[31m", "User": "u"}])
    text = explained(answer(r'Image: "\e[2J"'), select("category: process_creation", "User: u"), store)
    assert "\\x1b[31m" in text
    assert "\\x1b[2J" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_every_answer_has_an_explanation_without_a_fault() -> None:
    for text in ANSWERS.values():
        assert explained(text).startswith("Reward ")


TRAPS = [
    ("Image: cmd.exe", "a plain value must be the whole text; endswith would match"),
    (r"Image: 'c:\windows'", "a plain value must be the whole text; startswith would match"),
    ("Image: system32", "a plain value must be the whole text; contains would match"),
    ("Image|cased: 'c:\\windows\\system32\\cmd.exe'", "cased compares with case"),
    ("CommandLine|re: '^CMD'", "re is case-sensitive; re|i would match"),
    ("image|endswith: cmd.exe", "names are case-sensitive: the field is Image"),
    ("Image: null, User: bob", None),
    ("Missing: ''", "'' is present and empty; an absent field is null"),
    ("Missing: x", None),
    ("Image|contains: nowhere", None),
]


@pytest.mark.parametrize(("selection", "hint"), TRAPS)
def test_traps_of_values_are_pointed_out(selection: str, hint: str | None) -> None:
    [line] = [line for line in explained(answer(selection)).splitlines() if line.startswith("    ✗")][:1]
    assert line.endswith(f" ({hint})") if hint else not line.endswith(")")


@pytest.mark.parametrize(
    ("held", "value", "hint"),
    [
        ("", "null", "null is an absent field; write '' for one that is there and empty"),
        ("-", "null", "'-' is text; null is an absent field"),
        ("0x17", "23", "numbers are compared as decimal text; write '0x17'"),
        ("0x17", "0x17", "numbers are compared as decimal text; write '0x17'"),
        (r"\\srv\share", r"'\\srv\share'", "two backslashes in a rule are one; a UNC path needs four"),
    ],
)
def test_traps_of_empty_values_numbers_and_backslashes(held: str, value: str, hint: str) -> None:
    store = EventStore.from_documents([{"Channel": SYSMON, "EventID": 1, "Field": held, "User": "u"}])
    text = explained(answer(f"Field: {value}"), select("category: process_creation", "User: u"), store)
    assert f"({hint})" in text


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("0x17", "line 2: unquoted 0x17 is 23 in YAML; write '0x17' to match that text"),
        ("010", "line 2: unquoted 010 is 8 in YAML; write '010' to match that text"),
        ("yes", "line 2: unquoted yes is true in YAML; write 'yes' to match that text"),
        ("1_000", "line 2: unquoted 1_000 is 1000 in YAML; write '1_000' to match that text"),
        ("12:30", "line 2: unquoted 12:30 is 750 in YAML; write '12:30' to match that text"),
        ("23", None),
        ("'0x17'", None),
        ("true", None),
        ("plain text", None),
    ],
)
def test_unquoted_values_that_yaml_reads_otherwise_are_noted(written: str, note: str | None) -> None:
    text = explained(answer(f"Image: {written}"))
    assert (f"Note: {note}" in text) if note else ("Note:" not in text)
