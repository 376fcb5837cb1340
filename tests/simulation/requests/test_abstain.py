"""Requests about what the logs cannot show, and their twins: only reading tells them apart."""

import math
import random
import re
from collections import Counter
from typing import Any

import pytest

from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.rule import Meta, Rule
from sigma_env.simulation.requests import PERSONAS, Request, detectable_twin, discloses, make_plan, undetectable

WORD = re.compile(r"\w+")


def rule_of(**line: Any) -> Rule:
    document = {"logsource": {"product": "windows", "category": "process_creation"}, "detection": {"s": line}}
    document["detection"]["condition"] = "s"  # type: ignore[assignment]
    return parse_rule(document, meta=Meta(id="r", title="Odd starts"))


def bag(request: Request) -> Counter[str]:
    return Counter(WORD.findall(request.text.lower()))


@pytest.mark.parametrize("persona", PERSONAS)
def test_twins_have_the_same_words(persona: str) -> None:
    plan = make_plan(rule_of(CommandLine="x -y", User="u"), 0)
    for seed in range(40):
        no, yes = undetectable(plan, persona, seed), detectable_twin(plan, persona, seed)
        assert (no.detectable, yes.detectable) == (False, True)
        assert no.text != yes.text
        assert bag(no) == bag(yes)
        assert no.facts == yes.facts
        assert discloses(no.text, plan)
        assert discloses(yes.text, plan)
        assert undetectable(plan, persona, seed) == no


def test_every_kind_of_undetectable_request_is_made() -> None:
    plan = make_plan(rule_of(CommandLine="x -y"), 0)
    texts = [undetectable(plan, "manager", seed).text for seed in range(60)]
    missing_log = re.compile(r"(?:do not send: |Not collected there: |We do not have )[^.]*process starts")
    missing_field = re.compile(r"(?:drops|strips) the command line|the command line is not")
    other_platform = re.compile(r"the Windows \w+ (?:are out of scope|are not part)|out of scope are the Windows")
    for kind in (missing_log, missing_field, other_platform):
        assert any(kind.search(text) for text in texts)
    assert all(any(kind.search(text) for kind in (missing_log, missing_field, other_platform)) for text in texts)
    twins = [detectable_twin(plan, "manager", seed).text for seed in range(60)]
    assert not any(kind.search(text) for kind in (missing_log, missing_field, other_platform) for text in twins)


def test_a_log_that_also_has_the_events_is_not_said_to_be_there() -> None:
    plan = make_plan(rule_of(CommandLine="x -y"), 0)
    for seed in range(60):
        text = undetectable(plan, "red_team", seed).text
        assert "the Sysmon log" not in text
        assert "the Security log" not in text


def test_nobody_says_to_have_seen_it_in_a_log_that_may_not_exist() -> None:
    plan = make_plan(rule_of(CommandLine="x -y"), 0)
    for persona in PERSONAS:
        facts = [undetectable(plan, persona, seed).facts for seed in range(10)]
        starts = ("It would show in ", "The kind of log that would show it: ", "One would look for it in ")
        assert all(said.startswith(starts) for said in facts)


def test_a_field_that_need_not_be_there_does_not_decide() -> None:
    detection = {"s": [{"CommandLine": "x"}, {"Image": "y"}], "t": {"User": None}, "condition": "s and t"}
    rule = parse_rule({"logsource": {"category": "process_creation"}, "detection": detection})
    plan = make_plan(rule, 0)
    assert not any("before anything is stored" in undetectable(plan, "manager", seed).text for seed in range(60))


class NaiveBayes:
    """Multinomial, with add-one smoothing, over bags of words."""

    def __init__(self, requests: list[Request]) -> None:
        bags = {
            kind: sum((bag(one) for one in requests if one.detectable is kind), Counter()) for kind in (True, False)
        }
        vocabulary = set(bags[True]) | set(bags[False])
        totals = {kind: sum(counts.values()) + len(vocabulary) for kind, counts in bags.items()}
        self.weights = {
            word: math.log((bags[True][word] + 1) / totals[True]) - math.log((bags[False][word] + 1) / totals[False])
            for word in vocabulary
        }

    def balanced_accuracy(self, requests: list[Request]) -> float:
        right = {True: 0, False: 0}
        for one in requests:
            score = sum(self.weights.get(word, 0.0) * count for word, count in bag(one).items())
            right[one.detectable] += (score > 0) is one.detectable
        return sum(right[kind] / sum(one.detectable is kind for one in requests) for kind in (True, False)) / 2


def test_a_bag_of_words_does_not_tell_them_apart(sigmahq: list[Rule]) -> None:
    rng = random.Random(5)
    requests = []
    for rule in rng.sample(sigmahq, 1_200):
        write = undetectable if rng.random() < 0.5 else detectable_twin
        requests.append(write(make_plan(rule, 1), rng.choice(PERSONAS), 1))
    train, test = requests[:800], requests[800:]
    classifier = NaiveBayes(train)
    assert classifier.balanced_accuracy(train) > 0.7, (
        "the classifier learns nothing, so its failure would prove nothing"
    )
    assert classifier.balanced_accuracy(test) <= 0.6
