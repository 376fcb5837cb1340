"""Answers that try to cheat or to break the reader at the level of the language. None may raise, none may be a rule."""

from __future__ import annotations

from textwrap import indent

import pytest

from sigma_env.sigma.answer import parse_answer

LOGSOURCE = "logsource: {category: process_creation}\n"


def rule(selection: str, condition: str = "selection", more: str = "") -> str:
    return f"{LOGSOURCE}detection:\n    selection: {selection}\n    condition: {condition}\n{more}"


BILLION_LAUGHS = "\n".join(
    ["logsource: {category: process_creation}", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    + ["detection: {selection: {Image: *a9}, condition: selection}"]
)

NO_RULES = {
    # To be a rule of nothing, or of everything, by a gap in the validator.
    "empty list means null elsewhere": rule("{Image: []}"),
    "empty selection": rule("{}"),
    "empty detection": LOGSOURCE + "detection: {}",
    "condition only": LOGSOURCE + "detection: {condition: 1 of them}",
    "condition that is never parsed": rule("{Image: a}", "selection and and"),
    "selection that does not exist": rule("{Image: a}", "selection or not x"),
    "selection of no names": rule("{Image: a}", "not 1 of x*"),
    "list of no conditions": rule("{Image: a}", "[]"),
    "second condition that is no condition": rule("{Image: a}", "[selection, '(']"),
    "aggregation that is none": rule("{Image: a}", "selection | true"),
    "unused selection that is invalid": rule("{Image: a}", "selection", "    other: {Image|x: a}\n"),
    "not served and invalid": rule("{Image|expand: 5}"),
    "correlation that is none": "correlation: yes\n",
    "filter that is none": "filter: {}\nlogsource: {category: process_creation}\n",
    # To be read differently by different readers.
    "two documents": rule("{Image: a}") + "---\n" + rule("{Image: b}"),
    "two fields of one name": rule("{Image: a, Image: b}"),
    "two detections": rule("{Image: a}") + "detection: {s: {Image: b}, condition: s}\n",
    "merge key": rule("{<<: {Image: a}}"),
    "python object": rule("{Image: !!python/object/apply:os.system ['true']}"),
    "tagged text": rule("{Image: !!str 5}"),
    "date": rule("{Image: 2024-01-01}"),
    "nul": rule("{Image: 'a\0'}"),
    "half a character": rule("{Image: 'a\ud800'}"),
    "escaped half a character": rule('{Image: "\\ud800"}'),
    # To write to the terminal of a person who reads why.
    "escape sequence in a value": rule('{Image|contains: [5, "\\e[2J"]}'),
    "escape sequence in a field": rule('{"\\e[2J|x": a}'),
    "line break in a selection": LOGSOURCE + 'detection: {"a\\nb": {}, condition: x}',
    "direction of text": LOGSOURCE + 'detection: {"\\u202e": {}, condition: x}',
    "escape sequence in a condition": rule("{Image: a}", '"\\e[2J"'),
    "escape sequence in an expression": rule('{Image|re: "(\\e[2J"}'),
    # To make the reader slow, large or dead.
    "billion laughs": BILLION_LAUGHS,
    "alias to itself": rule("&a {Image: *a}"),
    "brackets": rule("[" * 60_000),
    "braces": rule("{a: " * 15_000),
    "dashes": rule("- " * 30_000),
    "complex keys": rule("? " * 30_000),
    "spaces": " " * 65_000 + "x",
    "lines": "logsource:" + "\n" * 66_000,
    "many keys": rule("{" + ",".join(f"f{i}: a" for i in range(7000)) + "}"),
    "long number": rule("{Image: " + "9" * 60_000 + "}"),
    "long hexadecimal number": rule("{Image: 0x" + "f" * 60_000 + "}"),
    "long number of base 60": rule("{Image: 1" + ":59" * 20_000 + "}"),
    "infinite number": rule("{Image: .inf}"),
    "no number": rule("{Image|gt: .nan}"),
    "number beyond a double": rule("{Image: 1" + "0" * 400 + "}"),
    "windash": rule("{Image|windash: " + " -a" * 20 + "}"),
    "many windashes": rule("{Image|windash: [" + ",".join(["' -a -b -c'"] * 500) + "]}"),
    "chain of encodings": rule(
        "{Image|base64offset|base64offset|base64offset|base64offset|base64offset|base64offset: abcd}"
    ),
    "long chain of encodings": rule("{Image|" + "base64|" * 200 + "base64: abcd}"),
    "wildcards": rule("{Image: '" + "*a" * 2000 + "'}"),
    "expression that explodes": rule("{Image|re: '((((a{1,100}){1,100}){1,100}){1,100})'}"),
    "expression of large classes": rule(r"{Image|re: '\pL{500}'}"),
    "long expression": rule("{Image|re: '" + "(a|b)" * 5000 + "'}"),
    "many expressions": rule("{Image|re: [" + ",".join(f"a{i}.{{900}}" for i in range(200)) + "]}"),
    "parentheses": rule("{Image: a}", "'" + "(" * 2000 + "selection" + ")" * 2000 + "'"),
    "nots": rule("{Image: a}", "not " * 1000 + "selection"),
    "of of many": LOGSOURCE
    + "detection:\n"
    + "".join(f"    s{i}: a\n" for i in range(99))
    + f"    condition: {' or '.join(['1 of s*'] * 300)}\n",
    "many conditions": rule("{Image: a}", "[" + ",".join(["selection"] * 1000) + "]"),
    "pattern of stars": rule("{Image: a}", "1 of x" + "*a" * 1500, f"    {'a' * 3000}b: c\n"),
    "long name of a logsource": "logsource: {category: " + "x" * 60_000 + "}\ndetection: {s: a, condition: s}",
    "many fences": "```yaml\n" * 20_000,
    "many tags": "<think>" * 10_000,
    "many channels": "<|channel|>final" * 10_000,
}


@pytest.mark.parametrize("name", NO_RULES)
def test_an_answer_that_cheats_is_no_rule(name: str) -> None:
    answer = parse_answer(NO_RULES[name])
    assert answer.status in ("no_rule", "bad_yaml", "invalid_rule", "too_complex")
    assert answer.rule is None
    assert answer.reason
    assert len(answer.reason) <= 1000
    assert answer.reason.isprintable()


RULE = rule("{Image: a}")

HIDDEN = {
    "the last block counts, not the best": (f"```yaml\n{RULE}```\n```yaml\n{rule('{Image|x: b}')}```", "invalid_rule"),
    "a rule within the thoughts": (f"<think>```yaml\n{RULE}```</think>I will not answer.", "no_rule"),
    "a rule before an unclosed tag": (f"{RULE}<think>", "no_rule"),
    "a rule in the analysis channel": (f"<|channel|>analysis<|message|>{RULE}", "no_rule"),
    "a rule in a block of another language": (f"```python\n{RULE}```", "no_rule"),
    "a rule in a comment": (f"```yaml\n{indent(RULE, '# ')}```", "bad_yaml"),
    "a rule in a text": (f"```yaml\ntext: |\n{indent(RULE, '  ')}```", "invalid_rule"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_rule_that_is_not_the_answer_does_not_count(name: str) -> None:
    text, status = HIDDEN[name]
    assert parse_answer(text).status == status
