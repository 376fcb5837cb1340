"""SigmaHQ's rules with new names."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.corpora.sources import MIRROR_VARIABLE
from sigma_env.sigma.answer import parse_answer
from sigma_env.sigma.files import parse_rule_text
from sigma_env.sigma.rewrite import fenced, to_yaml
from sigma_env.simulation.fresh import Fresh, Renamer, freshened, is_distinctive
from sigma_env.simulation.requests import PERSONAS, RequestError, make_plan, write_request
from sigma_env.tasks.assemble import Candidate, LeftOut
from sigma_env.tasks.fresh import MOST_REMEMBERED, fresh_candidates
from sigma_env.tasks.sigmahq import sigmahq_candidates

_EVERY = 60
_TOO_LONG_FOR_AN_ANSWER = 30_000


@pytest.fixture(scope="module")
def candidates(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Candidate]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("fresh")))
        patch.setenv(MIRROR_VARIABLE, str(mirror))
        yield sigmahq_candidates()


@pytest.fixture(scope="module")
def renamed(candidates: list[Candidate]) -> list[tuple[Candidate, Fresh]]:
    """Every fifth rule with new names."""
    renamer = Renamer([candidate.text for candidate in candidates], 0)
    return [
        (one, freshened(yaml.load(one.text, yaml.CSafeLoader), one.loaded.rule, renamer, Path("fresh")))
        for one in candidates[::5]
        if one.loaded.rule is not None and len(one.text) < _TOO_LONG_FOR_AN_ANSWER
    ]


def test_more_than_nine_in_ten_rules_have_names_to_change(renamed: list[tuple[Candidate, Fresh]]) -> None:
    assert sum(bool(fresh.renamed) for _, fresh in renamed) > 0.9 * len(renamed)


def test_every_fresh_rule_is_a_rule_of_the_same_shape_and_an_answer(renamed: list[tuple[Candidate, Fresh]]) -> None:
    for one, fresh in renamed:
        original, rule = one.loaded.rule, fresh.loaded.rule
        assert original is not None
        assert rule is not None, (one.source, fresh.loaded.reason)
        assert rule.logsource == original.logsource
        assert rule.conditions == original.conditions
        as_answer = [parse_answer(fenced(to_yaml(each.document))).status for each in (original, rule)]
        assert as_answer[0] == as_answer[1], one.source


def test_no_new_name_occurs_in_any_rule(candidates: list[Candidate], renamed: list[tuple[Candidate, Fresh]]) -> None:
    words = {word for candidate in candidates for word in re.findall("[a-z0-9]+", candidate.text.lower())}
    known = "\n".join(sorted(words))
    new = {name for _, fresh in renamed for name in fresh.renamed.values() if len(name) >= 6}
    assert len(new) > 500
    assert not [name for name in new if name in known]


def test_one_name_has_one_new_name_in_all_rules(renamed: list[tuple[Candidate, Fresh]]) -> None:
    names: dict[str, set[str]] = {}
    for _, fresh in renamed:
        for old, new in fresh.renamed.items():
            names.setdefault(old, set()).add(new)
    assert {old: new for old, new in names.items() if len(new) > 1} == {}


def test_requests_do_not_tell_the_old_names(renamed: list[tuple[Candidate, Fresh]]) -> None:
    asked = 0
    for number, (one, fresh) in enumerate(renamed[::2]):
        rule = fresh.loaded.rule
        assert rule is not None
        try:
            request = write_request(make_plan(rule, 0), PERSONAS[number % len(PERSONAS)], 0).text.lower()
        except RequestError:  # a rule too long for any request
            continue
        asked += 1
        assert not [old for old in fresh.renamed if is_distinctive(old) and old in request], one.source
    assert asked > 250


class Tried(NamedTuple):
    sample: list[Candidate]
    kept: list[Candidate]
    left_out: list[LeftOut]


@pytest.fixture(scope="module")
def tried(candidates: list[Candidate]) -> Tried:
    sample = candidates[::_EVERY]
    return Tried(sample, *fresh_candidates(sample, known=[candidate.text for candidate in candidates]))


def test_every_candidate_is_kept_or_left_out_with_a_reason(tried: Tried) -> None:
    assert len(tried.kept) + len(tried.left_out) == len(tried.sample)
    assert len(tried.kept) > 0.85 * len(tried.sample)
    reasons = Counter(left.reason for left in tried.left_out)
    assert reasons.keys() <= {"nothing_to_rename", "still_remembered", "no_events", "no_event_source", "unsupported"}
    assert all(left.detail for left in tried.left_out)


def test_candidates_keep_author_and_licence(tried: Tried) -> None:
    by_source = {candidate.source: candidate for candidate in tried.sample}
    for one in tried.kept:
        original = by_source[one.source.removesuffix("#fresh")]
        assert one.licence == original.licence
        assert one.loaded.meta.author == original.loaded.meta.author
        [loaded] = parse_rule_text(one.text, Path("fresh"))
        assert loaded.rule is not None


def test_a_rule_that_stays_as_it_is_would_be_found_out(candidates: list[Candidate]) -> None:
    changed = next(one for one in candidates if "EventID: 1102" in one.text and one.loaded.rule is not None)
    kept, left_out = fresh_candidates([changed])
    assert not kept
    assert left_out[0].reason in ("nothing_to_rename", "still_remembered")
    assert MOST_REMEMBERED == 0.5
