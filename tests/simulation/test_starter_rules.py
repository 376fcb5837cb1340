"""The rules written for this project: sound, their own, told apart by their events, and short enough to ask for."""

from __future__ import annotations

import re
import tarfile
import uuid
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sigma_env.sigma.files import parse_rule_file
from sigma_env.sigma.lint.checks import Level
from sigma_env.sigma.lint.pysigma import PySigmaChecks
from sigma_env.sigma.lint.run import lint
from sigma_env.sigma.rule import Rule
from sigma_env.sigma.tree import field_tests
from sigma_env.sigma.yaml import load_mapping
from sigma_env.simulation.produce import Wish, produce
from sigma_env.simulation.requests import PERSONAS, make_plan
from sigma_env.simulation.requests.length import MOST_FACTS, longest
from sigma_env.simulation.world import Company
from sigma_env.tasks.starter import DATA, LICENCE

STARTER = DATA / "starter"
PATHS = sorted((path for path in STARTER.rglob("*.yml")), key=lambda path: path.name)
NAMES = [path.stem for path in PATHS]
LEVELS = {"low", "medium", "high", "critical"}
# Chainsaw reads few modifiers; that it refuses a rule is no fault of the rule.
IGNORED = frozenset({"chainsaw-refused"})
COMPANY = Company.default()
# A wrong version that finds this share of the rule's events and no others would be as good as the rule.
ALIKE = 0.9


@cache
def document(path: Path) -> dict[str, Any]:
    return load_mapping(path.read_text(encoding="utf-8"))


@cache
def parsed(path: Path) -> Rule:
    [loaded] = parse_rule_file(path)
    assert loaded.rule is not None, f"{path.name}: {loaded.reason}"
    return loaded.rule


@pytest.fixture(scope="module")
def sigmahq(mirror: Path) -> list[str]:
    """Texts of every rule that SigmaHQ has published in the pinned release."""
    [archive] = mirror.glob("sigma-*.tar.gz")
    texts = []
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".yml") and "/rules" in member.name else None
            if file is not None:
                texts.append(file.read().decode())
    return texts


def headings(texts: list[str], key: str) -> set[str]:
    found = (re.search(rf"^{key}: *(.+)$", text, re.MULTILINE) for text in texts)
    return {match[1].strip("'\" ").casefold() for match in found if match}


def words(text: str) -> str:
    return " ".join(text.split())


def test_there_are_enough_of_them_for_enough_logsources() -> None:
    assert len(PATHS) >= 108
    logsources = Counter(str(parsed(path).logsource) for path in PATHS)
    assert len(logsources) >= 15
    processes = sum(document(path)["logsource"].get("category") == "process_creation" for path in PATHS)
    assert processes <= 0.4 * len(PATHS)


@pytest.mark.parametrize("key", ["id", "title", "description"])
def test_none_repeats_another(key: str) -> None:
    written = Counter(words(str(document(path)[key])).casefold() for path in PATHS)
    assert [text for text, count in written.items() if count > 1] == []


def test_no_two_files_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_says_whose_it_is_and_what_it_is_for(path: Path) -> None:
    written = document(path)
    assert written["license"] == LICENCE
    assert written["author"] == "SigmaForge"
    assert uuid.UUID(written["id"]).version == 4
    assert len(written["title"]) <= 80
    assert 40 <= len(words(written["description"])) <= 400
    assert written["status"] == "test"
    assert written["level"] in LEVELS
    assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in written["tags"])
    assert any(re.fullmatch(r"attack\.[a-z-]+", tag) for tag in written["tags"])
    assert all(written["falsepositives"])
    assert list(written)[-3:] == ["detection", "falsepositives", "level"]


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_description_is_no_list_of_the_values(path: Path) -> None:
    text = words(document(path)["description"])
    values = {str(value.written) for test in field_tests(parsed(path).condition) for value in test.values}
    told = [value for value in values if len(value) > 4 and value in text]
    assert len(told) <= 1, told


def test_lint_finds_nothing() -> None:
    reported = lint([STARTER], PySigmaChecks()).reported
    faults = [one for one in reported if one.finding.level is not Level.NOTE and one.finding.check not in IGNORED]
    assert faults == []


def test_ids_titles_and_descriptions_are_none_of_sigmahqs(sigmahq: list[str]) -> None:
    assert len(sigmahq) > 3_000
    ours = {key: {words(str(document(path)[key])).casefold() for path in PATHS} for key in ("id", "title")}
    assert ours["id"] & headings(sigmahq, "id") == set()
    assert ours["title"] & headings(sigmahq, "title") == set()
    everything = [words(text).casefold() for text in sigmahq]
    sentences = [
        sentence
        for path in PATHS
        for sentence in words(document(path)["description"]).casefold().split(". ")
        if len(sentence) > 30
    ]
    joined = "\n".join(everything)
    assert [sentence for sentence in sentences if sentence in joined] == []


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_any_request_has_room_for_all_of_it(path: Path) -> None:
    rule = parsed(path)
    assert longest(rule) <= MOST_FACTS
    plan = make_plan(rule, 0)
    assert plan.coverage == 1.0
    assert plan.cut == rule
    assert all(len(test.values) <= 10 for test in field_tests(rule.condition))


@pytest.mark.parametrize(("number", "path"), list(enumerate(PATHS)), ids=NAMES)
def test_events_tell_it_from_what_is_nearly_it(number: int, path: Path) -> None:
    persona = PERSONAS[number % len(PERSONAS)]
    made = produce(Wish(parsed(path), persona), COMPANY, 0)
    assert made.fault == ""
    assert made.unsatisfiable == ()
    assert made.request is not None
    roles = Counter(draft.role for draft in made.drafts)
    assert roles["positive"] >= 6
    assert roles["near_miss"] + roles["filtered"] >= roles["positive"]
    # What cannot be told apart must mean the same on every kind of event: an EventID that a field implies, say.
    assert [one.sloppy.title for one in made.alike if one.iou >= ALIKE and not one.proven] == []
