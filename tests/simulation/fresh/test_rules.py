from pathlib import Path
from typing import Any

import pytest
import yaml

from sigma_env.sigma.files import meta_of
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.tree import field_tests
from sigma_env.simulation.fresh import Fresh, Renamer, freshened, is_distinctive

RULE = r"""
title: Evilsync Used To Steal Tokens
id: 0f0f0f0f-1111-2222-3333-444444444444
description: Detects Evilsync, also called tokengrabber.
references: [https://example.com/evilsync]
author: Ann Analyst
license: MIT
logsource: {product: windows, category: process_creation}
detection:
  selection:
    - Image|endswith: '\evilsync.exe'
    - OriginalFileName: Evilsync.exe
  selection_cli:
    CommandLine|contains|all: [' --steal-', tokengrabber]
  filter_main:
    User: NT AUTHORITY\SYSTEM
    IntegrityLevel: System
    ParentImage|startswith: C:\Windows\System32\
  filter_empty:
    ParentImage: null
  condition: all of selection* and not 1 of filter_*
"""


def fresh(document: dict[str, Any], known: str = "") -> Fresh:
    rule = parse_rule(document, meta=meta_of(document, "rule"))
    return freshened(document, rule, Renamer([known or yaml.safe_dump(document)], 0), Path("rule"))


def of(text: str) -> tuple[dict[str, Any], dict[str, Any], Fresh]:
    document = yaml.safe_load(text)
    made = fresh(document)
    return document, yaml.safe_load(made.text), made


def test_one_name_changes_alike_everywhere_and_the_logic_stays() -> None:
    old, new, made = of(RULE)
    assert made.loaded.rule is not None
    assert made.loaded.rule.conditions == ("all of selection* and not 1 of filter_*",)
    name = made.renamed["evilsync"]
    detection = new["detection"]
    assert detection["selection"] == [
        {"Image|endswith": f"\\{name}.exe"},
        {"OriginalFileName": f"{name.capitalize()}.exe"},
    ]
    assert detection["selection_cli"]["CommandLine|contains|all"] == [
        f" --{made.renamed['steal']}-",
        made.renamed["tokengrabber"],
    ]
    assert list(detection) == list(old["detection"])


def test_accounts_choices_nothing_and_windows_own_folders_stay() -> None:
    old, new, _ = of(RULE)
    for filter_name in ("filter_main", "filter_empty"):
        assert new["detection"][filter_name] == old["detection"][filter_name]
    assert new["logsource"] == old["logsource"]


def test_title_and_description_have_the_new_names_and_links_go() -> None:
    _, new, made = of(RULE)
    assert (
        new["title"] == f"{made.renamed['evilsync'].capitalize()} Used To {made.renamed['steal'].capitalize()} Tokens"
    )
    assert made.renamed["tokengrabber"] in new["description"]
    assert "evilsync" not in made.text.lower()
    assert "references" not in new


def test_author_and_licence_stay_and_the_original_is_named() -> None:
    old, new, _ = of(RULE)
    assert (new["author"], new["license"]) == (old["author"], old["license"])
    assert new["id"] != old["id"]
    assert new["related"] == [{"id": old["id"], "type": "derived"}]


def test_a_title_that_still_names_the_tool_is_dropped() -> None:
    _, new, _ = of(RULE.replace("Evilsync Used To Steal Tokens", "Evil Sync Used"))
    assert "title" not in new
    _, new, _ = of(RULE.replace("tokengrabber.", "the Grabber."))
    assert "description" not in new


def document_of(service: str, **lines: object) -> dict[str, Any]:
    logsource = {"product": "windows", **dict([service.split("=")])}
    return {"title": "t", "logsource": logsource, "detection": {"s": lines, "condition": "s"}}


def test_a_rule_of_numbers_and_choices_has_nothing_to_rename() -> None:
    assert not fresh(document_of("service=security", EventID=4624, LogonType=3, Status="0xc000006d")).renamed


def test_ports_change() -> None:
    made = fresh(document_of("category=network_connection", DestinationPort=[4444, 8531]))
    ports = yaml.safe_load(made.text)["detection"]["s"]["DestinationPort"]
    assert not {4444, 8531}.intersection(ports)
    assert made.renamed == {"4444": str(ports[0]), "8531": str(ports[1])}


@pytest.mark.parametrize("name", ["windows", "process", "command", "abc", "software"])
def test_ordinary_words_and_windows_structure_are_not_distinctive(name: str) -> None:
    assert not is_distinctive(name)


def test_names_of_tools_are_distinctive() -> None:
    assert is_distinctive("mimikatz")
    assert is_distinctive("rundll32")


def test_every_line_keeps_its_number_of_values() -> None:
    document = yaml.safe_load(RULE)
    made = fresh(document)
    assert made.loaded.rule is not None
    before = [len(test.values) for test in field_tests(parse_rule(document).condition)]
    assert [len(test.values) for test in field_tests(made.loaded.rule.condition)] == before
