"""What can be wrong with the schemas' own files, or with a value that is to be written."""

from sigma_env.errors import SigmaEnvError


class SchemaError(SigmaEnvError):
    """A schema file is wrong, a name is unknown, or a text is none that a field can hold."""
