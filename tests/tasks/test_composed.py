from collections.abc import Iterator

import pytest

from sigma_env.corpora.cache import CACHE_VARIABLE
from sigma_env.engines.native import NativeEngine
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.answer import parse_answer
from sigma_env.simulation.compose import shares
from sigma_env.tasks.composed import build_composed, training_chats
from sigma_env.tasks.dataset import Dataset, load_dataset
from sigma_env.tasks.leakage import leakage
from sigma_env.tasks.messages import SYSTEM_PROMPT
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.requests import telling_pairs

FAMILIES, TRAINING = 6, 24


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("composed")))
        build_composed(families=FAMILIES, training=TRAINING)
        yield load_dataset("composed")


def test_held_out_rules_are_the_test_split_and_the_others_are_for_training(composed: Dataset) -> None:
    assert composed.manifest.splits["test"] == 3 * FAMILIES
    for task in composed.tasks:
        assert ("held_out" in task.source) == (task.split == "test"), task.source


def test_the_splits_share_no_literal_no_event_and_no_cluster(composed: Dataset) -> None:
    engine = NativeEngine()
    sides = [[task for task in composed.tasks if (task.split == "test") == is_test] for is_test in (False, True)]
    learnt, held_out = ([reference_rule(task) for task in side] for side in sides)
    assert not shares(learnt, held_out)
    events = [
        {row for task in side for row in composed.truth(task, engine).scored.rows(composed.store).tolist()}
        for side in sides
    ]
    assert all(events)
    assert not events[0] & events[1]
    assert not leakage(composed, engine)


def test_references_earn_the_maximum_and_requests_tell_all(composed: Dataset) -> None:
    scorer = Scorer(composed)
    for task in composed.tasks:
        assert scorer.score(task, reference_answer(task)).reward == pytest.approx(1.1), task.source
        assert task.coverage == 1


def test_chats_are_what_a_task_would_show(composed: Dataset) -> None:
    for chat in training_chats(3, 20):
        system, user = chat.messages
        assert system == {"role": "system", "content": SYSTEM_PROMPT}
        assert user == {"role": "user", "content": chat.pair.request}
        assert parse_answer(chat.answer).status == "ok"


def test_what_personas_say_of_any_rule_does_not_make_requests_alike() -> None:
    one, other = (
        f"Ticket INC-{n}, tier 2.\nSource of the hits: process starts. Alert when the command line contains `{name}`."
        for n, name in ((48210, "ventar korvan"), (11903, "lumdek pizzo"))
    )
    assert not telling_pairs(one) & telling_pairs(other)
    assert "ventar korvan" in telling_pairs(one)
    excerpt = "\n    CurrentDirectory: C:\\Users\\dahl\\\n    User: HALDEN\\dahl"
    assert telling_pairs(one + excerpt) == telling_pairs(one)
