"""One run of training: its folder, its data and model, and verl in Ray."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from sigma_env.engines.choose import make_engine
from sigma_env.errors import SigmaEnvError
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.task import Task
from trainer.asking import Asking
from trainer.chats import make_model
from trainer.data import fitting, in_order, write_parquet
from trainer.errors import ConfigError, TrainerError
from trainer.folder import LEFT_OUT, LOG, RAY_LOGS
from trainer.folder import write as write_folder
from trainer.progress import hushed, last_lines, shown


def train(config: Any) -> None:
    """Prepares the folder of a run, and trains.

    Args:
        config: see `trainer.config.compose`; its environment is set already.

    Raises:
        ConfigError: the dataset has no task in a split that is trained or validated on.
        TrainerError: the training failed; the message has the end of the log, and says where it is.
    """
    prepare(config)
    folder = Path(config.sigmaforge.run_dir)
    log = folder / LOG
    with hushed(log) as terminal:
        import ray
        from verl.trainer.main_ppo import run_ppo

        from trainer.task_runner import TaskRunner

        print(f"verl, vLLM and Ray start; what they say is in {log}", file=terminal, flush=True)
        try:
            stall = 60.0 * config.sigmaforge.stall_minutes
            with _ray(config), shown(folder, config.trainer.total_training_steps, terminal, stall):
                run_ppo(config, task_runner_class=ray.remote(TaskRunner))
        except Exception as error:
            raise TrainerError(f"{_cause(error)}\n{last_lines(log)}\nThe run stopped; all of {log} is kept") from error
    from trainer.report import write_report

    print(write_report(folder))


def _cause(error: BaseException) -> str:
    """What went wrong, without the tracebacks of the processes that it came through."""
    from ray.exceptions import RayTaskError

    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException) and error.cause is not error:
        error = error.cause
    return str(error) if isinstance(error, SigmaEnvError) else f"{type(error).__name__}: {error}"[:500]


def sft(config: Any) -> Path:
    """Makes a model if asked, and trains it on chats; see `trainer.warm_start`.

    The run's folder says how the model is to be asked, so that it is evaluated as it was trained.

    Returns:
        The folder of the trained model.
    """
    from trainer.warm_start import warm_start

    tasks = playable(config.sigmaforge, config.sigmaforge.train_split)
    make_model(config, tasks)
    write_folder(config)
    return warm_start(config, tasks)


def prepare(config: Any) -> None:
    """Makes what a run needs in its folder: configuration, versions, a model if asked, and verl's parquet files.

    Raises:
        ConfigError: no task is left in a split.
    """
    settings = config.sigmaforge
    write_folder(config)
    train_tasks = playable(settings, settings.train_split)
    make_model(config, train_tasks)
    write_data(config, in_order(train_tasks, settings.curriculum), playable(settings, settings.validation_split))


def write_data(config: Any, train_tasks: Sequence[Task], validation: Sequence[Task]) -> None:
    """Writes verl's files without the tasks whose prompts are too long, which are counted here and in LEFT_OUT.

    Raises:
        ConfigError: all prompts of a split are too long, or there is no tokenizer to tell.
    """
    from transformers import AutoTokenizer

    settings, model = config.sigmaforge, config.actor_rollout_ref.model
    name = model.get("tokenizer_path") or model.path
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ConfigError(f"actor_rollout_ref.model.path = {name} gives no tokenizer: {error}") from error
    left_out = {}
    for name, tasks, path in (
        ("train", train_tasks, config.data.train_files),
        ("validation", validation, config.data.val_files),
    ):
        kept, overlong = fitting(tasks, Asking.of(config), tokenizer)
        left_out[name] = {"tasks": len(tasks), "overlong": overlong}
        too_long = f"longer than data.max_prompt_length = {config.data.max_prompt_length} tokens"
        if not kept:
            raise ConfigError(f"all {len(tasks)} prompts for {name} are {too_long}")
        write_parquet(kept, settings.dataset, Path(path), validation=name == "validation")
        print(f"{settings.dataset}, {name}: {len(kept)} tasks; {len(overlong)} left out, whose prompts are {too_long}")
    path = Path(settings.run_dir) / LEFT_OUT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(left_out, option=orjson.OPT_INDENT_2) + b"\n")


def playable(settings: Any, split: str) -> tuple[Task, ...]:
    """The tasks of a split that the run's engine can score.

    Raises:
        ConfigError: there is none.
    """
    dataset = load_dataset(settings.dataset)
    tasks = dataset.playable(make_engine(settings.engine, settings.semantics), split)  # type: ignore[arg-type]
    if not tasks:
        raise ConfigError(f"dataset {settings.dataset!r} has no task in split {split!r}; name another split or dataset")
    return tasks


@contextmanager
def _ray(config: Any) -> Iterator[None]:
    """Ends Ray, and deletes its files, when the run ends; those of a cluster that was there before stay.

    Where the run fails, its logs are kept in RAY_LOGS. Its folder is short because paths of sockets are limited to 107
    bytes.
    """
    import ray

    folder = None
    if config.ray_kwargs.ray_init.get("address") is None:
        folder = tempfile.mkdtemp(prefix="sf", dir="/tmp")  # tempfile's own default may be long
        os.environ["RAY_TMPDIR"] = folder
    try:
        yield
    except BaseException:
        if folder is not None:
            with suppress(OSError, shutil.Error):  # the fault itself is what is told
                logs = Path(folder, "session_latest", "logs").resolve()
                shutil.copytree(logs, Path(config.sigmaforge.run_dir) / RAY_LOGS, dirs_exist_ok=True)
        raise
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
