from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma import conditions as pysigma
from sigma.exceptions import SigmaConditionError
from sigma.rule.detection import SigmaDetections

from sigma_env.sigma.condition import Junction, Name, Negation, Of, parse_condition, resolve, split_aggregation
from sigma_env.sigma.errors import InvalidRule, RuleError, TooComplex
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.rule import And, FieldTest, Node, Not, Or, Selection

DEPTH = 50
A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a", A),
        ("  a\t\n", A),
        ("not a", Negation(A)),
        ("not not a", Negation(Negation(A))),
        ("a and b", Junction("and", (A, B))),
        ("a and b and c", Junction("and", (A, B, C))),
        ("a or b and not c", Junction("or", (A, Junction("and", (B, Negation(C)))))),
        ("not a or b", Junction("or", (Negation(A), B))),
        ("(a or b) and c", Junction("and", (Junction("or", (A, B)), C))),
        ("((a))", A),
        ("a and(b)or(c)", Junction("or", (Junction("and", (A, B)), C))),
        ("1 of them", Of("1", "them")),
        ("any of a*", Of("any", "a*")),
        ("all of *a_*", Of("all", "*a_*")),
        ("1 of*", Of("1", "*")),
        ("not 1 of a* and b", Junction("and", (Negation(Of("1", "a*")), B))),
        ("notepad or and-1", Junction("or", (Name("notepad"), Name("and-1")))),
        ("a and and", Junction("and", (A, Name("and")))),
        ("not all", Negation(Name("all"))),
        ("1", Name("1")),
        ("them", Name("them")),
    ],
)  # fmt: skip
def test_precedence_is_not_and_or(text: str, expression: object) -> None:
    assert parse_condition(text, DEPTH) == expression


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at its end: here a selection"),
        ("   ", "at its end: here a selection"),
        ("not", "at its end: here a selection"),
        ("a and", "at its end: here a selection"),
        ("a or or or", "at its end: here a selection"),
        ("a or b Or c", "at character 8: operators are written in lower case: 'or', not 'Or'"),
        ("a AND b", "at character 3: operators are written in lower case: 'and', not 'AND'"),
        ("a b", "at character 3: here 'and', 'or' or the end must stand"),
        ("(a", "at its end: ')' is missing"),
        ("a)", "at character 2: here 'and', 'or' or the end must stand"),
        ("()", "at character 2: here a selection"),
        ("2 of them", "at character 3: only '1 of', 'any of' and 'all of' exist"),
        ("1 of", "at character 3: only '1 of'"),
        ("1 of sel-*", "at character 9: here 'and'"),
        ("a & b", "at character 3: here 'and'"),
        ("sélection", "at character 2: here 'and'"),
    ],
)
def test_what_is_no_condition_is_refused_at_its_place(text: str, problem: str) -> None:
    with pytest.raises(InvalidRule) as error:
        parse_condition(text, DEPTH)
    assert problem in str(error.value)


@pytest.mark.parametrize("text", ["(" * 60 + "a" + ")" * 60, "not " * 60 + "a", "(" * 4000])
def test_deep_nesting_is_too_complex(text: str) -> None:
    with pytest.raises(TooComplex, match="nested too deeply"):
        parse_condition(text, DEPTH)


def test_an_aggregation_is_split_off() -> None:
    assert split_aggregation("a or b") == ("a or b", None)
    assert split_aggregation("a | count() by User > 5") == ("a ", "count() by User > 5")
    with pytest.raises(InvalidRule, match=r"'\|' is no operator"):
        split_aggregation("a | b")
    with pytest.raises(InvalidRule, match=r"'\|' is no operator"):
        split_aggregation("a || count")


def selections(*names: str) -> dict[str, Selection]:
    return {name: Selection(name, FieldTest(name, (), ())) for name in names}


def chosen(condition: str, *names: str) -> list[str]:
    def leaves(node: Node) -> list[str]:
        match node:
            case Selection(name, _):
                return [name]
            case And(children) | Or(children):
                return [name for child in children for name in leaves(child)]
            case Not(child):
                return leaves(child)
        raise AssertionError(node)

    return leaves(resolve(parse_condition(condition, DEPTH), selections(*names), ANSWER_LIMITS))


