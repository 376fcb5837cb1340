"""What is learnt from, and the model that is made to read it."""

from __future__ import annotations

import json
from pathlib import Path

from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.composed import training_chats
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from tests.trainer.test_configs import composed
from trainer.chats import chats, make_model, number_of_chats

STARTER = load_dataset("starter")
TASKS = STARTER.of_split("train")[:3]


def test_composed_rules_come_first_then_the_runs_own_tasks_as_often_as_asked() -> None:
    config = composed("tiny", "sigmaforge.warm_start.pairs=5", "sigmaforge.warm_start.own_repeats=2")
    made = list(chats(config.sigmaforge, TASKS))
    assert len(made) == number_of_chats(config.sigmaforge, TASKS) == 5 + 2 * 3
    assert [(chat.messages, chat.answer) for chat in made[:5]] == [
        (chat.messages, chat.answer) for chat in training_chats(0, 5)
    ]
    assert [chat.messages for chat in made[5:]] == [messages(task) for task in TASKS] * 2


def test_every_own_answer_earns_the_maximum() -> None:
    config = composed("tiny", "sigmaforge.warm_start.pairs=0", "sigmaforge.warm_start.own_repeats=1")
    scorer = Scorer(STARTER)
    for task, chat in zip(TASKS, chats(config.sigmaforge, TASKS), strict=True):
        assert scorer.score(task, chat.answer).reward == scorer.max_reward


def test_difficulty_and_seed_are_those_of_the_configuration() -> None:
    settings = ["sigmaforge.warm_start.pairs=40", "sigmaforge.warm_start.difficulty=[0,0.2]"]
    one, other = (
        [chat.answer for chat in chats(composed("tiny", *settings, f"sigmaforge.seed={seed}").sigmaforge, ())]
        for seed in (0, 1)
    )
    assert one != other
    assert all(answer.count("|") + answer.count(": ") < 12 for answer in one)


def test_a_model_is_made_once_and_only_where_one_is_described(tmp_path: Path) -> None:
    small = "sigmaforge.made_model={hidden:32,layers:1,heads:2,head:16,feed_forward:48,vocabulary:600,positions:512}"
    run = f"sigmaforge.run_dir={tmp_path}"
    make_model(composed("tiny", run, "sigmaforge.made_model=null"), TASKS)
    assert list(tmp_path.iterdir()) == []
    config = composed("tiny", run, small, "sigmaforge.warm_start.pairs=20")
    make_model(config, TASKS)
    made = tmp_path / "model" / "config.json"
    assert json.loads(made.read_text())["hidden_size"] == 32
    written = made.stat().st_mtime_ns
    make_model(config, TASKS)
    assert made.stat().st_mtime_ns == written
