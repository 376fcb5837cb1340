"""From a model to a report: warm start, evaluation, GRPO, evaluation again, and beside it what more warm start gives.

Each stage runs in a process of its own, and is not run again once it is done, so that a run which was ended goes on
where it was.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from sigma_env.errors import DatasetNotBuilt
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.names import COMPOSED
from trainer import config as configs
from trainer import gains
from trainer.checkpoints import ADAPTER_CONFIG
from trainer.errors import TrainerError
from trainer.evaluate import Decoding, Request, evaluate_all
from trainer.folder import commit
from trainer.summary import GREEDY, SUMMARY, Compared, Summary, summarise
from trainer.warm_start import FOLDER, METRICS, MODEL
from trainer.whole import write_whole

BEFORE: Final = "before"
AFTER: Final = "after"
CONTROL: Final = "control"
EVALUATION: Final = "evaluation"
SECONDS: Final = "seconds.json"
"""In the folder of a seed: the wall time of each stage."""
DECODINGS: Final = {GREEDY: Decoding(), "sampled": Decoding(temperature=1.0, samples=2)}

_SPLIT: Final = "test"


class Wanted(NamedTuple):
    """What is to be learnt and shown.

    Attributes:
        overlay: see `trainer.config.overlays`.
        folder: of all seeds.
        seeds: each makes a model of its own.
        control: whether as much wall time as GRPO took is also spent on more warm start.
        settings: KEY=VALUE, as `train` takes them.
    """

    overlay: str
    folder: Path
    seeds: tuple[int, ...]
    control: bool
    settings: tuple[str, ...]


def learn(wanted: Wanted) -> Summary:
    """Runs all stages of all seeds that are not done yet, and sums up what they show.

    Returns:
        The summary.

    Raises:
        TrainerError: a stage failed; its own output says why.
    """
    config = configs.compose(wanted.overlay, ["sigmaforge.run_dir=''", *wanted.settings])
    ensure_dataset(config.sigmaforge.dataset)
    found = [_Seed(wanted, seed) for seed in wanted.seeds]
    for seed in found:
        seed.run()
    return summarise(
        [pair for seed in found for pair in seed.compared(AFTER)],
        load_dataset(config.sigmaforge.dataset),
        commit=commit(),
        seconds={f"seed {seed.seed}, {name}": took for seed in found for name, took in seed.seconds().items()},
        control=[pair for seed in found if wanted.control for pair in seed.compared(CONTROL)],
    )


def keep(wanted: Wanted, summary: Summary, folders: Sequence[Path]) -> None:
    """Writes summary, table and figure into folders."""
    for folder in folders:
        gains.write(summary, folder, f"python -m trainer {' '.join(_words(wanted))}")
        summary.write(folder / SUMMARY)


def _words(wanted: Wanted) -> list[str]:
    """The command that asks for this, without its folders."""
    seeds = ",".join(map(str, wanted.seeds))
    words = ["learn", wanted.overlay, f"--seeds {seeds}", *(["--control"] if wanted.control else [])]
    return words + [f"--set {setting}" for setting in wanted.settings]


def ensure_dataset(name: str) -> None:
    """Builds the dataset of composed rules, which needs no download, if it is that one and missing.

    Raises:
        DatasetNotBuilt: it is another one; the message names the command that builds it.
    """
    try:
        load_dataset(name)
    except DatasetNotBuilt:
        if name != COMPOSED:
            raise
        print("building the dataset of composed rules; that takes about a minute", flush=True)
        from sigma_env.tasks.composed import build_composed

        build_composed()


class _Seed:
    """The stages of one seed."""

    def __init__(self, wanted: Wanted, seed: int) -> None:
        self.wanted, self.seed = wanted, seed
        self.folder = wanted.folder / f"seed-{seed}"
        self.started = self.folder / FOLDER / MODEL

    def run(self) -> None:
        """Runs what is not done yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stage("warm_start", lambda: self._command("sft", self.folder))
        self._stage("evaluation_before", lambda: self._evaluate(BEFORE, self.started))
        self._stage("grpo", self._train)
        self._stage("evaluation_after", lambda: self._evaluate(AFTER, self.folder))
        if self.wanted.control:
            self._stage("control", self._more_warm_start)
            self._stage("evaluation_control", lambda: self._evaluate(CONTROL, self.folder / CONTROL / FOLDER / MODEL))

    def seconds(self) -> dict[str, float]:
        """Wall time of the stages that are done, by name."""
        path = self.folder / SECONDS
        return orjson.loads(path.read_bytes()) if path.exists() else {}

    def compared(self, name: str) -> list[Compared]:
        """The evaluations of what came of the warm start's model, beside those of itself.

        Args:
            name: AFTER or CONTROL.
        """
        folder = self.folder / EVALUATION
        return [
            Compared(_SPLIT, kind, self.seed, folder / f"{BEFORE}-{kind}.jsonl", folder / f"{name}-{kind}.jsonl")
            for kind in DECODINGS
        ]

    def _stage(self, name: str, work: Callable[[], None]) -> None:
        done = self.seconds()
        if name in done:
            return
        print(f"seed {self.seed}: {name.replace('_', ' ')}", flush=True)
        began = time.monotonic()
        work()
        done[name] = round(time.monotonic() - began, 1)
        write_whole(self.folder / SECONDS, orjson.dumps(done, option=orjson.OPT_INDENT_2))

    def _train(self) -> None:
        self._command("train", self.folder, *starting_from(self.started))

    def _more_warm_start(self) -> None:
        """As many more steps on other chats as took the wall time of GRPO."""
        rows = [orjson.loads(line) for line in (self.folder / FOLDER / METRICS).read_bytes().splitlines()]
        per_step = rows[-1]["seconds"] / rows[-1]["step"]
        steps = max(1, round(self.seconds()["grpo"] / per_step))
        other = [f"sigmaforge.warm_start.steps={steps}", f"sigmaforge.warm_start.seed={_other(self.seed)}"]
        self._command("sft", self.folder / CONTROL, *starting_from(self.started), *other)

    def _evaluate(self, name: str, model: Path) -> None:
        evaluate_all(
            [
                Request(
                    model=str(model),
                    split=_SPLIT,
                    decoding=decoding,
                    seed=self.seed,
                    name=f"{name}-{kind}",
                    folder=self.folder / EVALUATION,
                )
                for kind, decoding in DECODINGS.items()
            ]
        )

    def _command(self, stage: str, folder: Path, *settings: str) -> None:
        command = [sys.executable, "-m", "trainer", stage, self.wanted.overlay, f"--run-dir={folder}"]
        given = [f"sigmaforge.seed={self.seed}", *self.wanted.settings, *settings]
        status = subprocess.run([*command, *(f"--set={setting}" for setting in given)], check=False).returncode
        if status:
            raise TrainerError(f"seed {self.seed}: {stage} ended with status {status}; see what it said above")


def starting_from(model: Path) -> Sequence[str]:
    """Settings that start from the result of a warm start instead of making a model."""
    key = "lora_adapter_path" if (model / ADAPTER_CONFIG).exists() else "path"
    return f"actor_rollout_ref.model.{key}='{model}'", "sigmaforge.made_model=null"


def _other(seed: int) -> int:
    """A seed whose chats are others than those of the warm start of any small seed."""
    return seed + 1_000_000
