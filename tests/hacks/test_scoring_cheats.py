"""Answers that want the reward without finding the events: none earns what the reference earns, none breaks a thing."""

import math

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigma_env.engines.native import NativeEngine
from sigma_env.scoring.score import Score
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.answer import parse_answer
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.messages import SYSTEM_PROMPT, messages, prompt_text
from sigma_env.tasks.reference import reference_answer
from tests.real import Real
from tests.small import NAME

PLACES = [
    "product: windows",
    "category: process_creation",
    "category: registry_set",
    "category: dns_query",
    "service: sysmon",
    "service: security",
    "service: system",
    "service: application",
    "category: process_creation, service: security",
    "product: windows, definition: every log there is",
    "category: '', product: windows",
]
DEAD_PLACES = ["category: process_creation, service: system", "product: linux", "category: '*'", "service: '?ecurity'"]

MATCH_ALL = {
    "any value": "s: {EventID: '*'}, condition: s",
    "presence": "s: {EventID|exists: true}, condition: s",
    "absence": "s: {NoSuchField|exists: false}, condition: s",
    "null": "s: {NoSuchField: null}, condition: s",
    "empty text": "s: {Channel|contains: ''}, condition: s",
    "any keyword": "s: ['*'], condition: s",
    "empty keyword": "s: [''], condition: s",
    "regular expression": "s: {Channel|re: '.*'}, condition: s",
    "not nothing": "s: {EventID: nowhere}, condition: not s",
    "neq": "s: {EventID|neq: nowhere}, condition: s",
    "itself": "s: {EventID|fieldref: EventID}, condition: s",
    "all numbers": "s: {EventID|gte: 0}, condition: s",
    "a selection or not": "s: {Image: x}, condition: s or not s",
    "both conditions": "s: {Image: x}, condition: [s, not s]",
    "one of them": "s: {EventID: '*'}, t: {Image: x}, condition: 1 of them",
    "all of a pattern": "s1: {EventID: '*'}, s2: {Channel: '*'}, condition: all of s*",
    "list of maps": "s: [{EventID: '*'}, {Image: x}], condition: s",
    "any network": "s: {IpAddress|cidr: ['0.0.0.0/0', '::/0']}, t: {IpAddress: null}, condition: s or t",
    "every EventID of interest": "s: {EventID: [1, 13, 22, 1000, 1001, 4625, 4688, 7045]}, condition: s",
}

NOTHING = {
    "contradiction": "s: {EventID: '*'}, condition: s and not s",
    "two values at once": "s: {EventID|contains|all: ['1', 'x']}, condition: s",
    "absent and present": "s: {Image: null, image: '*'}, condition: s",
}

HOSTILE = {
    "empty": "",
    "blank": " \n\t\n",
    "null byte": "\x00",
    "byte order mark": "\ufefflogsource: {category: process_creation}\ndetection: {s: {Image: x}, condition: s}",
    "lone surrogate": "\ud83d",
    "right to left": "\u202edetection",
    "score": "reward: 1.1\niou: 1\nstatus: ok\ncomponents: {yaml_valid: 1, logsource_correct: 1, iou: 1}",
    "no detection": "logsource: {category: process_creation}",
    "empty selection": "logsource: {category: process_creation}\ndetection: {s: {}, condition: 1 of them}",
    "no selection": "logsource: {category: process_creation}\ndetection: {condition: 1 of them}",
    "nothing in them": "logsource: {category: process_creation}\ndetection: {_s: {EventID: 1}, condition: all of them}",
    "empty list": "logsource: {category: process_creation}\ndetection: {s: {Image: []}, condition: s}",
    "infinite": "logsource: {service: security}\ndetection: {s: {EventID: .inf}, condition: s}",
    "no number": "logsource: {service: security}\ndetection: {s: {EventID: .nan}, condition: s}",
    "too large": "logsource: {service: security}\ndetection: {s: {EventID: 1e400}, condition: s}",
    "long number": "logsource: {service: security}\ndetection: {s: {EventID: " + "9" * 5_000 + "}, condition: s}",
    "huge list": "logsource: {service: security}\ndetection: {s: {EventID: [" + "1, " * 100_000 + "1]}, condition: s}",
    "deep list": "logsource: {service: security}\ndetection: {s: " + "[" * 10_000 + "]" * 10_000 + ", condition: s}",
    "deep condition": "logsource: {service: security}\ndetection: {s: {A: b}, condition: "
    + "not (" * 1_000
    + "s"
    + ")" * 1_000
    + "}",
    "alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlogsource: {service: security}\ndetection: *c",
    "object": "logsource: !!python/object/apply:os.getcwd []\ndetection: {s: {A: b}, condition: s}",
    "backtracking": "logsource: {service: security}\ndetection: {s: {Channel|re: '(\\w+\\s?)+\\$'}, condition: s}",
    "repetition": "logsource: {service: security}\ndetection: {s: {Channel|re: '((a{100}){100}){100}'}, condition: s}",
    "wildcards": "logsource: {service: security}\ndetection: {s: {Channel: '" + "*?" * 2_000 + "'}, condition: s}",
    "encodings": "logsource: {service: security}\ndetection: {s: {Channel|"
    + "base64offset|" * 40
    + "contains: abc}, condition: s}",
    "many selections": "logsource: {service: security}\ndetection:\n"
    + "".join(f"  s{i}: {{A: b}}\n" for i in range(3_000))
    + "  condition: 1 of them",
    "many names": "logsource: {service: security}\ndetection: {s: {A: b}, condition: '" + "s or " * 50_000 + "s'}",
}


