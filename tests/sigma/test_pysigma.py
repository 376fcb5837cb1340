"""The validator against pySigma 2: the same texts are rules, with the same tree, but for the differences listed here.

`SIGMA_ENV_DIFFERENTIAL_SAMPLES` is the number of mutated answers. The full run takes 100000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from sigma_env.sigma.answer import Answer, parse_answer
from sigma_env.sigma.limits import RULE_LIMITS
from tests.sigma import oracle
from tests.sigma.mutations import Mutator

SAMPLES = int(os.environ.get("SIGMA_ENV_DIFFERENTIAL_SAMPLES", "20000"))
SEEDS = range(8)

# SigmaHQ uses few of the modifiers; these make the mutations start from the others too.
OTHER_RULES = (
    """
logsource: {category: process_creation}
detection:
    encoded: {CommandLine|wide|base64offset|contains: ['http', ' -enc '], Image|utf16be: 'a*'}
    marked: {CommandLine|utf16|base64: 'Net.WebClient', ParentImage|base64|startswith: 'MZ'}
    numbers: {LogonId|gte: 0x3e7, ProcessId|lt: 4.5, TerminalSessionId|gt: 0, Size|lte: 1000000}
    cased: {User|cased: 'SYSTEM', Image|cased|endswith: '\\Cmd.exe', Description|contains|cased: 'x?y'}
    condition: (1 of encoded or all of mark*) and not (numbers or cased)
""",
    """
logsource: {product: windows, service: security}
detection:
    other: {SubjectUserName|fieldref: TargetUserName, IpAddress|fieldref|endswith: WorkstationName}
    not_this: {LogonType|neq: [2, 3], TargetUserName|endswith|neq: '$'}
    there: {SubjectUserSid|exists: true, IpPort|exists: false}
    words: ['mimikatz', 'sekurlsa::*', 4624, true]
    every: {'|all': ['a', 'b?c']}
    spelled: {Process|windash|contains: [' -a', '/b -c']}
    net: {IpAddress|cidr: ['10.0.0.0/8', 'fe80::/10'], Name|re|i|m: '^(?:a|b).*c$'}
    condition:
        - other and not_this or there
        - not 1 of them or words and every
        - all of *e* and spelled and not net
""",
)


class Difference(NamedTuple):
    """A place where pySigma is not followed: why, a text that shows it, and how to recognise it."""

    why: str
    example: str
    is_this: Callable[[Answer, Exception | None], bool]


def reason_says(text: str) -> Callable[[Answer, Exception | None], bool]:
    return lambda answer, error: error is None and text in (answer.reason or "")


def detection(text: str, condition: str = "selection", logsource: str = "{category: process_creation}") -> str:
    return f"logsource: {logsource}\ndetection:\n    selection: {text}\n    condition: {condition}\n"


DIFFERENCES = {
    "no values": Difference(
        "pySigma reads an empty list as null, so that the rule would match every event without the field",
        detection("{Image: []}"),
        reason_says("the list of values is empty"),
    ),
    "anchor": Difference(
        "anchors, and aliases to them, make a small text a large rule",
        detection("{Image: &name cmd.exe}"),
        reason_says("is a YAML anchor"),
    ),
    "tag": Difference(
        "tags let a text choose how it is loaded",
        detection("{Image: !!str 5}"),
        reason_says("is a YAML tag"),
    ),
    "malformed date": Difference(
        "pySigma's loader stops at a date that does not exist; in metadata, which is dropped, it must not cost a rule",
        "date: 2024-13-45\n" + detection("{Image: cmd.exe}"),
        lambda answer, error: answer.status in ("ok", "unsupported") and type(error) is ValueError,
    ),
    "too complex": Difference(
        "pySigma has no caps",
        detection("{Image: '" + "?" * 40 + "'}"),
        lambda answer, error: error is None and answer.status == "too_complex",
    ),
    "logsource that is no text": Difference(
        "pySigma checks the type only of what Python holds for true, so that 0, false, [] and {} pass",
        detection("{Image: cmd.exe}", logsource="{category: process_creation, service: []}"),
        lambda answer, error: error is None and "logsource: '" in (answer.reason or ""),
    ),
    "re without text": Difference(
        "pySigma makes an expression of what Python prints for null, lists and mappings",
        detection("{Image|re: null}"),
        lambda answer, error: error is None and "|re" in (answer.reason or "") and answer.status == "invalid_rule",
    ),
    "re with a number and contains": Difference(
        "pySigma keeps a number as it is for `re` alone, and then fails to put wildcards around it",
        detection("{Image|re|contains: 5}"),
        lambda answer, error: answer.status == "ok" and "must be a valid YAML map" in str(error),
    ),
    "name of a selection that is no text": Difference(
        "pySigma's own selectors cannot match such names, so `1 of them` would fail",
        detection("{Image: cmd.exe}\n    1: {Image: powershell.exe}"),
        lambda answer, error: error is None and "has a name that is" in (answer.reason or ""),
    ),
    "utf16le": Difference(
        "Sigma 2.1 has it; pySigma knows only `wide`, its other name",
        detection("{Image|utf16le: cmd.exe}"),
        lambda answer, error: answer.status in ("ok", "unsupported") and "Unknown modifier 'utf16le'" in str(error),
    ),
    "aggregation": Difference(
        "pySigma refuses aggregations; here they are Sigma, though not served",
        detection("{Image: cmd.exe}", "selection | count() by User > 5"),
        lambda answer, error: answer.status == "unsupported" and "pipe syntax" in str(error),
    ),
    "timeframe": Difference(
        "pySigma takes `timeframe` for a selection, which a condition can name; here it only says that the rule is one "
        "that aggregates",
        detection("{Image: cmd.exe}\n    timeframe: 5m", "selection and timeframe"),
        lambda answer, error: (
            error is None and "no selection" in (answer.reason or "") and "timeframe" in (answer.yaml_text or "")
        ),
    ),
}


def disagreement(text: str) -> str | None:
    """What is not agreed on about a text, None if all is or a listed difference explains it."""
    answer = parse_answer(f"```yaml\n{text}\n```", RULE_LIMITS)
    error: Exception | None = None
    theirs: list[oracle.Plain] = []
    try:
        theirs = oracle.load(text)
    except oracle.FAULTS as fault:
        error = fault
    is_rule = answer.status in ("ok", "unsupported")
    if is_rule == (error is None):
        if answer.status != "ok":
            return None
        assert answer.rule is not None
        ours = oracle.ours(answer.rule.condition)
        return None if ours == oracle.joined("or", theirs) else f"the trees differ:\n{ours}\n{theirs}\n{text}"
    if any(difference.is_this(answer, error) for difference in DIFFERENCES.values()):
        return None
    return f"{answer.status}: {answer.reason}\npySigma: {error!r}\n{text}"


def test_every_sigmahq_rule_for_windows_is_the_same_rule(sigmahq_answers: dict[str, str]) -> None:
    assert len(sigmahq_answers) == 2858
    assert [found for text in sigmahq_answers.values() if (found := disagreement(text))] == []


@pytest.mark.parametrize("text", OTHER_RULES)
def test_rules_with_the_other_modifiers_are_the_same_rules(text: str) -> None:
    assert parse_answer(text).status == "ok"
    assert disagreement(text) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_answers_are_judged_alike(seed: int, sigmahq_answers: dict[str, str]) -> None:
    mutator = Mutator(seed)
    short = [text for text in sigmahq_answers.values() if len(text) < 3000]
    texts = [*short, *(OTHER_RULES * (len(short) // 20))]
    found = []
    for _ in range(SAMPLES // len(SEEDS)):
        text = mutator.answer(mutator.random.choice(texts))
        if problem := disagreement(text):
            found.append(problem)
    assert found == []


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_listed_difference_exists(name: str) -> None:
    difference = DIFFERENCES[name]
    answer = parse_answer(difference.example)
    error: Exception | None = None
    try:
        oracle.load(difference.example)
    except oracle.FAULTS as fault:
        error = fault
    assert (answer.status in ("ok", "unsupported")) != (error is None)
    assert difference.is_this(answer, error), (answer.reason, error)
