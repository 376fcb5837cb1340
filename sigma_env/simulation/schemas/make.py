"""Makes the schemas of events that public logs hold: `python -m sigma_env.simulation.schemas.make LOGS... > FILE`.

FILE is `logs.json` in the schemas' data folder. Field lists, order and types come from the templates in the logs. Of
values only those are kept that say nothing of anybody: of kinds that have few, and seen in several files.
"""

import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from sigma_env.events import binxml
from sigma_env.events.binxml import Element, TypedValue, ValueType
from sigma_env.events.binxml_parse import EventParseError
from sigma_env.events.evtx_event import Event
from sigma_env.events.recorded import number_of, recorded_events
from sigma_env.sigma.taxonomy import SECURITY
from sigma_env.simulation.schema import FieldKind, FieldType
from sigma_env.simulation.schemas.kinds import field_spec

TYPES: Final[dict[int, FieldType]] = {
    ValueType.STRING: "string", ValueType.ANSI: "string", ValueType.UINT8: "uint8", ValueType.UINT16: "uint16",
    ValueType.INT16: "int32", ValueType.INT32: "int32", ValueType.UINT32: "uint32", ValueType.UINT64: "uint64",
    ValueType.HEX32: "hex32", ValueType.HEX64: "hex64", ValueType.SIZE: "hex64", ValueType.GUID: "guid",
    ValueType.SID: "sid", ValueType.FILETIME: "filetime", ValueType.BINARY: "binary", ValueType.BOOL: "boolean",
}  # fmt: skip
"""BinXML type → type of a schema. A SIZE, which has its host's width, is shown as hexadecimal."""

FAILURE_AUDIT: Final = 0x10000000000000
# A log to which an intruder wrote his program, under a provider's name of his own.
_NO_PROVIDERS: Final = frozenset({"", "Persistence"})
_MAX_FIELDS: Final = 64
_EXAMPLES: Final = 8
_FILES_OF_AN_EXAMPLE: Final = 2
# Nothing, a dash, small numbers and message codes: texts that say nothing of anybody.
_SAFE: Final = re.compile(r"-?|0x[0-9a-f]{1,8}|[0-9]{1,5}|\s*(%%[0-9]{4,5}\s*)+")


class Kind(NamedTuple):
    """What tells one schema from another."""

    channel: str
    event_id: int
    provider: str
    version: int
    failure: bool
    user_data: tuple[str, str] | None
    fields: tuple[tuple[str | None, FieldType], ...]


