"""Every condition and filter of the starter's rules costs a quarter of the overlap if it is forgotten."""

from sigma_env.sigma.files import load_rules
from sigma_env.simulation.cases import make_cases
from sigma_env.simulation.requests import make_plan
from sigma_env.tasks.starter import RULES
from tests.simulation.cases.small import COMPANY, short_parts


def test_each_part_of_each_rule_excludes_a_third_of_the_positives_by_itself() -> None:
    rules = [one.rule for one in load_rules([RULES]) if one.rule is not None]
    assert len(rules) >= 100
    short = []
    for rule in rules:
        plan = make_plan(rule, 0)
        short += short_parts(plan, make_cases(plan, COMPANY, 0))
    assert short == []