def test_of_chooses_selections_by_their_names() -> None:
    assert chosen("1 of them", "a", "_b", "c") == ["a", "c"]
    assert chosen("1 of *", "a", "_b", "c") == ["a", "c"]
    assert chosen("1 of _*", "a", "_b", "c") == ["_b"]
    assert chosen("1 of *_x*", "a_x", "b_y", "c_x1", "_x") == ["a_x", "c_x1"]
    assert chosen("all of a*b*c", "abc", "a1b2c", "acb", "ac", "abcabc") == ["abc", "a1b2c", "abcabc"]
    assert chosen("1 of a", "a", "ab") == ["a"]
    assert chosen("1 of a*a", "a", "aa") == ["aa"]
    assert chosen("1 of them", "a b", "c\nd") == ["a b"]


def test_one_of_joins_by_or_and_all_of_by_and() -> None:
    named = selections("a", "b")
    a, b = named.values()
    assert resolve(parse_condition("1 of them", DEPTH), named, ANSWER_LIMITS) == Or((a, b))
    assert resolve(parse_condition("any of them", DEPTH), named, ANSWER_LIMITS) == Or((a, b))
    assert resolve(parse_condition("all of them", DEPTH), named, ANSWER_LIMITS) == And((a, b))
    assert resolve(parse_condition("all of a", DEPTH), named, ANSWER_LIMITS) == a


def test_names_without_a_selection_are_refused() -> None:
    with pytest.raises(InvalidRule, match="no selection 'x'; the detection has 'a', 'b'"):
        chosen("a and x", "a", "b")
    with pytest.raises(InvalidRule, match=r"'1 of x\*' matches no selection"):
        chosen("1 of x*", "a")
    with pytest.raises(InvalidRule, match="'all of them' matches no selection"):
        chosen("all of them", "_a")


def test_naming_selections_too_often_is_too_complex() -> None:
    with pytest.raises(TooComplex, match="names too many selections"):
        chosen(" or ".join(["1 of them"] * 100), *[f"s{i}" for i in range(50)])


WORDS = [
    "a",
    "b",
    "c-1",
    "_p",
    "and",
    "or",
    "not",
    "(",
    ")",
    "1",
    "all",
    "any",
    "of",
    "them",
    "a*",
    "_*",
    "*",
    "-",
    "AND",
    "|",
]
DETECTIONS = SigmaDetections.from_dict(
    {name: {"f": name} for name in ("a", "b", "c-1", "_p", "1", "all")} | {"condition": "a"}
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join))
def test_conditions_are_those_of_pysigma(text: str) -> None:
    try:
        theirs: Any = pysigma.SigmaCondition(text, DETECTIONS).parsed
    except SigmaConditionError:
        theirs = None
    try:
        proper, aggregation = split_aggregation(text)
        resolved = resolve(parse_condition(proper, DEPTH), selections("a", "b", "c-1", "_p", "1", "all"), ANSWER_LIMITS)
    except InvalidRule:
        assert theirs is None
    else:
        assert aggregation is not None or theirs is not None
        assert aggregation is not None or shape(resolved) == shape(theirs)


def shape(node: Any) -> Any:
    match node:
        case Selection(name, _):
            return name
        case pysigma.ConditionFieldEqualsValueExpression():
            return str(node.value)
        case And(children) | Or(children):
            return (type(node).__name__.lower(), *map(shape, children))
        case pysigma.ConditionAND() | pysigma.ConditionOR():
            return (type(node).__name__.removeprefix("Condition").lower(), *map(shape, node.args))
        case Not(child):
            return ("not", shape(child))
        case pysigma.ConditionNOT():
            return ("not", shape(node.args[0]))
    raise AssertionError(node)


@settings(deadline=None)
@given(st.text())
def test_no_text_raises_anything_but_a_rule_error(text: str) -> None:
    with contextlib.suppress(RuleError):
        parse_condition(split_aggregation(text)[0], DEPTH)
