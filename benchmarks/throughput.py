"""`python -m benchmarks.throughput`: answers per second through Inspect, with full logs and its buffer on.

The model is instant (the oracle), so that what is measured is Inspect, the scorer and the log. The scorer alone stands
beside it. Nothing else should run on the machine.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from inspect_ai import eval as inspect_eval

from benchmarks.agents import ORACLE, agent_model
from benchmarks.inspect_task import inspect_task, tasks_of
from sigma_env.scoring.scorer import Scorer
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.reference import reference_answer


def measure(dataset: str, answers: int) -> dict[str, float]:
    """Answers per second of wall and processor time, through Inspect and of the scorer alone.

    Args:
        dataset: name of a dataset.
        answers: at least so many.
    """
    scoring = Scorer(load_dataset(dataset))
    tasks = tasks_of(scoring, "all", answers)
    samples = -(-answers // len(tasks))
    model = agent_model(ORACLE, scoring, tasks)
    texts = [(task, reference_answer(task)) for task in tasks]
    with tempfile.TemporaryDirectory() as folder:
        _through_inspect(scoring, 8, 1, folder)  # what Inspect itself loads the first time is nobody's
        wall, processor = time.perf_counter(), time.process_time()
        task = inspect_task(scoring, tasks, "zero-shot", samples=samples, model=model)
        [log] = inspect_eval(
            task, log_dir=folder, display="none", score_display=False, log_header_only=True, ctl_server=False
        )
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert log.status == "success"
    done = len(tasks) * samples
    alone = time.perf_counter()
    for _ in range(samples):
        for one, text in texts:
            scoring.score(one, text)
    alone = time.perf_counter() - alone
    return {
        "answers": done,
        "per_second": done / wall,
        "per_processor_second": done / processor,
        "scorer_alone_per_second": done / alone,
        "load": os.getloadavg()[0],
    }


def _through_inspect(scoring: Scorer, tasks: int, samples: int, folder: str) -> None:
    some = tasks_of(scoring, "all", tasks)
    task = inspect_task(scoring, some, "zero-shot", samples=samples, model=agent_model(ORACLE, scoring, some))
    inspect_eval(task, log_dir=str(Path(folder) / "warm"), display="none", score_display=False, ctl_server=False)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="starter")
    parser.add_argument("--answers", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(measure(options.dataset, options.answers), indent=1))


if __name__ == "__main__":
    main()
