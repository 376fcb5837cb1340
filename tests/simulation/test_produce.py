"""What is made of a rule, and what its request may show."""

import yaml

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Rule
from sigma_env.simulation.produce import Produced, Wish, produce, produce_all
from sigma_env.simulation.world import Company
from tests.simulation.cases.small import SHAPES

COMPANY = Company.default()


def rule(selection: str) -> Rule:
    return parse_rule(
        yaml.safe_load(
            f"logsource: {{category: dns_query, product: windows}}\ndetection: {{s: {{{selection}}}, condition: s}}"
        )
    )


def shown(made: Produced) -> int:
    return sum(draft.visible and draft.role == "positive" for draft in made.drafts)


def test_an_incident_responder_shows_events() -> None:
    made = produce(
        Wish(rule("QueryName|endswith: .example.net, Image|endswith: '\\reg.exe'"), "incident_responder"), COMPANY, 0
    )
    assert shown(made) == 2
    assert made.request is not None
    assert "EventID: 22" in made.request.text


def test_an_event_that_alone_tells_all_is_not_shown() -> None:
    made = produce(Wish(rule("QueryName: finger.example.net"), "incident_responder"), COMPANY, 0)
    assert shown(made) == 0
    assert sum(draft.role == "positive" for draft in made.drafts) >= 6


def test_many_are_made_like_one() -> None:
    wishes = [Wish(shape, "soc_analyst") for shape in SHAPES.values()] * 4
    assert len(wishes) > 60, "enough for a second process"
    made = list(produce_all(wishes, COMPANY, 0))
    alone = [produce(wish, COMPANY, 0) for wish in wishes[: len(SHAPES)]]
    assert [one.drafts for one in made[: len(SHAPES)]] == [one.drafts for one in alone]
    assert [one.request for one in made[: len(SHAPES)]] == [one.request for one in alone]
