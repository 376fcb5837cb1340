"""Faults of the trainer and of the machine that it runs on."""

from sigma_env.errors import SigmaEnvError


class TrainerError(SigmaEnvError):
    """Base of every error that the trainer raises on purpose."""


class ConfigError(TrainerError):
    """A training configuration is wrong; the message names the key and what it may be."""


class MissingResources(TrainerError):
    """The machine lacks what a configuration needs; the message says what and how much."""


class UpstreamChanged(TrainerError):
    """verl or vLLM no longer has the line that a work-around is for; the message names the line."""
