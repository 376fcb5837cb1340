"""The text of a field → the typed value that EVTX holds, and a whole body of an event."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, TypedDict

from sigma_env.events import binxml
from sigma_env.events.binxml import Element, EventWriteError, TypedValue, ValueType
from sigma_env.simulation.draft import FieldValue
from sigma_env.simulation.schema import UNNAMED, EventSchema, FieldSpec, FieldType
from sigma_env.simulation.schemas.errors import SchemaError

BINARY: Final = "Binary"
"""What classic sources put behind their texts, an element of its own."""


class Body(TypedDict, total=False):
    """What `sigma_env.events.writer.Event` takes as an event's own data."""

    data: list[tuple[str | None, TypedValue]]
    data_name: str | None
    binary: TypedValue
    user_data: Element


def _number(value_type: ValueType, base: int, text: str) -> TypedValue:
    return binxml.number(value_type, int(text, base))


def _time(text: str) -> TypedValue:
    time = datetime.fromisoformat(text)
    return binxml.filetime(time if time.tzinfo else time.replace(tzinfo=UTC))


def _boolean(text: str) -> TypedValue:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is not true or false")
    return binxml.boolean(text == "true")


_ENCODERS: Final[Mapping[FieldType, Callable[[str], TypedValue]]] = {
    # Events of one scene share most texts.
    "string": lru_cache(maxsize=1 << 14)(binxml.string),
    "boolean": _boolean,
    "guid": binxml.guid,
    "sid": lru_cache(maxsize=1 << 10)(binxml.sid),
    "filetime": _time,
    "binary": lambda text: binxml.binary(bytes.fromhex(text)),
    "int32": partial(_number, ValueType.INT32, 10),
    "uint8": partial(_number, ValueType.UINT8, 10),
    "uint16": partial(_number, ValueType.UINT16, 10),
    "uint32": partial(_number, ValueType.UINT32, 10),
    "uint64": partial(_number, ValueType.UINT64, 10),
    "hex32": partial(_number, ValueType.HEX32, 16),
    "hex64": partial(_number, ValueType.HEX64, 16),
}


def encode(spec: FieldSpec, text: str) -> TypedValue:
    """The text of a field, as readers show it, as the value that the log holds.

    An empty text of a type that cannot be empty becomes an empty string, as where Windows writes nothing.

    Raises:
        SchemaError: the field cannot hold the text.
    """
    if not text:
        return binxml.EMPTY
    try:
        return _ENCODERS[spec.type](text)
    except (ValueError, EventWriteError) as error:
        raise _unfit(spec, text, error) from error


def _unfit(spec: FieldSpec, text: str, error: Exception) -> SchemaError:
    return SchemaError(f"field {spec.name or UNNAMED} ({spec.type}) cannot hold {text[:80]!r}: {error}")


def body(schema: EventSchema, values: Mapping[str, FieldValue]) -> Body:
    """An event's data as the writer takes it, in the schema's order.

    Args:
        schema: of the event.
        values: the text of every field by the name that the event gives it; `Data` holds the unnamed ones.

    Raises:
        SchemaError: a field of the schema has no value, or none that it can hold, or a value has no field.
    """
    texts = iter(_unnamed(values))
    data: list[tuple[str | None, TypedValue]] = []
    for spec in schema.fields:
        name = spec.name
        text = next(texts, None) if name is None else values.get(name)
        if not isinstance(text, str):
            raise SchemaError(f"{schema.name}: field {name or UNNAMED} has no text")
        try:  # as `encode` does: this is run for every field of every event
            data.append((name, _ENCODERS[spec.type](text) if text else binxml.EMPTY))
        except (ValueError, EventWriteError) as error:
            raise _unfit(spec, text, error) from error
    if not values.keys() <= schema.keys or next(texts, None) is not None:
        unknown = ", ".join(sorted(values.keys() - schema.keys)) or "an unnamed value"
        raise SchemaError(f"{schema.name} has no field for {unknown}")
    if schema.user_data is not None:
        name, namespace = schema.user_data
        children = [Element(own or UNNAMED, children=[value]) for own, value in data]
        return {"user_data": Element(name, [("xmlns", namespace)] if namespace else [], children)}
    whole: Body = {"data": data, "data_name": schema.data_name}
    if data and data[-1][0] == BINARY:
        whole["binary"] = data.pop()[1]
    if schema.is_classic and data:
        whole["data"] = [(None, binxml.strings(_unnamed(values)))]
    return whole if schema.fields else {}


def _unnamed(values: Mapping[str, FieldValue]) -> Sequence[str]:
    unnamed = values.get(UNNAMED, ())
    return (unnamed,) if isinstance(unnamed, str) else unnamed
