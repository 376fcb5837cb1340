"""Evaluation: the answers of a real small model in vLLM, asked as in training and scored by the project's scorer."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.clusters import clusters_of
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.messages import messages
from tests.trainer.speaking import teach
from tests.trainer.test_configs import composed
from trainer.asking import Asking
from trainer.checkpoints import EXPORTED_CONFIG
from trainer.errors import ConfigError
from trainer.evaluate import Decoding, Request, Result, evaluate, evaluate_all
from trainer.evaluate.measure import chosen

DATASET = load_dataset("starter")
SCORER = Scorer(DATASET)
TASKS = chosen(DATASET.playable(SCORER.engine, "test"), 8)
SAMPLED = Decoding(temperature=0.7, samples=3)
LONGEST_ANSWER = 64


class Evaluated(dict[str, Result]):
    """Results by name, and the model that they are of."""

    model: Path
    longest_prompt: int


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Several evaluations of a model that was loaded once, in which one task's prompt is too long."""
    model = tmp_path_factory.mktemp("model") / "taught"
    teach(model, DATASET.of_split("train")[:8])
    tokenizer = AutoTokenizer.from_pretrained(model)
    longest = max(len(Asking.of(composed("tiny")).prompt(tokenizer, task)) for task in TASKS) - 1
    config = composed("tiny", f"data.max_prompt_length={longest}", f"data.max_response_length={LONGEST_ANSWER}")
    (model / EXPORTED_CONFIG).write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    decodings = {"greedy": Decoding(), "again": Decoding(), "a": SAMPLED, "b": SAMPLED, "other": SAMPLED}
    requests = [
        Request(
            model=str(model),
            dataset="starter",
            tasks=8,
            decoding=decoding,
            seed=int(name == "other"),
            name=name,
            folder=model / "e",
        )
        for name, decoding in decodings.items()
    ]
    results = Evaluated(zip(decodings, evaluate_all(requests), strict=True))
    results.model, results.longest_prompt = model, longest
    return results


def said(result: Result) -> list[str]:
    return [row["answer"] for row in result.rows()]


def test_there_is_a_line_for_every_answer_in_order(evaluated: Evaluated) -> None:
    for name, samples in (("greedy", 1), ("a", 3)):
        too_long = evaluated[name].summary["overlong"]
        places = [(row["task_id"], row["sample"]) for row in evaluated[name].rows()]
        asked = [task.id for task in TASKS if task.id not in too_long]
        assert places == [(task, sample) for task in asked for sample in range(samples)]


def test_a_prompt_that_is_too_long_is_counted_and_not_asked(evaluated: Evaluated) -> None:
    tokenizer = AutoTokenizer.from_pretrained(evaluated.model)
    asking = Asking.of(composed("tiny"))
    longer = [task.id for task in TASKS if len(asking.prompt(tokenizer, task)) > evaluated.longest_prompt]
    assert 0 < len(longer) < len(TASKS)
    for result in evaluated.values():
        assert result.summary["overlong"] == longer
        assert result.summary["tasks"] == len(TASKS) - len(longer)


def test_scores_are_those_of_the_projects_scorer(evaluated: Evaluated) -> None:
    for row in evaluated["a"].rows():
        score = SCORER.score(row["task_id"], row["answer"])
        assert (row["reward"], row["status"], row["metrics"]) == (score.reward, score.status, score.metrics())
        assert row["components"] == dict(score.components)
    assert len({row["reward"] for row in evaluated["a"].rows()}) > 1


def test_clusters_are_those_of_the_whole_split(evaluated: Evaluated) -> None:
    clusters = clusters_of(DATASET, SCORER.engine, DATASET.playable(SCORER.engine, "test"))
    assert {row["task_id"]: row["cluster"] for row in evaluated["a"].rows()}.items() <= clusters.items()


def test_the_summarys_means_are_over_tasks(evaluated: Evaluated) -> None:
    summary = evaluated["a"].summary
    by_task: defaultdict[str, list[float]] = defaultdict(list)
    for row in evaluated["a"].rows():
        by_task[row["task_id"]].append(row["metrics"]["iou"])
    means = [sum(values) / len(values) for values in by_task.values()]
    assert summary["means"]["iou"] == pytest.approx(sum(means) / len(means))
    low, high = summary["intervals"]["reward"]
    assert low <= summary["means"]["reward"] <= high
    assert summary["answers"] == 3 * summary["tasks"]
    assert 0 < summary["constant"]["reward"] < summary["max_reward"]


def test_greedy_answers_are_the_same_again(evaluated: Evaluated) -> None:
    assert said(evaluated["greedy"]) == said(evaluated["again"])


def test_samples_follow_from_the_seed_and_differ_within_a_task(evaluated: Evaluated) -> None:
    assert said(evaluated["a"]) == said(evaluated["b"]) != said(evaluated["other"])
    by_task: defaultdict[str, set[str]] = defaultdict(set)
    for row in evaluated["a"].rows():
        by_task[row["task_id"]].add(row["answer"])
    assert max(map(len, by_task.values())) > 1


def test_answers_end_where_the_configuration_says(evaluated: Evaluated) -> None:
    rows = list(evaluated["a"].rows())
    assert {row["finish"] for row in rows} == {"stop", "length"}
    assert all((row["tokens"] == LONGEST_ANSWER) for row in rows if row["finish"] == "length")
    assert max(row["tokens"] for row in rows) == LONGEST_ANSWER
    assert evaluated["a"].summary["cut_off"] == sum(row["finish"] == "length" for row in rows)


def test_nothing_unfinished_is_left(evaluated: Evaluated) -> None:
    names = {path.name for path in (evaluated.model / "e").iterdir()}
    assert names == {f"{name}.{kind}" for name in evaluated for kind in ("json", "jsonl")}


@pytest.mark.parametrize("overlay", ["tiny", "gpt_oss_20b"])
def test_a_prompt_has_the_tokens_that_verl_trains_on(evaluated: Evaluated, overlay: str) -> None:
    from verl.utils.tokenizer.continuous_token import ContinuousTokenBuilder

    config: Any = composed(overlay)
    tokenizer = AutoTokenizer.from_pretrained(evaluated.model)
    # A template in which what the overlay asks for can be seen.
    tokenizer.chat_template += "{{ enable_thinking }}{{ reasoning_effort }}"
    builder = ContinuousTokenBuilder(tokenizer, chat_template_kwargs=dict(config.data.apply_chat_template_kwargs))
    for task in TASKS[:3]:
        chat = [dict(message) for message in messages(task)]
        assert Asking.of(config).prompt(tokenizer, task) == builder.build_initial_tokens(chat)


def test_the_tasks_that_are_chosen_do_not_depend_on_how_many_there_are() -> None:
    every = DATASET.tasks
    few, more = chosen(every, 5), chosen(every, 50)
    assert {task.id for task in few} < {task.id for task in more}
    assert [task.id for task in more] == sorted(task.id for task in more)
    assert chosen(every, None) == sorted(every, key=lambda task: task.id)
    # Not the first ones by id, which would be of no particular kind only by luck.
    assert few != list(every[:5])


def test_who_names_no_configuration_is_told_to(evaluated: Evaluated, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"name the overlay .* with --overlay: gpt_oss_20b, h100, qwen3_14b, tiny"):
        evaluate(Request(model=str(tmp_path)))


def test_greedy_takes_one_sample_only() -> None:
    with pytest.raises(ValueError, match="all of them would be the same"):
        Decoding(samples=2)
