"""What can be wrong with the schemas' own files, or with a value that is to be written."""

from sigma_env.simulation.errors import SimulationError


class SchemaError(SimulationError):
    """A schema file is wrong, a name is unknown, or a text is none that a field can hold."""
