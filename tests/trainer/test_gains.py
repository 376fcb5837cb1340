"""The figure and the table of what a training gained."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer import gains
from trainer.summary import Change, Gate, Result, Summary


def change(before: float, after: float) -> Change:
    gain = after - before
    return Change(before=before, after=after, gain=gain, low=gain - 0.05, high=gain + 0.05)


def result(decoding: str, seed: int, after: float) -> Result:
    return Result(
        split="test", decoding=decoding, seed=seed, tasks=360, clusters=120,
        reward=change(0.5, after), iou=change(0.3, after - 0.2),
    )  # fmt: skip


SUMMARY = Summary(
    commit="abc",
    seeds=[0],
    seconds={"seed 0, grpo": 300.4},
    results=[result("greedy", 0, 0.6), result("sampled", 0, 0.7)],
    gates={"sampled, seed 0, filters": Gate(about="filters kept", value=0.8, least=0.9)},
    control={"sampled, seed 0": result("sampled", 0, 0.55)},
)


def test_the_table_has_a_row_for_each_result_and_its_control_and_names_the_command() -> None:
    text = gains.table(SUMMARY, "python -m trainer learn tiny")
    assert "| 0 | greedy | GRPO | 0.500 | 0.600 | +0.100 [+0.050, +0.150] | 0.300 | 0.400 |" in text
    assert "| 0 | sampled | more warm start | 0.500 | 0.550 |" in text
    assert text.count("more warm start") == 1
    assert "360 tasks of the split 'test' in 120 clusters. Made by `python -m trainer learn tiny`" in text
    assert "| seed 0, grpo | 300 |" in text


def test_a_gate_that_is_broken_is_said_to_be() -> None:
    text = gains.table(SUMMARY, "x")
    assert "| sampled, seed 0, filters | 0.800 | at least 0.9 | BROKEN |" in text
    assert "What does not hold:\n\n- sampled, seed 0, filters: filters kept is 0.800; it must be at least 0.9" in text


def test_where_all_holds_the_table_says_so() -> None:
    kept = SUMMARY.model_copy(update={"gates": {}})
    assert "All that is asked of the training holds." in gains.table(kept, "x")


@pytest.mark.parametrize("control", [True, False])
def test_the_same_summary_gives_the_same_picture(tmp_path: Path, control: bool) -> None:
    summary = SUMMARY if control else SUMMARY.model_copy(update={"control": {}})
    for name in ("one", "two"):
        gains.write(summary, tmp_path / name, "x")
    one, two = ((tmp_path / name / gains.FIGURE).read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith(b"\x89PNG")
