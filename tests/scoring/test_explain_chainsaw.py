"""A score under Chainsaw's meaning explains itself by the tests that Chainsaw makes, and names the switches."""

from collections.abc import Sequence
from typing import Any

import pytest

from sigma_env.engines.base import Matches, Unsupported
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.scoring.options import DEFAULT_WEIGHTS
from sigma_env.scoring.scorer import score_rule
from sigma_env.scoring.yardstick import Yardstick, measure
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.switches import Switch
from tests.scoring.rules import SYSMON, rule, select

PROVIDER = "Microsoft-Windows-Sysmon"


def event(**data: Any) -> dict[str, Any]:
    system = {
        "Channel": SYSMON,
        "EventID": data.pop("EventID", 1),
        "Provider_attributes": {"Name": data.pop("Provider", PROVIDER)},
        "TimeCreated_attributes": {"SystemTime": "2026-01-01T00:00:00.000000Z"},
    }
    return {"Event": {"System": system, "EventData": data}}


STORE = EventStore.from_documents(
    [
        event(Image="C:\\cmd.exe", User="bob", SignatureStatus="Valid", ProcessId=4),
        event(Image="C:\\cmd.exe", User="eve"),
        event(Image="C:\\a.exe", User="eve", Company="x"),
        event(Image="C:\\b.exe", Provider="other"),
    ],
    "e.jsonl",
)
CMD = select("category: process_creation", "Image|endswith: cmd.exe")
ABOUT = "Lines are those of the meaning chainsaw: tests as it makes them; – is neither true nor false."


def answer(detection: str, logsource: str = "category: process_creation") -> str:
    return f"logsource: {{{logsource}}}\ndetection: {{{detection}}}"


def explained(text: str, reference: Rule = CMD, store: EventStore = STORE) -> str:
    return score_rule(text, reference, store, semantics="chainsaw").explain()


def told(switch: Switch) -> str:
    return f"{switch.label} ({switch.value})"


def test_a_missed_event_names_the_test_that_chainsaw_makes_and_the_switch() -> None:
    text = explained(answer("s: {Image|endswith: cmd.exe}, f: {Company: x}, condition: s and not f"))
    assert ABOUT in text
    assert "Missed: 2 events that the reference matches and the answer does not" in text
    assert "  e.jsonl:0:0" in text
    assert "and 1 more on which the same lines decide" in text
    assert "    – answer's f: Company: 'x' — the event has no Company" in text
    assert f"    by the specification the answer matches it; the difference: {told(Switch.MISSING)}" in text


def test_an_unmapped_field_is_named_with_the_path_that_reaches_it() -> None:
    text = explained(answer("s: {SignatureStatus: Valid}, condition: s"))
    assert (
        "    – answer's s: SignatureStatus: 'valid' — Chainsaw's mapping has no SignatureStatus, so no event has it "
        "(the event has it; write Event.EventData.SignatureStatus)"
    ) in text
    assert told(Switch.FIELD_MAPPING) in text


def test_an_extra_event_names_the_test_of_the_reference() -> None:
    reference = rule(
        "category: process_creation", "s: {Image|endswith: cmd.exe}, f: {User: eve}, condition: s and not f"
    )
    text = explained(answer("s: {Image|endswith: cmd.exe}, condition: s"), reference)
    assert "Extra: 1 event that the answer matches and the reference does not" in text
    assert "    ✓ reference's f: User: 'eve' — User is 'eve'; it holds, and the condition negates it" in text
    assert "by the specification" not in text


def test_a_precondition_that_leaves_an_event_out_is_said() -> None:
    reference = select("category: ps_script", "Image|contains: b.exe")
    text = explained(answer("s: {Image|contains: b.exe}, condition: s"), reference)
    line = (
        "    the answer: Chainsaw's precondition for logsource process_creation/-/- wants Microsoft-Windows-Sysmon "
        "with EventID 1 or Microsoft-Windows-Security-Auditing with EventID 4688; this is other, EventID 1"
    )
    assert line in text


