from __future__ import annotations

from pathlib import Path

import pytest

from sigma_env.sigma.errors import RulesNotFound
from sigma_env.sigma.files import load_rules, parse_rule_text
from sigma_env.sigma.rule import Meta

RULE = """
logsource: {category: process_creation}
detection:
    selection: {Image: cmd.exe}
    condition: selection
"""
PATH = Path("folder/a_rule.yml")


def test_a_rule_brings_what_it_says_about_itself() -> None:
    meta = """
title: A rule
id: 78bc5783-81d9-4d73-ac97-59f6db4f72a8
status: Test
level: HIGH
description: Detects.
author: Someone
date: 2024-01-31
tags: [attack.t1059, 5, cve.2024-1]
"""
    (loaded,) = parse_rule_text(meta + RULE, PATH)
    assert loaded.rule is not None
    assert loaded.path == PATH
    assert loaded.meta == loaded.rule.meta
    assert loaded.meta == Meta(
        id="78bc5783-81d9-4d73-ac97-59f6db4f72a8",
        title="A rule",
        level="high",
        status="test",
        description="Detects.",
        author="Someone",
        date="2024-01-31",
        tags=("attack.t1059", "cve.2024-1"),
    )


def test_bad_metadata_does_not_cost_the_rule() -> None:
    meta = "title: [a]\nid: {}\nstatus: 5\nlevel:\ndescription: 1.5\nauthor: false\ndate: 2024-13-45\ntags: x\n"
    (loaded,) = parse_rule_text(meta + RULE, PATH)
    assert loaded.status is None
    assert loaded.meta == Meta(id="a_rule", date="2024-13-45")


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("", "bad_yaml", "the file is empty"),
        ("# only a comment", "bad_yaml", "the file is empty"),
        ("a: ]", "bad_yaml", "line 1: "),
        ("a: &x 1\nb: *x", "bad_yaml", "'&x' is a YAML anchor"),
        ("- a", "invalid_rule", "the document is no mapping"),
        ("id: x1\ntitle: t", "invalid_rule", "the rule has no 'detection'"),
        (RULE.replace("Image", "Image|expand"), "unsupported", "'expand'"),
        ("correlation: {type: event_count, rules: [a]}", "unsupported", "a correlation document"),
        ("action: global" + RULE, "unsupported", "the file is a rule collection"),
    ],
)
def test_what_is_no_rule_has_a_reason(text: str, status: str, reason: str) -> None:
    (loaded,) = parse_rule_text(text, PATH)
    assert loaded.rule is None
    assert loaded.status == status
    assert reason in (loaded.reason or "")
    assert loaded.meta.id == ("x1" if "x1" in text else "a_rule")


def test_a_file_may_hold_several_rules() -> None:
    documents = f"---\nid: one\n{RULE}---\nid: two\n{RULE.replace('Image', 'Image|x')}---\n"
    loaded = parse_rule_text(documents, PATH)
    assert [(one.meta.id, one.status) for one in loaded] == [("one", None), ("two", "invalid_rule")]


def test_the_documents_of_a_collection_depend_on_each_other_so_none_is_run() -> None:
    loaded = parse_rule_text(f"action: global\nlevel: high\n---\nid: one\n{RULE}", PATH)
    assert [(one.meta.id, one.status) for one in loaded] == [("a_rule", "unsupported"), ("one", "unsupported")]


def test_folders_are_searched_in_order_and_nothing_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.yml").write_text(RULE)
    (tmp_path / "b" / "1.yaml").write_text(RULE)
    (tmp_path / "b" / "notes.txt").write_text("no rule")
    (tmp_path / "b" / "3.yml").write_bytes(b"a: \xff")
    (tmp_path / "a.yml").write_text("a: [")
    (tmp_path / "rule.sigma").write_text(RULE)
    loaded = load_rules([tmp_path, tmp_path / "rule.sigma"])
    assert [(one.path.relative_to(tmp_path).as_posix(), one.status) for one in loaded] == [
        ("a.yml", "bad_yaml"),
        ("b/1.yaml", None),
        ("b/2.yml", None),
        ("b/3.yml", "bad_yaml"),
        ("rule.sigma", None),
    ]
    assert "the file is not UTF-8 (byte 3)" in (loaded[3].reason or "")


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RulesNotFound, match=r"no rule file or folder at .*nothing"):
        load_rules([tmp_path / "nothing"])


def test_every_rule_of_sigmahq_for_windows_loads_but_the_two_that_use_expand(sigmahq: dict[str, str]) -> None:
    loaded = [one for path, text in sigmahq.items() for one in parse_rule_text(text, Path(path))]
    assert len(loaded) == 2858
    failed = [one for one in loaded if one.rule is None]
    assert [(one.path.stem, one.status) for one in failed] == [
        ("win_security_adcs_certighost_cdc_chase_request", "unsupported"),
        ("win_security_adcs_certighost_cert_issued_via_chase", "unsupported"),
    ]
    assert all("'expand'" in (one.reason or "") for one in failed)
    assert len({one.meta.id for one in loaded}) == 2858
    assert all(one.meta.title and one.meta.level and one.meta.status and one.meta.date for one in loaded)
