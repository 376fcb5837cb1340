"""Answers of an evaluation that is under way, so that one that was interrupted goes on where it stopped."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from trainer.evaluate.models import Answer, Ask

Key = tuple[str, int]
"""Id of a task, and which of its answers."""


def fingerprint(folder: Path) -> list[list[Any]]:
    """What tells a model's files from those of another: names, sizes and times of what is not text."""
    files = sorted(path for path in folder.glob("*.safetensors"))
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]


class Kept:
    """An append-only file: a line that says of which evaluation the answers are, then a line for each answer.

    Attributes:
        answers: those that are there; None stands for a prompt that was too long.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Reads what an earlier process left, unless that was another evaluation.

        Args:
            path: of the file.
            identity: all that an answer depends on.
        """
        self.path = path
        self.answers: dict[Key, Answer | None] = {}
        head = blake2b(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)).hexdigest().encode()
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]  # a last line may have been cut off by a kill
        if not whole or whole[0].strip() != head:
            whole = [head + b"\n"]
        for task_id, sample, answer in map(orjson.loads, whole[1:]):
            self.answers[task_id, sample] = None if answer is None else Answer(*answer)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(whole))
        self._file = path.open("ab")

    def add(self, ask: Ask, answer: Answer | None) -> None:
        """Keeps an answer."""
        self.answers[ask.task.id, ask.sample] = answer
        line = [ask.task.id, ask.sample, None if answer is None else list(answer)]
        self._file.write(orjson.dumps(line) + b"\n")
        self._file.flush()

    def __enter__(self) -> "Kept":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._file.close()
