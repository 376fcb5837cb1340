"""The events of a sample of SigmaHQ's rules, by the plans that their requests have."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.cases import Cases, make_cases
from sigma_env.simulation.masks import Masks, iou
from sigma_env.simulation.plan import Plan
from sigma_env.simulation.requests import make_plan
from sigma_env.simulation.sloppy import UNGATED, mutants, shortcuts
from tests.simulation.cases.small import COMPANY, by_native_engine, event, holds


class Made(NamedTuple):
    plan: Plan
    cases: Cases
    masks: Masks


@pytest.fixture(scope="module")
def every(sampled_rules: list[Rule]) -> list[Made]:
    found = []
    for rule in sampled_rules:
        plan = make_plan(rule, 0)
        cases = make_cases(plan, COMPANY, 0)
        found.append(Made(plan, cases, Masks([event(draft, rule) for draft in cases.drafts])))
    return found


def proven(cases: Cases) -> set[tuple[str, str]]:
    return {(alike.sloppy.kind, alike.sloppy.title) for alike in cases.alike if alike.proven}


def test_almost_every_rule_has_six_positives_and_others_say_why_not(every: list[Made]) -> None:
    without = [made for made in every if sum(draft.role == "positive" for draft in made.cases.drafts) < 6]
    assert len(without) <= len(every) * 0.03
    assert all(made.cases.unsatisfiable for made in without)


def test_both_engines_say_the_same_of_every_event(every: list[Made]) -> None:
    for plan, cases, _ in every:
        positive = [draft.role == "positive" for draft in cases.drafts]
        for rule in (plan.rule, plan.cut):
            assert [holds(rule.condition, draft, rule) for draft in cases.drafts] == positive, rule.meta.title
        assert by_native_engine(plan.rule, cases.drafts) == positive, plan.rule.meta.title


def test_few_tasks_can_be_solved_by_a_shortcut(every: list[Made]) -> None:
    best = []
    for plan, cases, masks in every:
        if cases.drafts:
            true = masks.of(plan.rule.condition)
            known = proven(cases)
            versions = [v for v in shortcuts(plan.cut) if (v.kind, v.title) not in known]
            best.append(max((iou(masks.of(v.rule.condition), true) for v in versions), default=0.0))
    best.sort()
    assert sum(each >= 0.9 for each in best) <= len(best) * 0.03
    assert best[int(len(best) * 0.95)] <= 0.8


def test_almost_every_mutant_is_killed_and_what_is_proven_makes_no_difference(every: list[Made]) -> None:
    alive = total = 0
    for plan, cases, masks in every:
        true, known = masks.of(plan.rule.condition), proven(cases)
        for version in mutants(plan.cut):
            found = masks.of(version.rule.condition)
            if (version.kind, version.title) in known:
                assert found == true
            elif version.kind not in UNGATED and cases.drafts:
                total += 1
                alive += iou(found, true) >= 0.9
    assert total > 500
    assert alive <= total * 0.02


def test_a_rules_events_depend_on_no_other_rule(every: list[Made]) -> None:
    made = every[len(every) // 2]
    assert make_cases(made.plan, COMPANY, 0).drafts == made.cases.drafts
