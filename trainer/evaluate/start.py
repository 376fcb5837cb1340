"""Starts evaluations: vLLM in a process of its own, which gives all memory back when it ends."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import orjson

from trainer.checkpoints import find, load_config
from trainer.errors import TrainerError
from trainer.evaluate.request import Request, Result
from trainer.serving import environment

JOB: Final = "job.json"
FAULT: Final = "fault.txt"
DONE: Final = "done.json"


def evaluate(request: Request) -> Result:
    """Runs one evaluation; see `evaluate_all`."""
    return evaluate_all([request])[0]


def evaluate_all(requests: Sequence[Request]) -> list[Result]:
    """Runs evaluations. Neighbours of the same model and overlay load it once.

    What was interrupted goes on where it stopped; what is finished is made again.

    Args:
        requests: what to do.

    Returns:
        A result for each, in order.

    Raises:
        ConfigError: a model, an overlay or an option is wrong.
        DatasetError: there is no such dataset.
        TrainerError: an evaluation failed; the message says why.
    """
    results: list[Result] = []
    for (model, endpoint, overlay), found in groupby(requests, lambda one: (one.model, one.endpoint, one.overlay)):
        checkpoint = None if endpoint else find(model)
        config = load_config(checkpoint, overlay or None)
        results += _in_a_process(list(found), environment(config))
    return results


def _in_a_process(requests: Sequence[Request], variables: dict[str, str]) -> list[Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / JOB).write_bytes(orjson.dumps([request.model_dump(mode="json") for request in requests]))
        command = [sys.executable, "-m", "trainer.evaluate.worker", name]
        # In process, vLLM's batches do not depend on how quickly requests arrive.
        variables = {**variables, "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        status = subprocess.run(command, env=variables, stdout=sys.stderr, check=False).returncode
        fault = folder / FAULT
        if fault.exists():
            raise TrainerError(fault.read_text(encoding="utf-8"))
        if status:
            raise TrainerError(f"the process of the evaluation ended with status {status}; see what it printed")
        return [Result.load(Path(path)) for path in orjson.loads((folder / DONE).read_bytes())]
