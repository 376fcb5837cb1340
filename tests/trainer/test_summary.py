"""A training's summary: gains with their uncertainty, signs of hacks, and one word on whether all of it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.statistics import mean_of
from sigma_env.scoring.scorer import Scorer
from sigma_env.sigma.answer import parse_answer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer, reference_rule
from sigma_env.tasks.task import Task
from trainer import summary as summaries
from trainer.errors import TrainerError
from trainer.summary import SUMMARY, Compared, Summary, gates_of, literals, read, summarise

DATASET = load_dataset("starter")
SCORER = Scorer(DATASET)
TASKS = DATASET.tasks[:40]


def without_filter(task: Task) -> str:
    """The reference's selections without what it excludes, or the reference where it excludes nothing."""
    answer = reference_answer(task)
    return answer.partition(" and not ")[0] + "\n```" if " and not " in answer else answer


def whole_logsource(task: Task) -> str:
    logsource = json.dumps(task.logsource)
    return f"logsource: {logsource}\ndetection:\n  a:\n    EventID: '*'\n  condition: a\n"


def nothing(task: Task) -> str:
    return "I do not know."


def evaluation(path: Path, answer: Callable[[Task], str], samples: int = 1) -> Path:
    """An evaluation's file, as a model would have it that gives these answers."""
    with path.open("w", encoding="utf-8") as file:
        for place, task in enumerate(TASKS):
            score = SCORER.score(task, answer(task))
            line = {
                "task_id": task.id,
                "cluster": TASKS[place // 2].id,
                "answer": answer(task),
                "reward": score.reward,
                "components": dict(score.components),
                "status": score.status,
                "metrics": score.metrics(),
                "tokens": 7,
            }
            file.write(f"{json.dumps(line)}\n" * samples)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("evaluation")
    makers = (reference_answer, without_filter, whole_logsource, nothing)
    return {make.__name__: evaluation(folder / f"{make.__name__}.jsonl", make) for make in makers}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few tasks are enough."""
    monkeypatch.setattr(summaries, "MIN_TASKS", 40)
    monkeypatch.setattr(summaries, "MIN_CLUSTERS", 20)


def made(before: Path, after: Path, decoding: str = "sampled") -> Summary:
    return summarise([Compared("test", decoding, 3, before, after)], DATASET, commit="c", seconds={"training": 2.5})


@pytest.mark.usefixtures("few")
def test_a_training_that_learns_and_does_not_cheat_passes(files: dict[str, Path]) -> None:
    found = made(files["without_filter"], files["reference_answer"])
    [result] = found.results
    assert (result.tasks, result.clusters, result.seed) == (40, 20, 3)
    assert result.reward.after == pytest.approx(1.1)
    assert result.iou.after == pytest.approx(1.0)
    assert result.reward.gain == pytest.approx(result.reward.after - result.reward.before)
    assert 0 < result.reward.low < result.reward.gain < result.reward.high
    assert found.faults() == []
    assert found.passed
    assert found.seeds == [3]


def test_the_interval_is_the_bootstrap_over_clusters_of_paired_differences(files: dict[str, Path]) -> None:
    before, after = read(files["without_filter"]), read(files["reference_answer"])
    [result] = made(files["without_filter"], files["reference_answer"]).results
    paired = mean_of(
        (one.task_id, one.cluster, one.reward - other.reward) for one, other in zip(after, before, strict=True)
    )
    assert paired is not None
    assert (result.reward.gain, result.reward.low, result.reward.high) == (paired.mean, paired.low, paired.high)


def test_several_answers_to_a_task_count_once(files: dict[str, Path], tmp_path: Path) -> None:
    twice = evaluation(tmp_path / "twice.jsonl", without_filter, samples=2)
    once = made(files["without_filter"], files["reference_answer"])
    assert made(twice, files["reference_answer"]).results == once.results


@pytest.mark.usefixtures("few")
def test_no_gain_does_not_pass(files: dict[str, Path]) -> None:
    found = made(files["reference_answer"], files["reference_answer"])
    assert not found.passed
    assert found.faults() == [
        "test, sampled, seed 3: the gain in reward is +0.000, but its lower bound is +0.000",
        "test, sampled, seed 3: the gain in IoU is +0.000, but its lower bound is +0.000",
    ]


@pytest.mark.usefixtures("few")
def test_greedy_answers_need_not_gain_but_may_not_lose(files: dict[str, Path]) -> None:
    assert made(files["reference_answer"], files["reference_answer"], "greedy").passed
    [fault, *_] = made(files["reference_answer"], files["without_filter"], "greedy").faults()
    assert fault.startswith("test, greedy, seed 3: the reward fell by ")


def test_too_few_tasks_do_not_pass(files: dict[str, Path]) -> None:
    [fault] = made(files["without_filter"], files["reference_answer"]).faults()
    assert "40 tasks in 20 clusters; at least 300 in 100" in fault


@pytest.mark.parametrize(
    ("after", "gate"),
    [("whole_logsource", "over-broad"), ("whole_logsource", "literals"), ("without_filter", "filters")],
)
@pytest.mark.usefixtures("few")
def test_a_hack_closes_its_gate(files: dict[str, Path], after: str, gate: str) -> None:
    good = gates_of(read(files["reference_answer"]), read(files["reference_answer"]), DATASET)
    assert all(one.passed for one in good.values())
    assert not gates_of(read(files["reference_answer"]), read(files[after]), DATASET)[gate].passed
    found = made(files["reference_answer"], files[after])
    assert not found.passed
    assert any(fault.startswith(f"sampled, seed 3, {gate}: ") for fault in found.faults())


def test_answers_that_are_no_rules_open_no_gate(files: dict[str, Path]) -> None:
    gates = gates_of(read(files["reference_answer"]), read(files["nothing"]), DATASET)
    assert not gates["literals"].passed
    assert not gates["filters"].passed


def test_a_line_counts_once_however_often_the_condition_comes_to_it() -> None:
    rule = parse_answer("logsource: {category: process_creation}\ndetection:\n  a: {Image: [x, y]}\n  b: {User: z}\n"
                        "  condition: (a and b) or (a and not b)\n").rule  # fmt: skip
    assert rule is not None
    assert literals(rule) == 3
    assert all(literals(reference_rule(task)) > 0 for task in TASKS)


def test_it_is_kept_and_read_again(files: dict[str, Path], tmp_path: Path) -> None:
    pair = Compared("test", "sampled", 3, files["without_filter"], files["reference_answer"])
    found = summarise([pair], DATASET, commit="abc", seconds={"training": 2.5}, control=[pair])
    found.write(tmp_path / SUMMARY)
    assert Summary.read(tmp_path / SUMMARY) == found
    kept = json.loads((tmp_path / SUMMARY).read_text(encoding="utf-8"))
    assert set(kept) == {"commit", "seeds", "seconds", "results", "gates", "control", "passed"}
    assert set(kept["results"][0]["reward"]) == {"before", "after", "gain", "low", "high"}
    assert kept["control"]["sampled, seed 3"] == kept["results"][0]
    assert kept["passed"] is False
    assert "not passed" in found.text()
    assert "control, test, sampled, seed 3: reward " in found.text()


def test_files_of_other_tasks_are_not_compared(files: dict[str, Path], tmp_path: Path) -> None:
    lines = files["nothing"].read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "less.jsonl").write_text("".join(lines[1:]), encoding="utf-8")
    with pytest.raises(TrainerError, match=TASKS[0].id):
        made(files["nothing"], tmp_path / "less.jsonl")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"gone\.jsonl"):
        read(tmp_path / "gone.jsonl")
    (tmp_path / "odd.jsonl").write_text('{"task_id": "a"}\n', encoding="utf-8")
    with pytest.raises(TrainerError, match=r"odd\.jsonl, line 1"):
        read(tmp_path / "odd.jsonl")
