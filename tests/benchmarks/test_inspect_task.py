"""A dataset as an Inspect task: the project's prompt and scorer, and what its viewer can show."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from benchmarks.inspect_task import SCORER, inspect_task, sample, sigma, tasks_of
from benchmarks.prompts import STRATEGIES, choose_shots, field_list, prompt
from sigma_env.engines.native import NativeEngine
from sigma_env.errors import EngineError, OptionError
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import Dataset
from sigma_env.tasks.messages import messages
from sigma_env.tasks.reference import reference_answer
from sigma_env.tasks.task import Task
from tests.benchmarks.quiet import inspects_leftovers

CONSTANT = "```yaml\nlogsource: {category: process_creation}\ndetection: {s: {Image: '*'}, condition: s}\n```"


def answered(scoring: Scorer, folder: Path, answer: Any, tasks: tuple[Task, ...] | None = None) -> EvalLog:
    """Runs a model that gives `answer(task id)` through Inspect."""

    def output(chat: Any, *_: Any) -> ModelOutput:
        told = answer(chat[-1].metadata["task_id"])
        made = told if isinstance(told, ModelOutput) else ModelOutput.from_content("mockllm", told)
        made.usage = ModelUsage()  # else Inspect would fetch a tokenizer to count them
        return made

    task = inspect_task(scoring, tasks or scoring.dataset.tasks, "zero-shot")
    model = get_model("mockllm/model", custom_outputs=output, memoize=False)
    with inspects_leftovers():
        [log] = inspect_eval(
            task, model=model, log_dir=str(folder), display="none", fail_on_error=False, ctl_server=False
        )
    return log


def test_the_scores_are_those_of_the_scorer_and_the_log_says_why(small: Dataset, tmp_path: Path) -> None:
    scoring = Scorer(small)
    log = answered(scoring, tmp_path, lambda _: CONSTANT)
    assert log.samples is not None
    assert {s.id for s in log.samples} == {task.id for task in small.tasks}
    for one in log.samples:
        assert one.scores is not None
        logged, own = one.scores[SCORER], scoring.score(str(one.id), CONSTANT)
        assert isinstance(logged.value, dict)
        assert logged.value["reward"] == own.reward
        assert {name: logged.value[name] for name in own.components} == own.components
        assert logged.explanation == own.explain()
        assert logged.metadata is not None
        assert logged.metadata["status"] == "ok"
        assert logged.answer == CONSTANT.removeprefix("```yaml\n").removesuffix("```")
        for kind, said in (("tp", "matched"), ("fn", "missed"), ("fp", "extra")):
            shown = logged.metadata[said]
            assert [event["event"] for event in shown] == [str(ref) for ref in own.examples[kind]]
            assert all("EventID: " in event["fields"] for event in shown)


def test_the_reference_never_enters_prompt_or_metadata(small: Dataset) -> None:
    for task in small.tasks:
        made = sample(task, "zero-shot")
        assert [{"role": m.role, "content": m.text} for m in made.input if not isinstance(m, str)] == messages(task)
        assert task.reference not in made.model_dump_json()
        assert "detection" not in (made.metadata or {})
        assert made.target == ""


def test_a_fault_of_the_engine_leaves_the_sample_unscored(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = Scorer(small)
    answered(scoring, tmp_path / "well", lambda _: CONSTANT)

    def broken(*_: Any) -> Any:
        raise EngineError("the engine is out of order")

    monkeypatch.setattr(NativeEngine, "match", broken)
    log = answered(scoring, tmp_path / "ill", lambda _: CONSTANT)
    assert log.samples is not None
    for one in log.samples:
        assert not one.scores
        assert one.error is not None
        assert "out of order" in one.error.message


def test_a_refusal_is_no_rule_even_if_it_quotes_one(small: Dataset, tmp_path: Path) -> None:
    def refused(task_id: str) -> ModelOutput:
        return ModelOutput.from_content("m", reference_answer(small.task(task_id)), stop_reason="content_filter")

    log = answered(Scorer(small), tmp_path, refused)
    assert log.samples is not None
    for one in log.samples:
        assert one.scores is not None
        logged = one.scores[SCORER]
        assert isinstance(logged.value, dict)
        assert (logged.value["reward"], (logged.metadata or {})["status"]) == (0, "no_rule")


def test_every_strategy_begins_with_the_same_system_prompt_and_asks_last(small: Dataset) -> None:
    task, *shots = small.tasks
    for strategy in STRATEGIES:
        chat = prompt(task, strategy, shots)
        assert chat[0] == messages(task)[0]
        assert chat[-1]["role"] == "user"
        assert chat[-1]["content"].startswith(task.request)
    few = prompt(task, "few-shot", shots)
    assert [m["role"] for m in few] == ["system", *["user", "assistant"] * len(shots), "user"]
    assert [m["content"] for m in few[2:-1:2]] == [reference_answer(shot) for shot in shots]


def test_shots_are_training_tasks_of_different_logsources_and_always_the_same(small: Dataset) -> None:
    shots = choose_shots(small)
    assert shots == choose_shots(small)
    assert {shot.split for shot in shots} == {"train"}
    assert len({tuple(shot.logsource.items()) for shot in shots}) == len(shots) == 3


def test_no_task_is_its_own_example(small: Dataset) -> None:
    scoring = Scorer(small)
    made = inspect_task(scoring, small.tasks, "few-shot")
    for one in made.dataset:
        assert isinstance(one.input, list)
        assert reference_answer(small.task(str(one.id))) not in [m.text for m in one.input]


def test_the_list_of_fields_is_that_of_the_logsource(small: Dataset) -> None:
    [download] = [task for task in small.tasks if "download" in task.source]
    text = field_list(download)
    assert "category: process_creation" in text
    assert "ParentCommandLine" in text
    assert "TargetObject" not in text
    [crash] = [task for task in small.tasks if "crash" in task.source]
    assert "service: application" in field_list(crash)


def test_the_task_can_be_asked_for_by_name(small: Dataset) -> None:
    made = sigma(small.name, "all", "few-shot", limit=2)
    assert len(made.dataset) == 2
    with pytest.raises(OptionError, match="unknown prompt strategy 'magic'; there is zero-shot"):
        sigma(small.name, "all", "magic")
    with pytest.raises(OptionError, match="unknown split 'exam'"):
        sigma(small.name, "exam")
    assert tasks_of(Scorer(small), "all") == small.tasks
