"""What became of every rollout stays in the run's folder, and is forgotten only where a run writes it again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainer import records
from trainer.errors import TrainerError
from trainer.records import ENGINE_ERROR, Record, Writer, forget_after


def record(step: int = 1, place: int = 0, rollout: int = 0, **changed: object) -> Record:
    """A rollout that earned something."""
    fields = {
        "task_id": f"task-{place}",
        "answer": "logsource: …\nselection\u2028\x85 <|end|>",
        "uid": f"{step:06d}-{place:04d}",
        "step": step,
        "rollout": rollout,
        "split": "train",
        "reward": 0.4,
        "components": {"yaml_valid": 1.0, "logsource_correct": 1.0, "iou": 0.0},
        "status": "ok",
        "metrics": {"reward": 0.4, "tp": 0.0, "fp": 2.0, "fn": 3.0},
        "tokens": 12,
        "began": 1000.0,
        "seconds": 0.002,
        "cpu_seconds": 0.001,
    }
    return Record.model_validate(fields | changed)


def test_what_is_written_is_read_again_step_by_step(tmp_path: Path) -> None:
    written = [record(step, place, rollout) for step in (1, 12) for place in range(3) for rollout in range(2)]
    writer = Writer(tmp_path / "rollouts")
    for one in reversed(written):
        writer.write(one)
    assert [
        one for step in records.steps(tmp_path / "rollouts") for one in records.read(tmp_path / "rollouts", step)
    ] == (written)
    assert records.read(tmp_path / "rollouts", 2) == []
    assert records.steps(tmp_path / "nothing") == {}


def test_threads_and_processes_do_not_mix_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Writer(tmp_path)
    monkeypatch.setattr("os.getpid", lambda: 7)
    writers = [one, Writer(tmp_path)]
    long = "a" * 100_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: writers[n % 2].write(record(place=n, answer=long)), range(64)))
    assert len(list(tmp_path.iterdir())) == 2
    assert [one.task_id for one in records.read(tmp_path, 1)] == [f"task-{place}" for place in range(64)]


def test_a_rollout_that_was_not_scored_has_no_reward(tmp_path: Path) -> None:
    Writer(tmp_path).write(record(reward=None, status=ENGINE_ERROR, components={}, metrics={}))
    assert records.read(tmp_path, 1)[0].reward is None


def test_a_line_that_is_no_record_is_an_error_that_names_it(tmp_path: Path) -> None:
    Writer(tmp_path).write(record())
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b'{"task_id": "a"}\n')
    with pytest.raises(TrainerError, match=rf"{path.name}, line 2"):
        records.read(tmp_path, 1)


@pytest.mark.parametrize(("validates", "kept"), [(True, [0, 2]), (False, [0, 2, 4])])
def test_a_run_that_goes_on_forgets_what_it_writes_again(tmp_path: Path, validates: bool, kept: list[int]) -> None:
    for step in (1, 2, 3, 4, 5, 6):
        Writer(tmp_path / "rollouts").write(record(step))
    for step in (0, 2, 4, 6):
        Writer(tmp_path / "validation").write(record(step))
    for _ in range(2):
        forget_after(tmp_path, 4, validates)
        assert list(records.steps(tmp_path / "rollouts")) == [1, 2, 3, 4]
        assert list(records.steps(tmp_path / "validation")) == kept


def test_a_run_without_records_has_nothing_to_forget(tmp_path: Path) -> None:
    forget_after(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []
