"""Requests in eight voices: what they say, and what they never say."""

from typing import Any

import pytest

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta, Rule
from sigma_env.simulation.plan import MAX_REQUEST, SCENARIOS, Outage, Plan
from sigma_env.simulation.requests import (
    PERSONAS,
    RequestError,
    discloses,
    faults,
    full_plan,
    make_plan,
    write_request,
)

PROCESSES = {"product": "windows", "category": "process_creation"}
META = Meta(id="r", title="Odd Starts Of Tools", description="Detects the execution of odd tools (https://a.example).")
DETECTION = {
    "selection_img": [{"Image|endswith": "\\odd.exe"}, {"OriginalFileName": "Odd.exe"}],
    "selection_cli": {"CommandLine|contains|all": ["-load ", ".cfg"], "ParentImage": None},
    "filter_main_admin": {"User|startswith": "ADM", "CurrentDirectory": ["C:\\Tools\\", ""]},
    "condition": "all of selection_* and not filter_main_admin",
}


def rule_of(detection: dict[str, Any], logsource: dict[str, str] = PROCESSES, meta: Meta = META) -> Rule:
    return parse_rule({"logsource": logsource, "detection": detection}, meta=meta)


def plan_of(**line: Any) -> Plan:
    return make_plan(
        rule_of({"s": {key.replace("__", "|"): value for key, value in line.items()}, "condition": "s"}), 0
    )


def facts(plan: Plan, persona: str = "detection_engineer", seed: int = 0) -> str:
    return write_request(plan, persona, seed).facts


def test_an_engineer_names_fields() -> None:
    detection = {**DETECTION, "filter_main_admin": {"User|startswith": "ADM", "CurrentDirectory": ["C:\\Tools\\", ""]}}
    log, heading, *items, exceptions = facts(make_plan(rule_of(detection), 0)).split("\n")
    assert "process" in log
    assert heading.endswith((" all of these are true:", " all of the following hold:"))
    assert items == [
        "- either `Image` ends in `\\odd.exe` or `OriginalFileName` is exactly `Odd.exe`",
        "- `CommandLine` contains both `-load ` and `.cfg`",
        "- `ParentImage` is missing",
    ]
    either = "(either `CurrentDirectory` is exactly `C:\\Tools\\` or it is there but empty)"
    assert exceptions.endswith(f" when `User` starts with `ADM`, and {either}.")


def test_others_use_words() -> None:
    for persona in PERSONAS[:-1]:
        said = facts(make_plan(rule_of(DETECTION), 0), persona)
        assert "command line" in said
        assert "CommandLine" not in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"CommandLine": "x.exe"}, "is exactly `x.exe`"),
        ({"CommandLine": "x*y"}, "matches the pattern `x*y` (* stands for any text and ? for any one character)"),
        ({"CommandLine": "*x"}, "ends in `x`"),
        ({"CommandLine__contains": "a\\*b"}, "contains `a*b` (* and ? are meant literally)"),
        ({"CommandLine__startswith": ["a", "b", "c"]}, "starts with any of `a`, `b` or `c`"),
        ({"CommandLine__contains__all": ["a", "b"]}, "contains both `a` and `b`"),
        ({"CommandLine__cased": "Ab"}, "is exactly `Ab` (upper and lower case matter)"),
        ({"CommandLine__contains__windash": " -e"}, "contains ` -e` (the dash may be written -, /, –, — or ―)"),
        ({"CommandLine__re": "a{2}"}, "matches the regular expression `a{2}`"),
        ({"CommandLine__re__i": ["a", "b"]}, "matches any of the regular expressions `a` or `b` (ignoring case)"),
        ({"IpAddress__cidr": "10.0.0.0/8"}, "is in the network `10.0.0.0/8`"),
        ({"EventID": 4625}, "is 4625"),
        ({"EventID": [1, 2]}, "is either 1 or 2"),
        ({"EventID__gte": 5}, "is at least 5"),
        ({"User": None}, "is missing"),
        ({"User": ""}, "is there but empty"),
        ({"User__exists": True}, "is part of the event"),
        ({"User__fieldref": "Image"}, "is the same as `Image`"),
        ({"User__neq": "x"}, "is exactly `x`"),
        ({"CommandLine__contains": "a`b"}, 'contains "a`b"'),
        ({"CommandLine__contains": 'a`"«b'}, 'contains ``` a`"«b ```'),
        (
            {"CommandLine__wide__base64offset__contains": "http"},
            "contains `http` (looked for in encoded form: UTF-16LE, then Base64 at any of the three offsets)",
        ),
    ],
)
def test_comparisons_in_words(line: dict[str, Any], words: str) -> None:
    assert words in facts(plan_of(**line))


