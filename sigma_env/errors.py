"""Faults of the environment. A model's faults are statuses of a Score, never one of these."""


class SigmaEnvError(Exception):
    """Base of every error that this package raises on purpose.

    The message names the file or field at fault and what to do about it, so that a
    command line can print it without a traceback.
    """


class EngineError(SigmaEnvError):
    """An engine failed for a reason that is not the rule's; the answer must stay unscored."""


class SourceError(SigmaEnvError):
    """A source archive is missing, damaged, foreign or hostile."""


class StoreError(SigmaEnvError):
    """An event store cannot be built, opened or queried."""


class DatasetError(SigmaEnvError):
    """A dataset is malformed, or a task that was asked for is not in it."""


class DatasetNotBuilt(DatasetError):
    """A dataset is known but not on this machine yet; the message names the command that builds it."""


class RegistryError(SigmaEnvError):
    """An entry of the environment registry is wrong; the message names the entry and the field."""


class OptionError(SigmaEnvError, ValueError):
    """An argument of an environment or a scorer has a value that is not served; the message lists those that are."""
