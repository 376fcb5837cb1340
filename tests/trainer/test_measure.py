"""An evaluation that is interrupted goes on where it stopped, with the same result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sigma_env.errors import OptionError
from sigma_env.tasks.dataset import load_dataset
from tests.trainer.test_configs import composed
from trainer.evaluate.measure import measure
from trainer.evaluate.models import Answer, Ask
from trainer.evaluate.request import Decoding, Request, Result

DATASET = load_dataset("starter")


class References:
    """Answers with the task's reference, out of order, until it has given so many answers."""

    def __init__(self, ends_after: int | None = None, too_long: Sequence[str] = ()) -> None:
        self._ends_after, self._too_long = ends_after, too_long
        self.asked: list[Ask] = []

    def answers(self, asks: Sequence[Ask], temperature: float) -> Iterator[tuple[Ask, Answer | None]]:
        assert 0 < temperature <= 1
        for ask in reversed(asks):
            if len(self.asked) == self._ends_after:
                raise KeyboardInterrupt
            self.asked.append(ask)
            reference = Answer(ask.task.reference, 100 + ask.sample, "stop")
            yield ask, None if ask.task.id in self._too_long else reference


def run(folder: Path, answering: References, **fields: object) -> Result:
    decoding = Decoding(temperature=1.0, samples=2)
    given = {
        "model": "m",
        "endpoint": "http://x",
        "dataset": "starter",
        "tasks": 5,
        "decoding": decoding,
        "folder": folder,
        "name": "n",
    }
    return Result.load(measure(Request.model_validate(given | fields), answering, composed("tiny"), None))


def numbers(result: Result) -> dict[str, object]:
    return {name: value for name, value in result.summary.items() if name != "seconds"}


def test_the_oracle_earns_the_maximum(tmp_path: Path) -> None:
    result = run(tmp_path, References())
    assert result.summary["means"]["reward"] == pytest.approx(1.1)
    assert result.summary["intervals"]["iou"] == [1.0, 1.0]
    assert (result.summary["tasks"], result.summary["answers"]) == (5, 10)
    assert result.summary["tokens"] == {"total": 5 * (100 + 101), "mean": 100.5}


def test_what_was_answered_before_a_stop_is_not_asked_again(tmp_path: Path) -> None:
    first, second = References(ends_after=3), References()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", first)
    assert not (tmp_path / "a/n.json").exists()
    resumed = run(tmp_path / "a", second)
    assert len(second.asked) == 10 - 3
    assert not {ask.seed for ask in first.asked} & {ask.seed for ask in second.asked}
    whole = run(tmp_path / "b", References())
    assert resumed.answers.read_bytes() == whole.answers.read_bytes()
    assert numbers(resumed) == numbers(whole)


def test_a_line_that_a_kill_cut_off_is_asked_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, References(ends_after=3))
    partial = tmp_path / "n.partial.jsonl"
    partial.write_bytes(partial.read_bytes()[:-5])
    model = References()
    assert run(tmp_path, model).summary["answers"] == 10
    assert len(model.asked) == 10 - 2


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"split": "validation"}, {"decoding": Decoding(temperature=0.5, samples=2)}, {"model": "o"}]
)
def test_answers_of_another_evaluation_do_not_count(tmp_path: Path, other: dict[str, object]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, References(ends_after=3))
    model = References()
    run(tmp_path, model, **other)
    assert len(model.asked) == 10


def test_every_answer_has_a_seed_of_its_own(tmp_path: Path) -> None:
    one, other = References(), References()
    run(tmp_path, one)
    run(tmp_path, other, seed=1)
    assert len({ask.seed for ask in one.asked + other.asked}) == 20


def test_prompts_that_are_too_long_are_counted_and_in_no_mean(tmp_path: Path) -> None:
    left_out = next(row["task_id"] for row in run(tmp_path, References()).rows())
    result = run(tmp_path, References(too_long=[left_out]))
    assert result.summary["overlong"] == [left_out]
    assert (result.summary["tasks"], result.summary["answers"]) == (4, 8)
    assert left_out not in {row["task_id"] for row in result.rows()}


def test_an_evaluation_in_which_all_prompts_are_too_long_has_no_means(tmp_path: Path) -> None:
    result = run(tmp_path, References(too_long=[task.id for task in DATASET.tasks]))
    assert (result.summary["tasks"], result.summary["means"]) == (0, {})
    assert len(result.summary["overlong"]) == 5


def test_an_unknown_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="unknown split 'tests'; there is train, validation, test, all"):
        run(tmp_path, References(), split="tests")
