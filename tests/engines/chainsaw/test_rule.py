"""A rule as Chainsaw is given it: the same values in YAML 1.2 as in the rule, and a header of our own."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sigma_env.engines.chainsaw_rule import BOUND_BY_ID, place_of, rule_text, title_of
from sigma_env.errors import EngineError
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta, Rule

LOGSOURCE = {"product": "windows", "category": "process_creation"}
PLAIN = parse_rule({"logsource": LOGSOURCE, "detection": {"sel": {"Image": "a"}, "condition": "sel"}})


def of(detection: Any, meta: Meta | None = None) -> Rule:
    return PLAIN._replace(document={"logsource": LOGSOURCE, "detection": detection}, meta=meta or Meta())


def read(rule: Rule, place: int = 0) -> Any:
    return yaml.load(rule_text(rule, place), yaml.CSafeLoader)


def test_the_header_is_ours_and_the_rest_the_rule_s() -> None:
    rule = of({"sel": {"Image|endswith": "\\a.exe"}, "condition": "sel"}, Meta(id="x", title="Ours", level="high"))
    assert read(rule, 7) == {
        "title": "sigma-env rule 7",
        "id": "sigma-env-7",
        "description": "one rule of a batch",
        "status": "stable",
        "level": "medium",
        "logsource": LOGSOURCE,
        "detection": {"sel": {"Image|endswith": "\\a.exe"}, "condition": "sel"},
    }


def test_a_title_that_the_mapping_excludes_is_not_passed_on() -> None:
    rule = of({"sel": {"Image": "a"}, "condition": "sel"}, Meta(title="USB Device Plugged"))
    assert "USB" not in rule_text(rule, 0)


def test_the_rule_that_the_mapping_knows_by_its_id_keeps_it() -> None:
    assert read(of({}, Meta(id=BOUND_BY_ID)))["id"] == BOUND_BY_ID
    assert read(of({}, Meta(id=BOUND_BY_ID)), 3)["title"] == title_of(3)


def test_a_title_of_ours_says_which_rule_it_is() -> None:
    assert [place_of(title_of(place)) for place in (0, 63, 10_000)] == [0, 63, 10_000]
    for other in ("certutil runs", "sigma-env rule ", "sigma-env rule x", "sigma-env rule -1", "", None, 3, "³"):
        assert place_of(other) is None


@pytest.mark.parametrize("text", ["yes", "on", "null", "~", "0x17", "1e3", "2026-01-02", "1_000", "", " ", "*", "!x"])
def test_text_that_another_yaml_would_read_otherwise_is_quoted(text: str) -> None:
    assert f'"{text}"' in rule_text(of({"sel": {"Image": text}}), 0)


def test_what_is_no_text_is_written_as_yaml_1_2_reads_it() -> None:
    values = [True, False, None, 23, -1, 2**70, 1.5, 1e30, float("inf"), float("-inf"), date(2026, 1, 2)]
    assert (
        '"F": [true, false, null, 23, -1, 1180591620717411303424, 1.5, 1.0e+30, .inf, -.inf, "2026-01-02"]'
    ) in rule_text(of({"sel": {"F": values}}), 0)


def test_the_order_of_fields_stays() -> None:
    """In Chainsaw it decides what comes of absent fields."""
    text = rule_text(of({"sel": {"Z": "1", "A": "2", "M": "3"}, "condition": "sel"}), 0)
    assert re.findall(r'"([ZAM])"', text) == ["Z", "A", "M"]


def test_a_rule_without_its_text_is_no_rule_that_chainsaw_refuses() -> None:
    with pytest.raises(EngineError, match="'Ours' was loaded without its text"):
        rule_text(PLAIN._replace(document={}, meta=Meta(title="Ours")), 0)


def test_a_long_key_is_marked_as_one() -> None:
    key = "Image" + "x" * 2_000
    assert read(of({"sel": {key: "a", "b": "c"}}))["detection"] == {"sel": {key: "a", "b": "c"}}


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "---\n",
        "# ---\n",
        "a\u0085b",
        "\u2028",
        "\ufeff",
        "\x00\x1b\x7f",
        '"',
        "\\",
        "'",
        "\\\\x41",
        "\U0001f600",
        "\ufffe",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_detection_is_read_back_as_it_was(detection: Any) -> None:
    text = rule_text(of(detection), 0)
    assert read(of(detection))["detection"] == detection
    # Chainsaw cuts a file at each `---` before white space and a line's end: there is one line's end, after a bracket.
    assert text.count("\n") == 1
    assert text.endswith("}\n")
    assert not re.search(r"[\u2028\u2029\u0085\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
