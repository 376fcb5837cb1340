"""Going on after a kill: what it may leave of the checkpoints on disk, and how many there are.

verl writes a step's folder first and its number into a file after it, so that the file always names a folder that is
whole. It opens that file anew each time, though: a kill in that moment leaves it empty.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from trainer.errors import TrainerError
from trainer.whole import write_whole

LATEST: Final = "latest_checkpointed_iteration.txt"
"""verl's file that names the step to go on after."""
STEP: Final = "global_step_"
"""What the name of a checkpoint's folder begins with; the step's number follows."""

_LAST_WRITTEN: Final = "data.pt"
_FOLDER: Final = re.compile(rf"{STEP}(\d+)")


def steps(folder: Path) -> dict[int, Path]:
    """The folders of checkpoints by step, whole or not."""
    found = {int(name[1]): path for path in folder.glob("*") if (name := _FOLDER.fullmatch(path.name))}
    return dict(sorted(found.items()))


def mend(folder: Path) -> None:
    """Names the newest checkpoint where a kill left verl's file empty.

    Raises:
        TrainerError: the file holds something else that is no number, or names a checkpoint that is not there.
    """
    latest = folder / LATEST
    if not latest.exists():
        return
    said = latest.read_text(encoding="utf-8").strip()
    there = steps(folder)
    if not said:
        # All of a checkpoint is written before this file is opened.
        whole = [step for step, path in there.items() if (path / _LAST_WRITTEN).exists()]
        said = str(max(whole, default=""))
        write_whole(latest, said.encode())
    if not said.isdecimal() or int(said) not in there:
        raise TrainerError(
            f"{latest} says {said!r}, and the folder's checkpoints are of the steps {list(there)}; write one of them "
            "into it, or delete it to start anew"
        )


def forget_after(folder: Path, step: int) -> None:
    """Deletes checkpoints of later steps: a kill cut them short, or the run will take those steps again."""
    for later, path in steps(folder).items():
        if later > step:
            shutil.rmtree(path)


def prune(folder: Path, keep: int) -> None:
    """Deletes all but the newest checkpoints, whichever process of the run wrote them."""
    for path in list(steps(folder).values())[:-keep]:
        shutil.rmtree(path)
