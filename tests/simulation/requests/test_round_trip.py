"""A request determines its rule: what it says can be read back, whoever says it."""

from hypothesis import assume, given
from hypothesis import strategies as st

from sigma_env.sigma.parser import parse_logsource
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.requests import PERSONAS, RequestError, make_plan, write_request
from tests.simulation.requests.reader import canonical, read
from tests.simulation.requests.rules import LOGSOURCES, rules

MADE = [parse_logsource({"logsource": source}) for source in LOGSOURCES]


@given(rules(), st.sampled_from(PERSONAS), st.integers(0, 3))
def test_what_a_request_says_of_a_made_rule_can_be_read_back(rule: Rule | None, persona: str, seed: int) -> None:
    assume(rule is not None)
    assert rule is not None
    try:
        plan = make_plan(rule, seed)
    except RequestError:
        assume(False)
    request = write_request(plan, persona, seed)
    assert read(request.facts, persona, MADE) == (rule.logsource, canonical(plan.cut.condition))
    assert request.facts in request.text


def test_what_requests_say_of_sigmahq_can_be_read_back(sigmahq: list[Rule]) -> None:
    logsources = list(dict.fromkeys(rule.logsource for rule in sigmahq))
    for number, rule in enumerate(sigmahq[::3]):
        persona = PERSONAS[number % len(PERSONAS)]
        plan = make_plan(rule, number)
        facts = write_request(plan, persona, number).facts
        assert read(facts, persona, logsources) == (rule.logsource, canonical(plan.cut.condition)), rule.meta.title
