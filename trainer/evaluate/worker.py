"""The process that evaluates: `python -m trainer.evaluate.worker FOLDER`, started by `trainer.evaluate.start`."""

import sys
from pathlib import Path

import orjson

from sigma_env.errors import SigmaEnvError
from trainer.asking import Asking
from trainer.checkpoints import find, load_config
from trainer.evaluate.measure import measure
from trainer.evaluate.models import EndpointModel, LocalModel, Model
from trainer.evaluate.request import Request
from trainer.evaluate.start import DONE, FAULT, JOB
from trainer.shards import ready


def work(requests: list[Request]) -> list[Path]:
    """Runs evaluations of one model, which is loaded once.

    Returns:
        Of each, the path of its summary.
    """
    first = requests[0]
    checkpoint = None if first.endpoint else ready(find(first.model))
    config = load_config(checkpoint, first.overlay or None)
    asking = Asking.of(config)
    model: Model
    if checkpoint is None:
        model = EndpointModel(first.endpoint, first.model, asking)
    else:
        model = LocalModel(checkpoint, config, asking)
    return [measure(request, model, config, checkpoint) for request in requests]


def main() -> None:
    """Does the job of a folder."""
    folder = Path(sys.argv[1])
    requests = [Request.model_validate(one) for one in orjson.loads((folder / JOB).read_bytes())]
    try:
        done = work(requests)
    except SigmaEnvError as fault:
        (folder / FAULT).write_text(str(fault), encoding="utf-8")
        sys.exit(1)
    (folder / DONE).write_bytes(orjson.dumps([str(path) for path in done]))


if __name__ == "__main__":
    main()
