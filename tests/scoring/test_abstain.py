"""To say that the logs cannot show something: worth everything where it is true, and nothing where it is not."""

import pytest
import yaml

from sigma_env.engines.base import Matches
from sigma_env.engines.native import NativeEngine
from sigma_env.events.store import EventStore
from sigma_env.scoring.options import DEFAULT_WEIGHTS
from sigma_env.scoring.score import Score
from sigma_env.scoring.yardstick import Yardstick, measure
from sigma_env.sigma.answer import ABSTENTION
from sigma_env.sigma.parser import parse_rule
from sigma_env.tasks.messages import messages
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from sigma_env.tasks.truth_table import TruthTable
from tests.scoring.rules import SYSMON

RULE = """\
logsource: {category: process_creation, product: windows}
detection: {selection: {Image|endswith: '\\whoami.exe'}, condition: selection}
"""
STORE = EventStore.from_documents([{"Channel": SYSMON, "EventID": 1, "Image": "C:\\Windows\\System32\\whoami.exe"}])


def task(*, detectable: bool) -> Task:
    return Task(
        request="Somebody asks who they are.",
        reference=f"title: Whoami\n{RULE}",
        logsource={"category": "process_creation", "product": "windows"},
        split="train",
        source="here",
        detectable=detectable,
        may_abstain=True,
    )


def score(answer: str, *, detectable: bool) -> Score:
    reference = parse_rule(yaml.safe_load(RULE))
    [true] = NativeEngine().match([reference], STORE)
    assert isinstance(true, Matches)
    found = true if detectable else Matches({})
    yardstick = Yardstick("t", reference, STORE, found, Matches({}), detectable=detectable)
    return measure([(yardstick, answer)], NativeEngine(), DEFAULT_WEIGHTS)[0]


def test_a_right_abstention_earns_the_maximum() -> None:
    right = score(ABSTENTION, detectable=False)
    assert (right.reward, right.status) == (1.1, "abstained")
    assert right.metrics()["status_abstained"] == 1


def test_abstaining_on_what_the_logs_show_earns_nothing() -> None:
    wrong = score(ABSTENTION, detectable=True)
    assert (wrong.reward, wrong.status, wrong.fn) == (0, "abstained", 1)


@pytest.mark.parametrize("answer", [RULE, f"```yaml\n{RULE}```", "", "logsource: [", f"{ABSTENTION}\n{RULE}"])
def test_anything_but_an_abstention_earns_nothing_where_there_is_nothing_to_see(answer: str) -> None:
    wrong = score(answer, detectable=False)
    assert wrong.reward == 0
    assert set(wrong.components.values()) == {0.0}
    assert "cannot show" in wrong.explain()


def test_the_prompt_says_how_to_abstain_where_that_may_be_right() -> None:
    offered = task(detectable=True)
    assert ABSTENTION in messages(offered)[0]["content"]
    assert messages(offered) == messages(task(detectable=False)), "a prompt must not tell the two kinds apart"
    plain = Task(**offered.model_dump(exclude={"id", "may_abstain"}))
    assert ABSTENTION not in messages(plain)[0]["content"]


def test_the_reference_answer_of_an_undetectable_task_is_the_abstention() -> None:
    assert reference_answer(task(detectable=False)) == ABSTENTION
    assert "whoami" in reference_answer(task(detectable=True))


def test_an_undetectable_task_must_offer_to_abstain() -> None:
    with pytest.raises(ValueError, match="may_abstain"):
        Task(**task(detectable=False).model_dump(exclude={"id", "may_abstain"}))


def test_undetectable_tasks_are_playable_under_every_engine() -> None:
    both = [task(detectable=True), task(detectable=False)]
    table = TruthTable.compute(both, STORE, NativeEngine())
    assert [len(table.truth(each.id).true) for each in both] == [1, 0]
    assert not table.left_out
