"""Where the starter dataset lies, and how its source files are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sigma_env.simulation.starter.errors import StarterError

DATA = Path(__file__).parents[2] / "_data" / "starter"
LOGS = "logs"
LABELS = "labels.jsonl"

_Model = TypeVar("_Model")


class Strict(BaseModel):
    """A part of a source file: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file that must hold one mapping.

    Raises:
        StarterError: the file is missing, is no YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StarterError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise StarterError(f"{path}: must hold one mapping")
    return content


def validate(kind: type[_Model], content: Mapping[str, Any] | object, where: str) -> _Model:
    """Content of a source file as a model.

    Raises:
        StarterError: a key is missing, unknown or of the wrong type; the message names all of them.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise StarterError(f"{where}: {faults}") from error
