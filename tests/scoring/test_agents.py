"""The reference agents answer as cheaply as they say."""

from pathlib import Path

import pytest
import yaml

from sigma_env.errors import OptionError
from sigma_env.scoring.agents import AGENT_NAMES, make_agent, one_literal
from sigma_env.scoring.constant import best_constant
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.task import Task


def task_with(detection: str) -> Task:
    return Task(
        request="x",
        reference=f"logsource: {{category: process_creation, product: windows}}\ndetection: {{{detection}}}",
        logsource={"category": "process_creation"},
        split="train",
        source="test",
    )


def selection_of(answer: str) -> object:
    document = yaml.safe_load(answer.removeprefix("```yaml\n").removesuffix("```"))
    assert document["logsource"] == {"category": "process_creation", "product": "windows"}
    assert document["detection"]["condition"] == "selection"
    return document["detection"]["selection"]


@pytest.mark.parametrize(
    ("detection", "selection"),
    [
        (r"s: {Image|endswith: '\cmd.exe', User: abc}, condition: s", {"Image|contains": r"\\cmd.exe"}),
        ("s: {Image: a}, f: {CommandLine: much longer}, condition: s and not f", {"Image|contains": "a"}),
        ("s: {Image: a}, f: {User: abc}, condition: not (s or not f)", {"User|contains": "abc"}),
        ("s: {Image|neq: longer, User: abc}, condition: s", {"User|contains": "abc"}),
        ("s: {Image: 'ab*literal?c'}, condition: s", {"Image|contains": "literal"}),
        (r"s: {Image: 'a\*b\\*', User: x}, condition: s", {"Image|contains": r"a\*b\\"}),
        ("s: [key, longer word], condition: s", ["longer word"]),
        ("s: {Image|re: a.*b}, condition: s", {"EventID": "*"}),
        ("s: {Image: ab, User: cd}, condition: s", {"Image|contains": "ab"}),
    ],
)
def test_one_literal_takes_the_longest_text_that_is_asked_for(detection: str, selection: object) -> None:
    assert selection_of(one_literal(task_with(detection))) == selection


def rewards(small: Dataset, name: str) -> dict[str, float]:
    scorer = Scorer(small)
    agent = make_agent(name, scorer, small.tasks)
    assert agent.name == name
    return {Path(task.source.split(":")[1]).stem: scorer.score(task, agent.answer(task)).reward for task in small.tasks}


def test_what_each_agent_earns(small: Dataset) -> None:
    assert set(rewards(small, "oracle").values()) == {1.1}
    assert set(rewards(small, "empty").values()) == {0.0}
    ids = rewards(small, "eventid-only")
    assert ids["whoami"] == pytest.approx(0.4 + 0.7 * 2 / 7)
    assert ids["download"] == pytest.approx(0.4 + 0.7 * 3 / 10)
    assert ids["guessing"] == pytest.approx(0.4 + 0.7 * 2 / 5)
    literal = rewards(small, "one-literal")
    assert literal["whoami"] == pytest.approx(0.4 + 0.7 * 2 / 4)
    assert literal["service"] == pytest.approx(0.4 + 0.7 * 2 / 3)
    assert literal["crash"] == pytest.approx(0.4 + 0.7 / 2)


def test_the_best_constant_is_better_than_each_of_the_cheap_ones(small: Dataset) -> None:
    scorer = Scorer(small)
    best = best_constant(scorer, small.tasks)
    earned = [scorer.score(task, best.answer) for task in small.tasks]
    assert best.reward == pytest.approx(sum(score.reward for score in earned) / len(earned))
    assert best.iou == pytest.approx(sum(score.components["iou"] for score in earned) / len(earned))
    for logsource in ("category: process_creation", "service: security", "service: system", "product: windows"):
        for selection in ("EventID: '*'", "EventID: 1", "EventID: 4625"):
            text = f"logsource: {{{logsource}}}\ndetection: {{s: {{{selection}}}, condition: s}}"
            other = [scorer.score(task, text).reward for task in small.tasks]
            assert sum(other) / len(other) <= best.reward + 1e-12


def test_an_unknown_agent_is_named(small: Dataset) -> None:
    with pytest.raises(OptionError, match="unknown agent 'guess'; there is oracle, one-literal"):
        make_agent("guess", Scorer(small), small.tasks)
    assert len(set(AGENT_NAMES)) == 5
