"""What the fields of events hold: `kinds.yml` in the schemas' data."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import yaml

from sigma_env.events.volatile import volatile_fields
from sigma_env.simulation.schema import FieldKind, FieldSpec, FieldType
from sigma_env.simulation.schemas.errors import SchemaError
from sigma_env.simulation.schemas.plausible import rendered

DATA: Final = Path(__file__).parent.parent.parent / "_data" / "schemas"

FIELD_TYPES: Final = frozenset[str](get_args(FieldType))

_BY_TYPE: Final[Mapping[FieldType, FieldKind]] = {
    "string": FieldKind.TEXT, "binary": FieldKind.TEXT, "guid": FieldKind.GUID, "sid": FieldKind.SID,
    "filetime": FieldKind.TIME, "boolean": FieldKind.ENUM,
}  # fmt: skip
_ANY_EVENT: Final = 0
_BOOLEANS: Final = ("false", "true")


class _Kinds(NamedTuple):
    kinds: Mapping[str, FieldKind]
    enums: Mapping[str, tuple[str, ...]]
    examples: Mapping[str, tuple[str, ...]]
    in_event: Mapping[tuple[str, int], Mapping[str, FieldKind | tuple[str, ...]]]


@lru_cache(maxsize=1)
def _kinds() -> _Kinds:
    table: dict[str, Any] = yaml.load((DATA / "kinds.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    try:
        return _Kinds(
            {name: FieldKind(kind) for kind, names in table["kinds"].items() for name in names},
            {name: tuple(texts) for name, texts in table["enums"].items()},
            {name: tuple(texts) for name, texts in table["examples"].items()},
            {
                (channel.lower(), event_id): {
                    name: tuple(kind) if isinstance(kind, list) else FieldKind(kind) for name, kind in fields.items()
                }
                for channel, events in table["in_event"].items()
                for event_id, fields in events.items()
            },
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SchemaError(f"{DATA / 'kinds.yml'}: {error}; a kind must be one of {', '.join(FieldKind)}") from error


def field_spec(
    channel: str, event_id: int, name: str | None, field_type: FieldType, seen: tuple[str, ...] = ()
) -> FieldSpec:
    """What a field of an event holds.

    Args:
        channel: of the event.
        event_id: of the event.
        name: of the field, as the event has it; None for an unnamed `Data`.
        field_type: its BinXML type.
        seen: realistic texts that its schema knows, from logs or its author.
    """
    plain = "Data" if name is None else name.replace(" ", "")
    kind, choices = _kind(channel, event_id, plain, field_type)
    volatile = kind is not FieldKind.ENUM and plain in volatile_fields(channel)
    if not choices and not volatile:
        # Another event may have a field of this name with another type.
        spec = FieldSpec(name, field_type, kind)
        choices = seen or tuple(text for text in _kinds().examples.get(plain, ()) if rendered(spec, text) == text)
    return FieldSpec(name, field_type, kind, choices, volatile)


def _kind(channel: str, event_id: int, name: str, field_type: FieldType) -> tuple[FieldKind, tuple[str, ...]]:
    """What a field holds; of an ENUM, also every text that it can be."""
    table = _kinds()
    for event in (event_id, _ANY_EVENT):
        here = table.in_event.get((channel.lower(), event), {}).get(name)
        if here is not None:
            return (FieldKind.ENUM, here) if isinstance(here, tuple) else (here, ())
    if field_type == "boolean":
        return FieldKind.ENUM, _BOOLEANS
    if name in table.enums:
        return FieldKind.ENUM, table.enums[name]
    return table.kinds.get(name) or _BY_TYPE.get(field_type, FieldKind.NUMBER), ()
