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
from tests.simulation.cases.small import COMPANY, by_native_engine, event, holds, short_parts

HARD = (
    "e593cf51-88db-4ee1-b920-37e89012a3c9",  # Potentially Suspicious Rundll32 Activity: 50 parts
    "24549159-ac1b-479c-8175-d42aea947cae",  # Hacktool Ruler
    "b69888d4-380c-45ce-9cf9-d9ce46e67821",  # Hidden Executable In NTFS Alternate Data Stream
    "999bff6d-dc15-44c9-9f5c-e1051bfc86e1",  # Nslookup PowerShell Download Cradle
    "eb1c4225-1c23-4241-8dd4-051389fde4ce",  # Suspicious DumpMinitool Execution
    "90d6bd71-dffb-4989-8d86-a827fedd6624",  # Visual Studio Code Tunnel Execution
    "ed825c86-c009-4014-b413-b76003e33d35",  # Windows Binary Executed From WSL
    "1f2b5353-573f-4880-8e33-7d04dcf97744",  # Sysmon Configuration Modification
    "8a582fe2-0882-4b89-a82a-da6b2dc32937",  # Suspicious WmiPrvSE Child Process
    "1ce8c8a3-2723-48ed-8246-906ac91061a6",  # Possible PetitPotam Coerce Authentication Attempt
    "812837bb-b17f-45e9-8bd0-0ec35d2e3bd6",  # bXOR Operator Usage In PowerShell Command Line
    "0f06a3a5-6a09-413f-8743-e6cf35561297",  # WMI Event Subscription: all that its logsource selects
    "e2b5163d-7deb-4566-9af3-40afea6858c3",  # Certificate Private Key Acquired
)


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


def test_each_condition_and_filter_excludes_a_third_of_the_positives_by_itself(every: list[Made]) -> None:
    assert [part for made in every if made.cases.drafts for part in short_parts(made.plan, made.cases)] == []


def test_so_it_is_where_that_is_hard(sigmahq_rules: list[Rule]) -> None:
    """Many parts, few ways to break one, ways that nothing matches, parts that say nothing beside the others."""
    hard = [rule for rule in sigmahq_rules if rule.meta.id in HARD]
    assert len(hard) == len(HARD)
    short = []
    for rule in hard:
        plan = make_plan(rule, 0)
        short += short_parts(plan, make_cases(plan, COMPANY, 0))
    assert short == []


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
