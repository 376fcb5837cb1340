from __future__ import annotations

from typing import Any

import pytest

from sigma_env.sigma.errors import InvalidRule, RuleError, TooComplex, UnsupportedRule
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.modifiers import MODIFIERS
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import (
    AnyText,
    Cidr,
    Compare,
    Exists,
    FieldRef,
    FieldTest,
    Glob,
    Null,
    Pattern,
    Regex,
    Selection,
    Text,
    Wildcard,
)

MANY, ONE = Wildcard.MANY, Wildcard.ONE


def field_test(key: str, value: Any) -> FieldTest:
    document = {"logsource": {"category": "c"}, "detection": {"s": {key: value}, "condition": "s"}}
    selection = parse_rule(document, ANSWER_LIMITS).condition
    assert isinstance(selection, Selection)
    assert isinstance(selection.child, FieldTest)
    return selection.child


def patterns(key: str, value: Any) -> tuple[Pattern, ...]:
    (only,) = field_test(key, value).values
    assert only.written is value
    return only.alternatives


def texts(key: str, value: str) -> list[str]:
    found = patterns(key, value)
    assert all(isinstance(pattern, Text) for pattern in found)
    return [pattern.text for pattern in found if isinstance(pattern, Text)]


@pytest.mark.parametrize(
    ("key", "value", "pattern"),
    [
        ("f", "Cmd.EXE", Text("equals", "cmd.exe")),
        ("f", "", Text("equals", "")),
        ("f", "*", AnyText()),
        ("f", "**", AnyText()),
        ("f", "?", Glob((ONE,))),
        ("f", "a*", Text("startswith", "a")),
        ("f", "*a", Text("endswith", "a")),
        ("f", "*A*", Text("contains", "a")),
        ("f", "a*b", Glob(("a", MANY, "b"))),
        ("f", "a**b", Glob(("a", MANY, "b"))),
        ("f", "a?", Glob(("a", ONE))),
        ("f", r"\*a\?b\\c\d", Text("equals", r"*a?b\c\d")),
        ("f", r"C:\Windows\*", Text("equals", r"c:\windows*")),
        ("f", r"C:\Windows\\*", Text("startswith", "c:\\windows\\")),
        ("f", "ÄÉİ", Text("equals", "ÄÉİ".lower())),
        ("f|contains", "a", Text("contains", "a")),
        ("f|contains", "", AnyText()),
        ("f|contains", "*a*", Text("contains", "a")),
        ("f|contains", "a?b", Glob((MANY, "a", ONE, "b", MANY))),
        ("f|startswith", "a", Text("startswith", "a")),
        ("f|startswith", "", AnyText()),
        ("f|startswith", "*a", Text("contains", "a")),
        ("f|endswith", "a", Text("endswith", "a")),
        ("f|endswith", "a*", Text("contains", "a")),
        ("f|startswith|endswith", "a", Text("contains", "a")),
        ("f|cased", "Ab", Text("equals", "Ab", cased=True)),
        ("f|contains|cased", "Ab", Text("contains", "Ab", cased=True)),
        ("f|cased|endswith", "A*B", Glob((MANY, "A", MANY, "B"), cased=True)),
        ("f", 4688, Text("equals", "4688")),
        ("f", -1, Text("equals", "-1")),
        ("f", 1.0, Text("equals", "1")),
        ("f", 1.5, Text("equals", "1.5")),
        ("f", -0.0, Text("equals", "0")),
        ("f", 1e-7, Text("equals", "0.0000001")),
        ("f", 1e21, Text("equals", "1000000000000000000000")),
        ("f", 2**53 + 1, Text("equals", "9007199254740993")),
        ("f", True, Text("equals", "true")),
        ("f", False, Text("equals", "false")),
        ("f", None, Null()),
        ("f|exists", True, Exists(True)),
        ("f|exists", False, Exists(False)),
        ("f|gt", 5, Compare("gt", 5)),
        ("f|gte", 5.0, Compare("gte", 5)),
        ("f|lt", 5.5, Compare("lt", 5.5)),
        ("f|lte", -3, Compare("lte", -3)),
        ("f|re", "^a.*$", Regex("^a.*$")),
        ("f|re", r"\\*?", Regex(r"\\*?")),
        ("f|re|i", "a", Regex("a", "i")),
        ("f|re|s|i|m", "a", Regex("a", "ims")),
        ("f|re|ignorecase|dotall|multiline|i", "a", Regex("a", "ims")),
        ("f|re|contains", "a", Regex("a")),
        ("f|re|startswith", "a|b", Regex("a|b")),
        ("f|re", 46, Regex("46")),
        ("f|re", True, Regex("true")),
        ("f|cidr", "10.0.0.0/8", Cidr("10.0.0.0/8")),
        ("f|cidr", "10.0.0.1", Cidr("10.0.0.1/32")),
        ("f|cidr", "10.0.0.0/255.0.0.0", Cidr("10.0.0.0/8")),
        ("f|cidr", "FE80:0::/10", Cidr("fe80::/10")),
        ("f|cidr", "::ffff:10.0.0.0/104", Cidr("10.0.0.0/8")),
        ("f|cidr", "::/0", Cidr("::/0")),
        ("f|cidr", "fe80::1%eth0", Cidr("fe80::1/128")),
        ("f|fieldref", "Other", FieldRef("Other")),
        ("f|fieldref|startswith", "Other", FieldRef("Other", "startswith")),
        ("f|fieldref|endswith", "Other", FieldRef("Other", "endswith")),
        ("f|fieldref|contains", "Other", FieldRef("Other", "contains")),
        ("f|fieldref|startswith|endswith", "Other", FieldRef("Other", "contains")),
        ("f|wide", "aB", Text("equals", "a\0b\0")),
        ("f|utf16le", "aB", Text("equals", "a\0b\0")),
        ("f|utf16be", "aB", Text("equals", "\0a\0b")),
        ("f|utf16", "aB", Text("equals", "\ufeffa\0b\0")),
        ("f|wide|contains", "a*", Text("contains", "a\0")),
        ("f|contains|wide", "a", Text("contains", "a\0")),
        ("f|base64", "MZ", Text("equals", "TVo=".lower())),
        ("f|base64|contains", r"\*a", Text("contains", "kme=")),
        ("f|utf16|base64", "a", Text("equals", "//5hAA==".lower())),
        ("f|wide|base64|cased", "a", Text("equals", "YQA=", cased=True)),
    ],
)
def test_a_value_becomes_the_pattern_that_it_means(key: str, value: Any, pattern: Pattern) -> None:
    assert patterns(key, value) == (pattern,)


