"""A real run of a model that earns the same in all its rollouts: it ends, and says why."""

from __future__ import annotations

from pathlib import Path

from tests.trainer.short_runs import PROMPTS, output, processes_of, start


def test_a_random_model_ends_with_an_error_in_one_line_instead_of_never(tmp_path: Path) -> None:
    assert start(tmp_path).wait() == 1
    said = output(tmp_path)
    [line] = [line for line in said.splitlines() if line.startswith("error: ")]
    refills = 4 * PROMPTS
    assert f"step 1: no reward variance: of {PROMPTS + refills} groups of rollouts" in line, said
    assert "reward: 20 at 0)" in line
    assert not list(tmp_path.glob("checkpoints/*"))
    assert processes_of(tmp_path) == []
