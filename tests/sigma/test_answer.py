from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigma_env.sigma.answer import STATUSES, parse_answer
from sigma_env.sigma.rule import LogSource

RULE = """\
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\\cmd.exe'
    condition: selection
"""
OTHER = RULE.replace("cmd.exe", "powershell.exe")
FENCED = f"```yaml\n{RULE}```\n"


def status(text: str) -> str:
    return parse_answer(text).status


def reads(text: str, rule: str) -> None:
    expected = parse_answer(rule).rule
    assert expected is not None
    answer = parse_answer(text)
    assert (answer.status, answer.reason) == ("ok", None)
    assert answer.rule == expected


def replaced(old: str, new: str) -> str:
    assert old in RULE
    return RULE.replace(old, new)


CASES: dict[str, dict[str, str]] = {
    "no_rule": {
        "empty": "",
        "space": " \n\t\n",
        "words": "I cannot write that rule.",
        "unclosed think": f"<think>{FENCED}",
        "think opened again": f"<think>a</think>{FENCED}<think>or is it",
        "nothing after think": f"<think>{FENCED}</think>\n",
        "other mapping": "answer: 5",
        "empty block": "```yaml\n```",
        "other languages": "```json\n{}\n```\n```python\nprint()\n```",
        "harmony without a final channel": f"<|channel|>analysis<|message|>{FENCED}<|end|>",
    },
    "bad_yaml": {
        "no YAML": "```yaml\nlogsource: [\n```",
        "no mapping": "```yaml\n- logsource\n```",
        "several mappings": f"{RULE}---\n{RULE}",
        "alias": replaced("'\\cmd.exe'", "*x"),
        "anchor": replaced("'\\cmd.exe'", "&x cmd.exe"),
        "tag": replaced("'\\cmd.exe'", "!!binary Y21k"),
        "duplicate field": replaced("    condition", "        Image|endswith: x\n    condition"),
        "duplicate metadata": f"title: a\ntitle: b\n{RULE}",
        "tab": replaced("    selection", "\tselection"),
    },
    "invalid_rule": {
        "no logsource": "detection:\n  s: {a: b}\n  condition: s",
        "no detection": "logsource: {category: process_creation}",
        "unknown modifier": replaced("endswith", "ends"),
        "undefined selection": replaced("condition: selection", "condition: filter"),
        "condition with an empty place": replaced("condition: selection", "condition: selection and and"),
        "no values": replaced("'\\cmd.exe'", "[]"),
        "look-ahead": replaced("Image|endswith: '\\cmd.exe'", "Image|re: (?!cmd)"),
        "four dashes": replaced("Image|endswith: '\\cmd.exe'", "CommandLine|windash: -a -b -c -d"),
    },
    "too_complex": {
        "long text": RULE + "#" * 70_000,
        "depth": "logsource: " + "[" * 60_000,
        "values": replaced("'\\cmd.exe'", "[" + "a," * 3000 + "]"),
        "wildcards": replaced("'\\cmd.exe'", "'" + "*a" * 100 + "'"),
        "expression": replaced("Image|endswith: '\\cmd.exe'", r"Image|re: \pL{300}"),
        "condition": replaced("condition: selection", "condition: " + "(" * 99 + "selection" + ")" * 99),
    },
    "unsupported": {
        "expand": replaced("Image|endswith", "Image|expand"),
        "part of a time": replaced("Image|endswith: '\\cmd.exe'", "TimeCreated|hour: 5"),
        "timeframe": RULE + "    timeframe: 5m\n",
        "aggregation": replaced("condition: selection", "condition: selection | count() by User > 5"),
        "correlation": "title: t\ncorrelation: {type: event_count, rules: [a], group-by: [b], timespan: 5m}",
        "filter": "title: t\nlogsource: {category: process_creation}\nfilter: {rules: [a], condition: s, s: {a: b}}",
    },
    "ok": {
        "bare": RULE,
        "fenced": FENCED,
        "bad metadata": f"id: not-a-uuid\ntags: 5\ndate: 2024-13-45\nlevel: [x]\ntitle: {{}}\n{RULE}",
        "other keys": f"{RULE}x: y\n",
        "nothing like real fields": replaced("Image|endswith: '\\cmd.exe'", "Ĳmage: ~"),
    },
    "abstained": {
        "bare": "not_detectable: true",
        "after thought": "<think>No such log.</think>\n\nnot_detectable: true\n",
        "fenced": "```yaml\nnot_detectable: true\n```",
        "nameless fence": "~~~\nnot_detectable: true\n~~~",
    },
}


@pytest.mark.parametrize(("expected", "name"), [(expected, name) for expected in CASES for name in CASES[expected]])
def test_every_text_has_its_status(expected: str, name: str) -> None:
    answer = parse_answer(CASES[expected][name])
    assert answer.status == expected, answer.reason
    assert (answer.rule is not None) == (
        expected == "ok" or (expected == "unsupported" and name not in ("correlation", "filter"))
    )
    assert (answer.reason is None) == (expected == "ok")
    assert "\n" not in (answer.reason or "")


@pytest.mark.parametrize(
    "text",
    [
        "not_detectable: yes",
        "not_detectable: false",
        "not_detectable: true # the proxy would show it",
        "Not_detectable: true",
        "I think not_detectable: true",
        f"not_detectable: true\n{RULE}",
        f"not_detectable: true\n\n{FENCED}",
        "```yaml\nnot_detectable: true\n```\nI hope this helps.",
    ],
)
def test_only_the_whole_answer_abstains(text: str) -> None:
    assert status(text) != "abstained"