@pytest.mark.parametrize(
    ("key", "value", "pattern"),
    [
        ("", "Mimikatz", Text("contains", "mimikatz")),
        ("", "a*b", Glob((MANY, "a", MANY, "b", MANY))),
        ("", "", AnyText()),
        ("", 4688, Text("contains", "4688")),
        ("", True, Text("contains", "true")),
        ("", None, Null()),
        ("|contains", "a", Text("contains", "a")),
        ("|startswith", "a", Text("startswith", "a")),
        ("|endswith", "a", Text("endswith", "a")),
        ("|cased", "A", Text("contains", "A", cased=True)),
        ("|wide", "a", Text("contains", "a\0")),
        ("|base64", "MZ", Text("contains", "tvo=")),
        ("|re", "a$", Regex("a$")),
        ("|cidr", "10.0.0.0/8", Cidr("10.0.0.0/8")),
        ("|gt", 5, Compare("gt", 5)),
    ],
)
def test_keywords_stand_anywhere_in_a_value_unless_they_say_where(key: str, value: Any, pattern: Pattern) -> None:
    assert field_test(key, value).field is None
    assert patterns(key, value) == (pattern,)


def test_all_and_neq_are_kept_beside_the_values() -> None:
    assert field_test("f|contains|all", ["a", "b"])[2:] == (field_test("f|contains", ["a", "b"]).values, True, False)
    assert field_test("f|neq", "a")[2:] == (field_test("f", "a").values, False, True)
    assert field_test("f|re|all|neq", "a").modifiers == ("re", "all", "neq")


def test_windash_spells_each_dash_that_begins_a_word_in_five_ways() -> None:
    assert texts("f|windash", "-a") == ["-a", "/a", "–a", "—a", "―a"]
    assert texts("f|windash|contains", " /a-b") == [f" {dash}a-b" for dash in "-/–—―"]
    assert len(texts("f|contains|windash", "-a -b")) == 25
    assert len(texts("f|windash", "-a -b -c")) == 125
    assert texts("f|windash", "a-b") == ["a-b"]
    assert texts("f|windash", "--a") == [f"-{dash}a" for dash in "-/–—―"]
    assert texts("f|windash|windash", "-a") == ["-a", "/a", "–a", "—a", "―a"]
    with pytest.raises(InvalidRule, match="windash serves three dashes in a value, not 4"):
        field_test("f|windash", "-a -b -c -d")


def test_windash_takes_a_wildcard_for_the_edge_of_a_word() -> None:
    assert patterns("f|windash", "a*-b")[1] == Glob(("a", MANY, "/b"))
    assert len(patterns("f|windash", "-*")) == 1


