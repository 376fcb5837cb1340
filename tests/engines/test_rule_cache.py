"""Parsed rules kept by content."""

import pickle
from pathlib import Path

import pytest

from sigma_env.corpora.cache import rules_dir
from sigma_env.engines import rule_cache
from sigma_env.engines.rule_cache import load_rules
from sigma_env.sigma.files import RulesNotFound
from sigma_env.sigma.files import load_rules as parse_rules

RULE = """
title: T{0}
logsource: {{category: process_creation}}
detection: {{s: {{Image|endswith: 'x{0}'}}, condition: s}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGMA_ENV_CACHE", str(tmp_path / "cache"))
    rules = tmp_path / "rules"
    rules.mkdir()
    for i in range(3):
        (rules / f"r{i}.yml").write_text(RULE.format(i))
    (rules / "bad.yml").write_text("title: [")
    return rules


def parsing_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path, _on: object) -> None:
        raise AssertionError("a kept rule was parsed again")

    monkeypatch.setattr(rule_cache, "parse_switched_file", refuse)


def test_the_second_time_nothing_is_parsed_and_the_rules_are_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_rules([folder])
    parsing_is_forbidden(monkeypatch)
    assert load_rules([folder]) == first
    expected = [(one.path, one.meta, one.reason, one.rule and one.rule.condition) for one in parse_rules([folder])]
    assert [(one.path, one.meta, one.reason, one.rule and one.rule.condition) for one in first] == expected


@pytest.mark.parametrize("change", ["content", "name", "added", "removed"])
def test_any_change_is_seen(folder: Path, change: str) -> None:
    load_rules([folder])
    if change == "content":
        (folder / "r0.yml").write_text(RULE.format(7))
    elif change == "name":
        (folder / "r0.yml").rename(folder / "q0.yml")
    elif change == "added":
        (folder / "r9.yml").write_text(RULE.format(9))
    else:
        (folder / "r0.yml").unlink()
    assert [(one.meta.id, one.meta.title) for one in load_rules([folder])] == [
        (one.meta.id, one.meta.title) for one in parse_rules([folder])
    ]


def test_the_same_files_elsewhere_have_their_own_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_rules([folder])
    moved = folder.rename(folder.with_name("moved"))
    parsing_is_forbidden(monkeypatch)
    assert {one.path.parent for one in load_rules([moved])} == {moved}


@pytest.mark.parametrize("damage", [b"", b"\x80\x05garbage", pickle.dumps([[1]]), pickle.dumps([Path("x")])])
def test_a_damaged_file_is_made_again(folder: Path, damage: bytes) -> None:
    first = load_rules([folder])
    [kept] = rules_dir().glob("*.pickle")
    kept.write_bytes(damage)
    assert load_rules([folder]) == first
    assert kept.read_bytes() != damage


def test_only_rules_come_out_of_a_kept_file(folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "touched",)

    load_rules([folder])
    [kept] = rules_dir().glob("*.pickle")
    kept.write_bytes(pickle.dumps([[Evil()]]))
    load_rules([folder])
    assert not (tmp_path / "touched").exists()


def test_a_bounded_number_of_sets_is_kept(folder: Path) -> None:
    for i in range(20):
        (folder / "r0.yml").write_text(RULE.format(100 + i))
        load_rules([folder])
    assert len(list(rules_dir().glob("*.pickle"))) == 16


def test_a_path_that_is_not_there(folder: Path) -> None:
    with pytest.raises(RulesNotFound, match="nowhere"):
        load_rules([folder / "nowhere"])