def test_keywords_are_searched_in_any_field() -> None:
    assert "any field of the event contains either `a` or `b`" in facts(
        make_plan(rule_of({"k": ["a", "b"], "condition": "k"}), 0)
    )


def test_nested_conditions_keep_their_sense() -> None:
    lines = {name: {"User": name * 30} for name in "abcd"}
    plan = make_plan(rule_of({**lines, "condition": "(a or b) and not (c and not d)"}), 0)
    said = facts(plan)
    a, b, c, d = (f"`{name * 30}`" for name in "abcd")
    assert f"`User` is exactly {a} or it is exactly {b}" in said
    assert f"`User` is exactly {c} and it is not exactly {d}" in said
    assert said.index(a) < said.index(b) < said.index(c) < said.index(d)


def test_a_rule_of_exceptions_only() -> None:
    said = facts(make_plan(rule_of({"a": {"User": "x"}, "condition": "not a"}), 0))
    assert "Every such event counts." in said


@pytest.mark.parametrize("persona", PERSONAS)
def test_requests_hold_no_part_of_the_rule(persona: str) -> None:
    plan = make_plan(rule_of(DETECTION), 0)
    for seed in range(10):
        request = write_request(plan, persona, seed, profile="both")
        assert discloses(request.text, plan)
        for word in ("selection", "filter_main", "endswith", "logsource", "detection:", "https://"):
            assert word not in request.text
        assert len(request.text) <= MAX_REQUEST
        assert request.persona == persona
        assert request.disclosed == plan.parts


def test_the_same_arguments_give_the_same_text_and_another_seed_another() -> None:
    plan = make_plan(rule_of(DETECTION), 0)
    for persona in PERSONAS:
        texts = [write_request(plan, persona, seed).text for seed in range(6)]
        assert texts == [write_request(plan, persona, seed).text for seed in range(6)]
        assert len(set(texts)) == 6


def test_the_profile_is_said_unless_it_contradicts_the_log() -> None:
    assert "Sysmon" in write_request(make_plan(rule_of(DETECTION), 0), "red_team", 0, profile="security").text
    registry = rule_of({"s": {"TargetObject": "x"}, "condition": "s"}, {"category": "registry_set"})
    assert "Sysmon" not in write_request(make_plan(registry, 0), "red_team", 0, profile="security").text
    assert (
        "We log everything." in write_request(make_plan(registry, 0), "manager", 0, profile="We log everything.").text
    )


def test_visible_events_are_pasted_without_what_is_not_disclosed() -> None:
    names = [f"\\tool-number-{number:02}.exe" for number in range(40)]
    plan = make_plan(rule_of({"s": {"Image|endswith": names}, "condition": "s"}), 0)
    told = next(part.text for part in plan.parts if part.kind == "value" and part.disclosed)
    hidden = next(part.text for part in plan.parts if part.kind == "value" and not part.disclosed)
    events = [{"Computer": "a", "Image": f"C:{name}", "User": "-"} for name in (hidden, told)]
    text = write_request(plan, "incident_responder", 0, visible=events).text
    assert f"    Computer: a\n    Image: C:{told}\n" in text
    assert hidden not in text
    assert "User" not in text


def test_as_many_events_are_pasted_as_there_is_room_for() -> None:
    plan = make_plan(rule_of(DETECTION), 0)
    events = [{f"Field{n}": f"{event}-" * 40 for n in range(20)} for event in range(9)]
    text = write_request(plan, "incident_responder", 0, visible=events).text
    assert "Field11: 0-" in text
    assert "Field12: 0-" not in text
    assert "8-" * 40 not in text
    assert len(text) <= MAX_REQUEST