@dataclass
class Seen:
    """What the logs hold of one kind of event."""

    count: int = 0
    system: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    values: defaultdict[str, defaultdict[str, set[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )

    def add(self, system: tuple[Any, ...], values: Iterable[tuple[str, str]], file: int) -> None:
        """Counts an event of the file with this number."""
        self.count += 1
        self.system[system] += 1
        for name, text in values:
            self.values[name][text].add(file)


def read_kinds(folders: Iterable[Path]) -> dict[Kind, Seen]:
    """Every kind of event in the logs below some folders; equal files count once."""
    kinds: dict[Kind, Seen] = defaultdict(Seen)
    digests: set[bytes] = set()
    paths = sorted((path for folder in folders for path in folder.rglob("*.evtx")), key=lambda path: path.as_posix())
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in digests:
            continue
        digests.add(digest)
        for event in recorded_events(path):
            # Where numbers of System are text, another tool wrote the log by way of XML: its types are lost.
            if isinstance(event, EventParseError) or event.rendered:
                continue
            read = _read(event)
            if read is not None:
                kind, values = read
                kinds[kind].add(_system(event), values, len(digests))
    return kinds


def _read(event: Event) -> tuple[Kind, list[tuple[str, str]]] | None:
    """The kind of an event, and its values; None if its body is more than a list of fields."""
    user_data: tuple[str, str] | None = None
    found: list[tuple[str | None, FieldType, str]] | None = []
    if event.user_data is not None:
        namespace = next((value for name, value in event.user_data.attributes if name == "xmlns"), "")
        user_data = (event.user_data.name, str(namespace))
        found = _leaves(event.user_data)
    elif event.data is not None:
        found = _data(event)
    if found is None or event.other or len(found) > _MAX_FIELDS or not event.channel or event.provider in _NO_PROVIDERS:
        return None
    failure = event.channel == SECURITY and bool((event.keywords or 0) & FAILURE_AUDIT)
    fields = tuple((name, field_type) for name, field_type, _ in found)
    kind = Kind(event.channel, event.event_id, event.provider, event.version or 0, failure, user_data, fields)
    return kind, [(name or "Data", text) for name, _, text in found]


def _system(event: Event) -> tuple[Any, ...]:
    numbers = (event.level or 0, event.task or 0, event.opcode or 0, event.keywords or 0)
    return (*numbers, event.provider_guid, event.provider_source, event.qualifiers, event.data_name)


def _leaves(element: Element) -> list[tuple[str | None, FieldType, str]] | None:
    """The fields of UserData's child; None if one is nested deeper or has attributes."""
    fields: list[tuple[str | None, FieldType, str]] = []
    for child in element.children:
        if not isinstance(child, Element) or child.attributes or len(child.children) > 1:
            return None
        value = child.children[0] if child.children else ""
        typed = binxml.string(value) if isinstance(value, str) else value
        if not isinstance(typed, TypedValue) or typed.type not in TYPES:
            return None
        fields.append((child.name, TYPES[typed.type], _text(typed)))
    return fields


def _data(event: Event) -> list[tuple[str | None, FieldType, str]] | None:
    """The fields of EventData; an array of texts counts as that many unnamed ones."""
    fields: list[tuple[str | None, FieldType, str]] = []
    for name, value in event.data or ():
        if value.type is ValueType.STRINGS and name is None:
            texts = value.data.decode("utf-16-le", "replace").removesuffix("\0").split("\0")
            fields += [(None, "string", text) for text in texts]
        elif value.type in TYPES:
            fields.append((name, TYPES[value.type], _text(value)))
        elif value.type is ValueType.NULL and name is None:
            fields.append((None, "string", ""))  # an array without texts
        else:
            return None
    if event.binary is not None:
        fields.append(("Binary", "binary", event.binary.data.hex().upper()))
    return fields


def _text(value: TypedValue) -> str:
    """A text, or a number as readers show it; nothing for the other types, of which no examples are kept."""
    if value.type is ValueType.STRING:
        return value.data.decode("utf-16-le", "replace").rstrip("\0")
    if value.type in (ValueType.HEX32, ValueType.HEX64):
        return f"{number_of(value):#x}"
    is_number = TYPES[value.type] in ("uint8", "uint16", "uint32", "uint64", "int32")
    return str(number_of(value)) if is_number else ""


def rows(kinds: Mapping[Kind, Seen]) -> list[dict[str, Any]]:
    """The kinds as `catalogue.load_catalogue` reads them, without what is the default."""
    return [_row(kind, kinds[kind]) for kind in sorted(_whole(kinds), key=_order)]


def _whole(kinds: Mapping[Kind, Seen]) -> list[Kind]:
    """Of kinds that differ only in types, or in how many unnamed values they have, the most frequent.

    Types differ where a 32-bit host logged a SIZE.
    """
    best: dict[tuple[Any, ...], Kind] = {}
    for kind in sorted(kinds, key=_order):
        key = (*kind[:5], kind.user_data, tuple(name for name, _ in kind.fields if name is not None))
        if key not in best or kinds[kind].count > kinds[best[key]].count:
            best[key] = kind
    return list(best.values())


def _order(kind: Kind) -> tuple[Any, ...]:
    return (*kind[:5], kind.user_data or (), tuple((name or "", field_type) for name, field_type in kind.fields))


def _row(kind: Kind, seen: Seen) -> dict[str, Any]:
    level, task, opcode, keywords, guid, source, qualifiers, data_name = max(
        sorted(seen.system, key=str), key=lambda system: seen.system[system]
    )
    row: dict[str, Any] = {"channel": kind.channel, "id": kind.event_id, "provider": kind.provider}
    defaults = {"version": 0, "level": 4, "task": 0, "opcode": 0, "keywords": "0x8000000000000000"}
    row["version"], row["level"], row["task"], row["opcode"] = kind.version, level, task, opcode
    row["keywords"] = f"{keywords:#x}"
    row |= {"guid": guid, "source": source, "qualifiers": qualifiers, "data_name": data_name}
    row["user_data"] = kind.user_data
    row["fields"] = _field_text(kind)
    row["choices"] = _choices(kind, seen)
    return {key: value for key, value in row.items() if value not in (defaults.get(key), None, {}, "")}


def _field_text(kind: Kind) -> str:
    parts: list[str] = []
    unnamed = 0
    for name, field_type in (*kind.fields, ("", "string")):
        if name is None:
            unnamed += 1
            continue
        if unnamed:
            parts.append(f"*{unnamed}")
            unnamed = 0
        if name:
            parts.append(name if field_type == "string" else f"{name}:{field_type}")
    return "|".join(parts)


def _choices(kind: Kind, seen: Seen) -> dict[str, list[str]]:
    """By field the texts that say nothing of anybody, the most frequent first."""
    choices: dict[str, list[str]] = {}
    for name, field_type in kind.fields:
        spec = field_spec(kind.channel, kind.event_id, name, field_type)
        if name is None or spec.choices or spec.volatile or spec.kind not in (FieldKind.TEXT, FieldKind.NUMBER):
            continue
        safe = {text: len(files) for text, files in seen.values[name].items() if _SAFE.fullmatch(text)}
        often = sorted((text for text in safe if safe[text] >= _FILES_OF_AN_EXAMPLE), key=lambda t: (-safe[t], t))
        if often:
            choices[name] = often[:_EXAMPLES]
    return choices


def table_text(folders: Iterable[Path]) -> str:
    """The content of `logs.json`, a line per schema, of the logs below some folders."""
    made = rows(read_kinds(folders))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in made)
    return f"[\n{lines}\n]\n"


def main(arguments: Sequence[str]) -> None:
    """Prints the schemas of the logs in the folders that are named."""
    sys.stdout.write(table_text(map(Path, arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
