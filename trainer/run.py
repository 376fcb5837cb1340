"""One run of training: its folder, its data and model, and verl in Ray."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sigma_env.engines.choose import make_engine
from sigma_env.tasks.dataset import load_dataset
from sigma_env.tasks.task import Task
from trainer.chats import make_model
from trainer.data import write_parquet
from trainer.errors import ConfigError, TrainerError

CONFIG: Final = "config.yaml"
"""The resolved configuration, in a run's folder."""


def train(config: Any) -> None:
    """Prepares the folder of a run, and trains.

    Args:
        config: see `trainer.config.compose`; its environment is set already.

    Raises:
        ConfigError: the dataset has no task in a split that is trained or validated on.
        TrainerError: the run cannot go on; see `trainer.sampler`.
    """
    prepare(config)
    import ray
    from verl.trainer.main_ppo import run_ppo

    from trainer.task_runner import TaskRunner

    with _ray(config):
        try:
            run_ppo(config, task_runner_class=ray.remote(TaskRunner))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TrainerError):
                raise error.cause from None  # its message is for people; Ray's is a traceback
            raise


def sft(config: Any) -> Path:
    """Makes a model if asked, and trains it on chats; see `trainer.warm_start`.

    Returns:
        The folder of the trained model.
    """
    from trainer.warm_start import warm_start

    tasks = playable(config.sigmaforge, config.sigmaforge.train_split)
    make_model(config, tasks)
    return warm_start(config, tasks)


def prepare(config: Any) -> None:
    """Makes what a run needs in its folder: the resolved configuration, verl's parquet files, and a model if asked."""
    from omegaconf import OmegaConf

    settings = config.sigmaforge
    folder = Path(settings.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    train_tasks = playable(settings, settings.train_split)
    write_parquet(train_tasks, settings.dataset, Path(config.data.train_files))
    validation = playable(settings, settings.validation_split)
    write_parquet(validation, settings.dataset, Path(config.data.val_files), validation=True)
    make_model(config, train_tasks)
    (folder / CONFIG).write_text(OmegaConf.to_yaml(config), encoding="utf-8")


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

    Its folder is short because paths of sockets are limited to 107 bytes.
    """
    import ray

    folder = None
    if config.ray_kwargs.ray_init.get("address") is None:
        folder = tempfile.mkdtemp(prefix="sf", dir="/tmp")  # tempfile's own default may be long
        os.environ["RAY_TMPDIR"] = folder
    try:
        yield
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
