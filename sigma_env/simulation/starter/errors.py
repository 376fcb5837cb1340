"""Faults in the starter dataset's source files."""

from sigma_env.errors import DatasetError


class StarterError(DatasetError):
    """A rule, scenario or schema of the starter dataset is wrong; the message names the file and the field."""