def rule(place: str, detection: str) -> str:
    return f"```yaml\nlogsource: {{{place}}}\ndetection: {{{detection}}}\n```"


@pytest.fixture
def scorer(small: Dataset) -> Scorer:
    return Scorer(small)


def sane(score: Score, best: float) -> bool:
    parts = score.components
    return (
        math.isfinite(score.reward)
        and 0 <= score.reward <= best
        and set(parts.values()) - {parts["iou"]} <= {0.0, 1.0}
        and 0 <= parts["iou"] <= 1
        and (score.reward == best) == (score.fp == score.fn == 0 and parts["logsource_correct"] == 1)
        and all(math.isfinite(value) for value in score.metrics().values())
    )


@pytest.mark.parametrize("place", PLACES)
def test_rules_that_match_everything_earn_less(scorer: Scorer, small: Dataset, place: str) -> None:
    for name, detection in MATCH_ALL.items():
        for task in small.tasks:
            score = scorer.score(task, rule(place, detection))
            assert score.status == "ok", name
            assert sane(score, scorer.max_reward)
            assert score.fp, name
            assert score.reward <= 0.4 + 0.7 * 0.7 + 1e-9, (name, task.source)


@pytest.mark.parametrize("place", DEAD_PLACES)
def test_places_without_events_earn_the_form_alone(scorer: Scorer, small: Dataset, place: str) -> None:
    for detection in MATCH_ALL.values():
        for task in small.tasks:
            assert scorer.score(task, rule(place, detection)).reward == pytest.approx(0.1)


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_rules_that_match_nothing_earn_their_form_at_most(scorer: Scorer, small: Dataset, name: str) -> None:
    for place in PLACES:
        for task in small.tasks:
            score = scorer.score(task, rule(place, NOTHING[name]))
            assert score.components["iou"] == 0
            assert score.reward <= 0.4 + 1e-12


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_texts_earn_next_to_nothing_and_break_nothing(scorer: Scorer, small: Dataset, name: str) -> None:
    for text in (HOSTILE[name], f"```yaml\n{HOSTILE[name]}\n```"):
        for task in small.tasks[:2]:
            score = scorer.score(task, text)
            assert sane(score, scorer.max_reward)
            assert score.components["iou"] == 0
            assert score.explain()


@pytest.mark.parametrize("name", [NAME, "starter"])
def test_the_prompt_is_no_answer(small: Dataset, name: str) -> None:
    """Its example is about events that no task asks for: what a copy earns is the form."""
    scorer = Scorer(small if name == NAME else load_dataset(name))
    for task in scorer.dataset.tasks:
        prompt = prompt_text(messages(task))
        for text in (prompt, task.request, f"```yaml\n{prompt}\n```", prompt + task.request):
            assert scorer.score(task, text).reward <= scorer.weights["yaml_valid"]


def test_the_example_of_the_prompt_finds_nothing_in_the_public_logs(real: Real) -> None:
    rule = parse_answer(SYSTEM_PROMPT).rule
    assert rule is not None
    assert not NativeEngine().match_rule(rule, real.store)


def test_the_right_detection_in_a_place_that_is_too_wide_loses_the_place(scorer: Scorer, small: Dataset) -> None:
    for task in small.tasks:
        reference = scorer.yardstick(task).reference
        answer = reference_answer(task)
        for name in ("category", "service"):
            value = getattr(reference.logsource, name)
            if value is not None:
                wide = scorer.score(task, answer.replace(f"{name}: {value}", "definition: all of it"))
                assert wide.status == "ok"
                assert wide.components["logsource_correct"] == 0
                assert wide.reward < scorer.max_reward


def test_of_several_rules_only_the_last_counts(scorer: Scorer, small: Dataset) -> None:
    every = [reference_answer(task) for task in small.tasks]
    for i, task in enumerate(small.tasks):
        shotgun = "\n\n".join([*every[: i + 1], *every[i + 1 :]])
        expected = scorer.score(task, every[-1])
        assert scorer.score(task, shotgun).reward == expected.reward
        assert scorer.score(task, f"{every[i]}\n{rule('product: windows', MATCH_ALL['presence'])}").reward < 0.5


def test_all_references_joined_in_one_rule_are_not_a_key_to_all_tasks(scorer: Scorer, small: Dataset) -> None:
    parts, names = [], []
    for i, task in enumerate(small.tasks):
        detection = dict(scorer.yardstick(task).reference.document["detection"])
        condition = detection.pop("condition")
        for name, definition in detection.items():
            parts.append((f"r{i}_{name}", definition))
        names.append((i, condition))
    joined: dict[str, object] = dict(parts)
    joined["condition"] = [
        " ".join(_renamed(word, i) for word in condition.replace("(", " ( ").replace(")", " ) ").split())
        for i, condition in names
    ]
    text = yaml.safe_dump({"logsource": {"product": "windows"}, "detection": joined})
    for task in small.tasks:
        score = scorer.score(task, text)
        assert score.status == "ok"
        assert score.fn == 0
        assert score.fp > 0
        assert score.reward < 0.6


def _renamed(word: str, number: int) -> str:
    keywords = {"and", "or", "not", "(", ")", "1", "all", "of"}
    return word if word in keywords else f"r{number}_*" if word == "them" else f"r{number}_{word}"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_and_any_damage_to_the_reference_is_scored(
    scorer: Scorer, small: Dataset, data: st.DataObject
) -> None:
    task = data.draw(st.sampled_from(small.tasks))
    text = reference_answer(task)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 8))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + cut :]
    score = scorer.score(task, text)
    assert sane(score, scorer.max_reward)
    assert scorer.score(task, text) == score
    assert score.explain()
