"""envs_registry.yaml → validated specs → gymnasium.register."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sigma_env.engines.choose import check_engine, check_semantics
from sigma_env.errors import RegistryError
from sigma_env.scoring.options import check_weights
from sigma_env.tasks.task import Split

FILE_NAME: Final = "envs_registry.yaml"
_EntryPoint = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class EnvKwargs(BaseModel):
    """Arguments of SigmaRuleEnv and SigmaRuleVectorEnv that an entry may set; all have JSON values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str = Field(default="starter", min_length=1)
    split: Split | None = "train"
    engine: str = "native"
    semantics: str = "sigma"
    weights: dict[str, float] | None = None
    seed: int | None = Field(default=None, ge=0)

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return check_engine(name)

    @field_validator("semantics")
    @classmethod
    def _known_semantics(cls, name: str) -> str:
        return check_semantics(name)

    @field_validator("weights")
    @classmethod
    def _three_weights(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        return None if weights is None else check_weights(weights)


class EnvironmentSpec(BaseModel):
    """One entry of the registry.

    Attributes:
        id: as Gymnasium knows it, with a version.
        description: one sentence, for people.
        entry_point: MODULE:CLASS of one environment.
        vector_entry_point: MODULE:CLASS of its batched form.
        kwargs: arguments of both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(pattern=r"^(?:[\w:-]+/)?[\w:.-]+-v\d+$")
    description: str = Field(min_length=1)
    entry_point: _EntryPoint
    vector_entry_point: _EntryPoint
    kwargs: EnvKwargs = EnvKwargs()


def registry_path() -> Path:
    """Where the registry lies: in the installed package, or at the root of a checkout."""
    installed = Path(__file__).with_name(FILE_NAME)
    return installed if installed.exists() else Path(__file__).parent.parent / FILE_NAME


def load_registry(path: Path | None = None) -> tuple[EnvironmentSpec, ...]:
    """Reads and checks every entry.

    Args:
        path: the file; by default the one that comes with the package.

    Raises:
        RegistryError: the file or an entry is wrong; the message names file, entry and field.
    """
    path = registry_path() if path is None else path
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RegistryError(f"{path}: cannot be read: {error}") from error
    entries = document.get("environments") if isinstance(document, dict) else None
    if not isinstance(entries, list) or set(document) != {"environments"}:
        raise RegistryError(f"{path}: must be a mapping with one key, 'environments', which holds a list of entries")
    specs = tuple(_entry(path, number, entry) for number, entry in enumerate(entries, 1))
    for name, count in Counter(spec.id for spec in specs).items():
        if count > 1:
            raise RegistryError(f"{path}: entry '{name}': id: {count} entries have it; give each its own")
    return specs


def _entry(path: Path, number: int, entry: Any) -> EnvironmentSpec:
    name = entry.get("id") if isinstance(entry, dict) else None
    label = f"{path}: entry {number}" + (f" ('{name}')" if isinstance(name, str) else "")
    try:
        return EnvironmentSpec.model_validate(entry)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'entry'}: {fault['msg']}" for fault in error.errors()]
        raise RegistryError(f"{label}: {'; '.join(faults)}") from None


def register(specs: Sequence[EnvironmentSpec] | None = None) -> None:
    """Registers environments with Gymnasium, those of the package by default; again is no harm.

    Raises:
        RegistryError: see load_registry.
    """
    import gymnasium

    for spec in load_registry() if specs is None else specs:
        known = gymnasium.registry.get(spec.id)
        if known is None or known.entry_point != spec.entry_point:
            gymnasium.register(
                id=spec.id,
                entry_point=spec.entry_point,
                vector_entry_point=spec.vector_entry_point,
                kwargs=spec.kwargs.model_dump(exclude_unset=True),
            )
