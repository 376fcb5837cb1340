from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.rule.base import SigmaYAMLLoader

from sigma_env.sigma.errors import BadYaml, RuleError, TooComplex
from sigma_env.sigma.limits import ANSWER_LIMITS
from sigma_env.sigma.yaml import Malformed, iterate_documents, load_mapping
from tests.sigma.mutations import RAW_SCALARS

REFUSED_ONLY_HERE = ("&anchor x", "!tag x", "!!str 5")
YAML_TEXT = st.text(st.sampled_from("ab1-: \n#'\"[]{},&*!|>%@`?.~0x_\t"), max_size=40)


def pysigma(text: str) -> Any:
    return yaml.load(text, SigmaYAMLLoader)


def loaded_by_pysigma(text: str) -> tuple[bool, Any]:
    try:
        return True, pysigma(text)
    except (yaml.YAMLError, ValueError, TypeError):
        return False, None


@pytest.mark.parametrize("scalar", [scalar for scalar in RAW_SCALARS if scalar not in REFUSED_ONLY_HERE])
def test_scalars_have_the_types_of_pysigmas_loader(scalar: str) -> None:
    text = f"key: {scalar}\n"
    loads, theirs = loaded_by_pysigma(text)
    if not loads:
        try:
            assert type(load_mapping(text)["key"]) is Malformed
        except RuleError:
            return
        return
    ours = load_mapping(text)
    assert repr(ours) == repr(theirs)  # tells 1 from True and nan from nan


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no YAML mapping"),
        ("just words", "no YAML mapping"),
        ("- a\n- b", "no YAML mapping"),
        ("null", "no YAML mapping"),
        ("a: 1\n---\nb: 2", "several YAML documents"),
        ("a: 1\n---\n", "several YAML documents"),
        ("a: 1\na: 2", "line 2: duplicate key 'a'"),
        ("a: {b: 1, c: 2, b: 3}", "line 1: duplicate key 'b'"),
        ("1: a\n1.0: b", "duplicate key '1.0'"),
        ("a: &x 1\nb: 2", "'&x' is a YAML anchor"),
        ("a: *x", "'*x' is a YAML alias"),
        ("a: &x [1]\nb: *x", "'&x' is a YAML anchor"),
        ("a: !!python/object:os.system x", "'tag:yaml.org,2002:python/object:os.system' is a YAML tag"),
        ("a: ! x", "'!' is a YAML tag"),
        ("? [a, b]\n: c", "a key is a list or a mapping"),
        ("? {a: b}\n: c", "a key is a list or a mapping"),
        ("<<: {a: b}", "'<<' has a special meaning"),
        ("a: =", "'=' has a special meaning"),
        ("a: 'open", "line 1: found unexpected end of stream"),
        ("a: b: c", "line 1: mapping values are not allowed in this context"),
        ("a: \x00", "control characters are not allowed"),
        ("a: \ud800", "half of a surrogate pair"),
        ("\tb: c", "line 1: found character that cannot start any token"),
    ],
)
def test_what_is_not_one_plain_mapping_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(BadYaml) as error:
        load_mapping(text)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 60_000, "line 1: YAML is nested more than 32 deep"),
        ("a: " + "{a: " * 15_000, "line 1: YAML is nested more than 32 deep"),
        ("- " * 30_000, "line 1: YAML is nested more than 32 deep"),
        ("".join(" " * depth + "a:\n" for depth in range(300)), "line 33: YAML is nested more than 32 deep"),
        ("a: [" + "1," * 10_000 + "]", "more than 8000 YAML nodes"),
        ("a: " + "x" * 70_000, "the text has 70003 bytes; at most 65536"),
        ("a: " + "é" * 40_000, "the text has 80003 bytes; at most 65536"),
        ("a: " + "9" * 5_000, "a number of 5000 characters"),
        ("a: 0x" + "f" * 50_000, "a number of 50002 characters"),
        ("a: 1" + ":01" * 20_000, "a number of 60001 characters"),
        ("a: 1." + "0" * 50_000, "a number of 50002 characters"),
    ],
)
def test_what_costs_too_much_is_refused_before_it_is_built(text: str, problem: str) -> None:
    with pytest.raises(TooComplex) as error:
        load_mapping(text, ANSWER_LIMITS)
    assert problem in str(error.value)


@pytest.mark.parametrize("text", ["2024-13-45", "2024-02-30 10:00:00", "2024-01-01 25:00:00"])
def test_a_date_that_does_not_exist_spoils_only_itself(text: str) -> None:
    assert load_mapping(f"date: {text}\na: b") == {"date": text, "a": "b"}
    assert type(load_mapping(f"date: {text}")["date"]) is Malformed


def test_documents_come_one_after_the_other() -> None:
    assert list(iterate_documents("a: 1\n---\n- b\n---\n")) == [{"a": 1}, ["b"], None]


def test_a_byte_order_mark_and_directives_are_no_part_of_the_mapping() -> None:
    for text in ("\ufeffa: 1", "%YAML 1.1\n---\na: 1\n...\n"):
        assert load_mapping(text) == pysigma(text) == {"a": 1}


def refusal(text: str) -> RuleError | None:
    try:
        assert isinstance(load_mapping(text), dict)
    except RuleError as error:
        return error
    return None


@settings(deadline=None)
@given(st.one_of(st.text(), YAML_TEXT))
def test_no_text_raises_anything_but_a_rule_error(text: str) -> None:
    error = refusal(text)
    assert error is None or error.status in ("bad_yaml", "too_complex")


@settings(deadline=None)
@given(st.one_of(YAML_TEXT, st.text(max_size=30)).map("a: {}\n".format))
def test_what_is_loaded_is_what_pysigma_loads(text: str) -> None:
    loads, theirs = loaded_by_pysigma(text)
    error = refusal(text)
    if error is None:
        assert not loads or repr(load_mapping(text)) == repr(theirs)
    else:
        assert not loads or any(problem in str(error) for problem in ("anchor", "tag", "no YAML mapping"))


@settings(deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.text(max_size=20)),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
        max_leaves=12,
    )
)
def test_structures_are_loaded_as_pysigma_loads_them(value: Any) -> None:
    written = yaml.dump({"value": value}, Dumper=NoAliases, allow_unicode=True)
    assert load_mapping(written) == pysigma(written)


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True