def test_an_answer_that_is_not_run_names_the_switch() -> None:
    text = explained(answer("s: {Image|windash: ' -x'}, condition: s"))
    assert "unsupported: unsupported modifiers - windash" in text
    assert f"It is a rule by the specification; the difference: {told(Switch.FEW_MODIFIERS)}" in text


def test_nothing_is_said_of_the_meaning_where_there_is_no_difference() -> None:
    assert ABOUT not in explained(answer("s: {Image|endswith: cmd.exe}, condition: s"))


def test_many_reasons_are_cut_short() -> None:
    fields = ["User", "Product", "Company", "Hashes", "Description", "ParentUser", "ParentImage", "Imphash", "Query"]
    lines = ", ".join(f"s_{field}: {{{field}: x}}" for field in fields)
    text = explained(answer(f"{lines}, condition: 1 of s_*"))
    assert "… 3 more lines" in text


@pytest.mark.parametrize(
    ("selection", "hint"),
    [
        ("Image: cmd.exe", "a plain value must be the whole text; endswith would match"),
        ("Image|re: CMD", "re is case-sensitive; begin it with (?i)"),
        ("User: 'B*B'", None),
        ("Image: 'C:\\C?MD'", None),
        ("ProcessId: '4'", "text never equals a number or boolean here; write it without quotes"),
        ("image: x", "names are case-sensitive: the field is Image"),
        ("Event.EventData.SignatureStatus: x", None),
    ],
)
def test_traps_of_chainsaw_s_values_are_pointed_out(selection: str, hint: str | None) -> None:
    reference = select("category: process_creation", "User: bob")
    text = explained(answer(f"s: {{{selection}}}, condition: s"), reference)
    (line,) = [line for line in text.splitlines() if line.startswith(("    ✗", "    –"))]
    assert line.endswith(f" ({hint})") if hint else not line.endswith(")")


def test_inner_wildcards_and_unquoted_numbers_are_pointed_out() -> None:
    store = EventStore.from_documents([event(Image="xa*by", DestinationPort="443", User="u")], "e.jsonl")
    reference = select("category: process_creation", "User: u")
    assert "(a value with * or ? inside is compared with case)" in explained(
        answer("s: {Image: 'A*B'}, condition: s"), reference, store
    )
    assert "(a number never equals text here; write it in quotes)" in explained(
        answer("s: {DestinationPort: 443}, condition: s"), reference, store
    )


class TheProgram:
    """Stands for the engine that runs the real program: Chainsaw's meaning, but for one event that it adds."""

    name, semantics, version = "chainsaw", "chainsaw", "1"

    def __init__(self, without: int | None = None) -> None:
        self.without = without

    def match(self, rules: Sequence[Rule], store: EventStore) -> list[Matches | Unsupported]:
        found = NativeEngine("chainsaw").match(rules, store)
        if self.without is None:
            return found
        left_out = Matches.from_rows(store, [self.without])
        return [one if isinstance(one, Unsupported) else one - left_out for one in found]


def by_program(text: str, engine: TheProgram) -> str:
    (true,) = NativeEngine("chainsaw").match([CMD], STORE)
    assert isinstance(true, Matches)
    (score,) = measure([(Yardstick("t", CMD, STORE, true, Matches({})), text)], engine, DEFAULT_WEIGHTS)
    return score.explain()


def test_the_program_s_scores_are_explained_by_its_meaning_in_the_native_engine() -> None:
    text = by_program(answer("s: {Image: cmd.exe}, condition: s"), TheProgram())
    assert f"{ABOUT}\nThey are the native engine's view: chainsaw itself does not say why it matches." in text
    assert "    ✗ answer's s: Image: 'cmd.exe' — Image is 'C:\\cmd.exe'" in text


def test_what_the_program_alone_finds_is_said_to_be_so() -> None:
    text = by_program(answer("s: {Image|endswith: cmd.exe}, condition: s"), TheProgram(without=1))
    assert "    by this meaning the answer matches it, and the program that was run found otherwise" in text
