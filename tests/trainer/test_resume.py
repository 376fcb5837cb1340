"""Checkpoints on disk: a kill at any moment leaves one to go on after."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.errors import TrainerError
from trainer.resume import LATEST, forget_after, mend, prune, steps


def saved(folder: Path, *whole: int, cut_short: int | None = None, latest: str | None = None) -> Path:
    """A folder of checkpoints as verl writes it, `cut_short` without its last file."""
    for step in (*whole, *([] if cut_short is None else [cut_short])):
        (folder / f"global_step_{step}/actor").mkdir(parents=True)
        if step != cut_short:
            (folder / f"global_step_{step}/data.pt").touch()
    (folder / LATEST).write_text(str(whole[-1]) if latest is None else latest)
    return folder


def test_steps_are_numbers_not_words(tmp_path: Path) -> None:
    assert list(steps(saved(tmp_path, 5, 10, 100))) == [5, 10, 100]
    assert steps(tmp_path / "none") == {}


@pytest.mark.parametrize("latest", ["", "\n"])
def test_a_number_that_a_kill_left_unwritten_is_that_of_the_newest_whole_checkpoint(
    tmp_path: Path, latest: str
) -> None:
    mend(saved(tmp_path, 5, 10, cut_short=15, latest=latest))
    assert (tmp_path / LATEST).read_text() == "10"


def test_a_number_that_is_there_stays(tmp_path: Path) -> None:
    mend(saved(tmp_path, 5, 10, cut_short=15))
    assert (tmp_path / LATEST).read_text() == "10"
    mend(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("latest", ["twelve", "12"])
def test_a_number_that_is_none_or_has_no_checkpoint_is_an_error_that_names_what_there_is(
    tmp_path: Path, latest: str
) -> None:
    with pytest.raises(TrainerError, match=rf"{LATEST} says '{latest}', .* \[5, 10\]"):
        mend(saved(tmp_path, 5, 10, latest=latest))


def test_later_ones_are_forgotten(tmp_path: Path) -> None:
    forget_after(saved(tmp_path, 5, 10, cut_short=15), 10)
    assert list(steps(tmp_path)) == [5, 10]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    prune(saved(tmp_path, 5, 10, 15), 2)
    assert list(steps(tmp_path)) == [10, 15]
    prune(tmp_path, 3)
    assert list(steps(tmp_path)) == [10, 15]