def test_base64offset_has_a_variant_for_each_of_three_places() -> None:
    assert texts("f|base64offset|contains|cased", "foobar") == ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]
    assert texts("f|base64offset|contains|cased", "Foo") == ["Rm9v", "Zvb", "Gb2"]
    assert texts("f|wide|base64offset|contains|cased", "ab") == ["YQBiA", "EAYg", "hAGIA"]
    assert texts("f|base64offset|cased", "é") == ["w6", "Op", "Dq"]  # cut by bytes, not characters


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("f|contain", "a", "field 'f|contain': unknown modifier 'contain'; did you mean 'contains'?"),
        ("f|Contains", "a", "did you mean 'contains'?"),
        ("f|", "a", "unknown modifier ''"),
        ("f|xyzzy", "a", "unknown modifier 'xyzzy'"),
        ("f|contains", 46, "'contains' cannot be applied to the number 46; quote the value"),
        ("f|contains", True, "'contains' cannot be applied to the boolean true; quote it"),
        ("f|contains", None, "'contains' cannot be applied to null"),
        ("f|startswith", [1], "'startswith' cannot be applied to the number 1"),
        ("f|gt", "5", "'gt' cannot be applied to text; it takes a number without quotes"),
        ("f|gt|lt", 5, "'lt' cannot be applied to the number 5"),
        ("f|exists", "true", "'exists' cannot be applied to text; it takes true or false"),
        ("f|exists", 1, "'exists' cannot be applied to the number 1; it takes true or false"),
        ("f|exists|contains", True, "'contains' cannot follow 'exists'"),
        ("|exists", True, "'exists' needs a field before it"),
        ("f|all|exists", True, "'exists' must be the first modifier; write 'exists|all'"),
        ("f|contains|re", "a", "'re' must be the first modifier; write 're|contains'"),
        ("f|all|cidr", "10.0.0.0/8", "'cidr' must be the first modifier"),
        ("f|re", None, "'re' cannot be applied to null"),
        ("f|re|windash", "-a", "'windash' cannot be applied to a regular expression"),
        ("f|re|cased", "a", "'cased' cannot be applied to a regular expression"),
        ("f|i", "a", "'i' cannot be applied to text; it comes after 're'"),
        ("f|cidr", "10.0.0.1/8", "10.0.0.1/8 has host bits set"),
        ("f|cidr", "x", "'x' does not appear to be an IPv4 or IPv6 network"),
        ("f|cidr", 10, "'cidr' cannot be applied to the number 10"),
        ("f|cidr|contains", "10.0.0.0/8", "'contains' cannot be applied to a network"),
        ("f|fieldref", "a*", "'fieldref' takes the name of a field"),
        ("f|contains|fieldref", "a", "'fieldref' takes the name of a field"),
        ("f|fieldref|cased", "a", "'cased' cannot be applied to a field reference"),
        ("f|base64", "a*", "the Base64 modifiers take text without wildcards"),
        ("f|contains|base64offset", "a", "the Base64 modifiers take text without wildcards"),
        ("f|wide", "é", "the UTF-16 modifiers take ASCII text only"),
        ("f", float("inf"), "the number is infinite"),
        ("f", float("nan"), "the number is infinite, no number"),
        ("f", 10**400, "too large"),
        ("f|gt", 10**400, "too large"),
    ],
)
def test_what_a_modifier_does_not_take_is_refused_with_the_fix(key: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        field_test(key, value)
    assert problem in str(error.value)
    assert str(error.value).startswith("selection 's': field '")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("f|" + "|".join(["contains"] * 9), "a", "9 modifiers; at most 8"),
        ("f" * 257, "a", "a field's name of 257 characters"),
        ("f", "a" * 5000, "a value of 5000 characters; at most 4096"),
        ("f|base64", "a" * 4000, "a value of 5336 characters; at most 4096"),
        ("f|wide", "a" * 4000, "a value of 8000 characters"),
        ("f", "?" * 33, "a value with 33 wildcards; at most 32"),
        ("f|contains", "*a" * 33, "a value with 33 wildcards"),
        ("f|base64offset|base64offset|base64offset|base64offset|base64offset|base64offset", "abcdefgh", "at most 250"),
        ("f|re", "a" * 1025, "regular expression of 1025 characters; at most 1024"),
    ],
)
def test_what_passes_a_cap_is_too_complex(key: str, value: Any, problem: str) -> None:
    with pytest.raises(TooComplex) as error:
        field_test(key, value)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("f|expand", "%x%"),
        ("f|re|expand", "%x%"),
        ("f|contains|expand|cased", "a"),
        ("f|hour", 5),
        ("f|year|gte", 2024),
    ],
)
def test_expand_and_parts_of_a_time_are_not_served(key: str, value: Any) -> None:
    with pytest.raises(UnsupportedRule) as error:
        field_test(key, value)
    assert f"field '{key}': the modifier '" in str(error.value)
    rule = error.value.rule
    assert rule is not None
    assert isinstance(rule.condition, Selection)
    assert isinstance(rule.condition.child, FieldTest)
    assert rule.condition.child.values[0].alternatives == (AnyText(),)


@pytest.mark.parametrize(
    ("key", "value"), [("f|expand", 5), ("f|hour", "5"), ("f|expand|gt", "a"), ("f|hour|contains", 1)]
)
def test_what_is_not_served_must_still_be_valid(key: str, value: Any) -> None:
    with pytest.raises(InvalidRule):
        field_test(key, value)


@pytest.mark.parametrize("modifier", sorted(MODIFIERS))
def test_every_modifier_of_sigma_is_known(modifier: str) -> None:
    problem = ""
    try:
        field_test(f"f|{modifier}", ["a", 5, True, None, "*"])
    except RuleError as error:
        problem = str(error)
    assert "unknown modifier" not in problem
