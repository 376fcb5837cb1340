"""The trainer's tests run in its own environment, on the CPU platform: make test-train."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # verl reads it when it is first imported.
    os.environ["VERL_PLATFORM"] = "cpu"
    # Models so small are slower with more threads, which wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # In the order of a training: the plugin is active before any part of verl looks for vLLM.
    import verl  # noqa: F401

    from trainer.cpu_platform import vllm_metadata

    vllm_metadata.install()
    # Warnings of other projects' code are theirs; ours stay errors.
    for module in (
        "verl",
        "ray",
        "vllm",
        "torch",
        "transformers",
        "tensordict",
        "hydra",
        "omegaconf",
        "transfer_queue",
    ):
        config.addinivalue_line("filterwarnings", rf"default:::{module}(\..*)?")
    config.addinivalue_line("filterwarnings", "default::DeprecationWarning:(?!trainer|sigma_env|tests)")