def test_a_description_that_says_too_much_is_left_out() -> None:
    names = [f"\\secret{number:02}.exe" for number in range(40)]
    for number in range(40):
        meta = Meta(id="r", title="Tools", description=f"Detects secret{number:02}.exe and the like")
        plan = make_plan(rule_of({"s": {"Image|endswith": names}, "condition": "s"}, meta=meta), 0)
        hidden = {part.text for part in plan.parts if part.kind == "value" and not part.disclosed}
        text = write_request(plan, "soc_analyst", 0).text
        assert ("and the like" in text) == (names[number] not in hidden)


def test_what_is_too_long_is_refused() -> None:
    words = [f"{number:03}" * 40 for number in range(60)]
    with pytest.raises(RequestError, match="characters, at most 4000"):
        write_request(full_plan(rule_of({"s": {"CommandLine|contains|all": words}, "condition": "s"})), "manager", 0)


def test_spaces_at_the_edge_of_a_text_are_pointed_out() -> None:
    with_space, without = plan_of(CommandLine__contains=" -e"), plan_of(CommandLine__contains="-e -f")
    assert "spaces" in write_request(with_space, "red_team", 0).text.lower()
    assert "spaces" not in write_request(without, "red_team", 0).text.lower()


# Scenarios


def scenario_text(scenario: Any, seed: int) -> tuple[Plan, str]:
    plan = make_plan(rule_of(DETECTION), seed, scenario)
    return plan, write_request(plan, "manager", seed).text


def test_a_wrong_detail_is_marked_as_wrong() -> None:
    for seed in range(20):
        plan, text = scenario_text("wrong_detail", seed)
        default = write_request(make_plan(rule_of(DETECTION), seed), "manager", seed)
        assert discloses(text, plan)
        assert any(word in text for word in ("typo", "go by", "That is wrong", "leave it out", "Please ignore it"))
        assert default.scenario == "default"


def test_a_broken_source_is_said() -> None:
    for seed in range(10):
        plan, text = scenario_text("broken_log_source", seed)
        assert plan.outage is not None
        lost: Outage = plan.outage
        assert all(f'"{channel}"' in text for channel in lost.channels)
        assert not lost.blank_fields or "empty on all hosts" in text or "always blank" in text


def test_partial_data_is_said() -> None:
    rule = rule_of({"s": {"Image|endswith": ["\\one.exe", "\\two.exe", "\\three.exe"]}, "condition": "s"})
    text = write_request(make_plan(rule, 0, "partial_data"), "manager", 0).text
    assert "only part of the picture" in text or "incomplete" in text


# The check


def test_faults_of_foreign_texts() -> None:
    plan = make_plan(rule_of(DETECTION), 0)
    right = write_request(plan, "detection_engineer", 0).text
    assert faults(right, plan) == []
    assert "does not say '.cfg'" in faults(right.replace("`.cfg`", "a configuration"), plan)[0]
    assert "part of a rule" in faults(f"{right}\ndetection:\n", plan)[0]
    assert "part of a rule" in faults(f"{right} CommandLine|contains: x", plan)[0]
    assert "names the rule's selection 'filter_main_admin'" in faults(f"{right} filter_main_admin", plan)[0]
    assert "characters" in faults(right + "x" * MAX_REQUEST, plan)[0]
    assert not discloses("", plan)


def test_an_undisclosed_value_is_a_fault() -> None:
    names = [f"\\tool-number-{number:02}.exe" for number in range(40)]
    plan = make_plan(rule_of({"s": {"Image|endswith": names}, "condition": "s"}), 0)
    hidden = next(part.text for part in plan.parts if part.kind == "value" and not part.disclosed)
    text = write_request(plan, "red_team", 0).text
    assert faults(f"{text} C:{hidden.upper()}", plan) == [
        f"the text says {hidden[1:]!r}, which the plan does not disclose"
    ]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_rule_of_sigmahq_gets_a_request(sigmahq: list[Rule], scenario: Any) -> None:
    for number, rule in enumerate(sigmahq[::5]):
        plan = make_plan(rule, number, scenario)
        request = write_request(plan, PERSONAS[number % len(PERSONAS)], number, profile="mixed")
        assert 0 < len(request.text) <= MAX_REQUEST
        assert request.facts in request.text
