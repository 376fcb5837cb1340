"""A real run of a model that earns the same in all its rollouts: it ends, and says why."""

from __future__ import annotations

import re
from pathlib import Path

from tests.trainer.short_runs import PROMPTS, output, processes_of, start


def test_a_model_without_variance_ends_with_an_error_in_one_line_instead_of_never(tmp_path: Path) -> None:
    assert start(tmp_path, **{"actor_rollout_ref.rollout.top_k": 1}).wait() == 1  # which leaves nothing to chance
    said = output(tmp_path)
    [line] = [line for line in said.splitlines() if line.startswith("error: ")]
    refills = 4 * PROMPTS
    assert f"step 1: no reward variance: of {PROMPTS + refills} groups of rollouts" in line, said
    assert sum(map(int, re.findall(r"(\d+) at ", line))) == PROMPTS + refills
    assert not list(tmp_path.glob("checkpoints/*"))
    assert processes_of(tmp_path) == []
