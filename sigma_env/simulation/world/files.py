"""Where the company's data lies, and how it is read."""

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sigma_env.simulation.errors import SimulationError

DATA = Path(__file__).parents[2] / "_data" / "company"

_Model = TypeVar("_Model")


class Strict(BaseModel):
    """A part of a data file: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@lru_cache(maxsize=16)
def read_data(name: str) -> Any:
    """The content of a data file of the company; not to be changed.

    Raises:
        SimulationError: the file is missing or is no YAML.
    """
    path = DATA / name
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise SimulationError(f"{path}: cannot be read: {error}") from error


def validate(kind: type[_Model], content: object, where: str) -> _Model:
    """Content of a data file as a model.

    Raises:
        SimulationError: a key is missing, unknown or of the wrong type; the message names all of them.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SimulationError(f"{DATA / where}: {faults}") from error