def test_every_status_has_cases() -> None:
    assert tuple(CASES) == STATUSES


def test_what_is_not_served_still_has_its_logsource() -> None:
    for name in ("expand", "timeframe", "aggregation"):
        assert parse_answer(CASES["unsupported"][name]).logsource == LogSource("process_creation", "windows", None)
    assert parse_answer(CASES["unsupported"]["filter"]).logsource == LogSource("process_creation", None, None)
    assert parse_answer(CASES["unsupported"]["correlation"]).logsource is None
    assert parse_answer(RULE).logsource == LogSource("process_creation", "windows", None)


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n\n{FENCED}\nThis rule matches cmd.exe.",
        f"First try:\n```yaml\n{OTHER}```\nbetter:\n{FENCED}",
        f"<think>\n```yaml\n{OTHER}```\n</think>\n{FENCED}",
        f"I think ```yaml {OTHER}</think>{FENCED}",
        f"<think>a</think><think>b</think>\n{RULE}",
        f"<think>never opened a tag</think>{RULE}",
        f"reasoning without an opening tag </think>\n\n{RULE}",
        f"```yml\n{RULE}```",
        f"```YAML\n{RULE}```",
        f"```sigma\n{RULE}```",
        f"```yaml title=rule.yml\n{RULE}```",
        f"```\n{RULE}```",
        f"~~~yaml\n{RULE}~~~",
        f"`````yaml\n{RULE}`````",
        f"```yaml\n{RULE}",
        f"1. A list:\n\n   ```yaml\n{''.join('   ' + line for line in RULE.splitlines(True))}   ```\n",
        f"{FENCED}\nRun it with:\n```bash\nsigma convert rule.yml\n```\n",
        f"{FENCED}\nOutput:\n```\nno errors\n```\n",
        f"```json\n{{}}\n```\n{RULE}",
        f"Use `Image` and ``` in a line ``` of text.\n{FENCED}",
        f"Sure! The rule:\n\n{RULE}",
        f"{RULE}\nThis rule detects cmd.exe. It may match a lot.\n",
        f"{RULE}\n\n**Note:** it may match a lot\n",
        f"---\n{RULE}",
        f"The rule:\n\n---\n\n{RULE}\n---\n\nIt matches cmd.exe.",
        f"{RULE}...\n",
        f"title: cmd\nid: 1\ntags:\n- attack.t1059\n\n{RULE}\n# a comment\nlevel: low\n",
        FENCED.replace("\n", "\r\n"),
        RULE.replace("\n", "\r\n"),
        RULE.replace("\n", "\r"),
        f"\ufeff{RULE}",
        f"<|channel|>analysis<|message|>{OTHER}<|end|><|start|>assistant<|channel|>final<|message|>{FENCED}<|return|>",
        f"<|channel|>final<|message|>{OTHER}<|end|><|channel|>final <|constrain|>yaml<|message|>{RULE}",
        f"<|channel|>final<|message|><think>a</think>{RULE}<|end|>trailing",
    ],
)
def test_the_rule_is_found_where_models_write_it(text: str) -> None:
    reads(text, RULE)


def test_bare_json_is_yaml() -> None:
    text = '{"logsource": {"category": "process_creation"}, "detection": {"s": {"a": "b"}, "condition": "s"}}'
    reads(text, text)
    reads(f"The rule:\n{text}\n", text)


def test_a_block_that_is_named_counts_though_it_holds_no_rule() -> None:
    assert status(f"{FENCED}```yaml\n- not a rule\n```") == "bad_yaml"
    assert status(f"{FENCED}```yaml\nx: y\n```") == "invalid_rule"
    assert status("```\n- not a rule\n```") == "bad_yaml"


def test_a_fence_ends_with_one_like_it() -> None:
    body = RULE + "# ~~~\n# ```\n"
    reads(f"````yaml\n{body}```\n````".replace("```\n````", "````"), RULE)
    assert parse_answer(f"~~~yaml\n{RULE}# a\n~~~\n").yaml_text == f"{RULE}# a\n"
    assert parse_answer(f"````yaml\n{RULE}# ```\n````\n").yaml_text == f"{RULE}# ```\n"


def test_an_answer_says_which_text_was_read() -> None:
    assert parse_answer(f"a\n{FENCED}b").yaml_text == RULE
    assert parse_answer("words").yaml_text is None
    assert parse_answer("```yaml\n[\n```").yaml_text == "[\n"


PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "```yaml\n",
        "```\n",
        "~~~\n",
        "<|channel|>final<|message|>",
        "<|end|>",
        "<|channel|>",
        RULE,
        "---\n",
        "\n",
        "{",
    ]
)


@pytest.mark.parametrize("wrap", [str, "```yaml\n{}\n```".format, "logsource:\n  category: {}\n".format])
def test_no_text_raises(wrap: Callable[[str], str]) -> None:
    @settings(deadline=None)
    @given(st.lists(PIECES | st.text(max_size=20), max_size=8).map("".join))
    def check(text: str) -> None:
        answer = parse_answer(wrap(text))
        assert answer.status in STATUSES
        assert (answer.status == "ok") == (answer.reason is None)

    check()
