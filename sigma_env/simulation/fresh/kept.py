"""What keeps its name when a rule is freshened: Windows' own structure, without which no event would look like one."""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from sigma_env.sigma.rule import LogSource
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas import catalogue, resolve


@cache
def _tables() -> dict[str, Any]:
    text = Path(__file__).with_name("kept.yaml").read_text(encoding="utf-8")
    tables: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return tables


def _table(name: str) -> frozenset[str]:
    return frozenset(_tables()[name])


PATH_WORDS: Final = _table("paths")
"""Folders of Windows, of its devices and of its registry's root: in paths, and beside a backslash in other texts."""

KEY_WORDS: Final = _table("keys")
"""The upper part of the registry."""

DATA_WORDS: Final = frozenset(("dword", "qword", "binary", "data", "empty"))
"""Forms in which Sysmon shows registry values."""

MAKER_WORDS: Final = frozenset(("microsoft", "windows", "corporation", "operating", "system"))
"""Of version information: what most programs of Windows have in it."""

HASH_NAMES: Final = frozenset(("md5", "sha1", "sha256", "imphash"))

EXTENSIONS: Final = _table("extensions")
"""Extensions of files and top-level domains, after a dot."""

VARIABLES: Final = _table("variables")
"""Of the environment, between percent signs."""

_KEPT_KINDS: Final = frozenset(
    (
        FieldKind.ENUM, FieldKind.USER, FieldKind.ACCOUNT, FieldKind.SID, FieldKind.LOGON_ID, FieldKind.PID,
        FieldKind.TIME, FieldKind.NUMBER, FieldKind.DOMAIN, FieldKind.GUID,
    )
)  # fmt: skip
# Texts in which Windows writes one of few words of its own, though their schemas do not list them all.
_KEPT_FIELDS: Final = _table("fields")

WORDS_OF: Final[Mapping[FieldKind, frozenset[str]]] = {
    FieldKind.IMAGE: PATH_WORDS,
    FieldKind.FILE: PATH_WORDS,
    FieldKind.DIRECTORY: PATH_WORDS,
    FieldKind.PIPE: frozenset(("pipe",)),
    FieldKind.REGISTRY_KEY: KEY_WORDS | frozenset(("microsoft", "windows", "system")),
    FieldKind.REGISTRY_DATA: DATA_WORDS,
    FieldKind.VERSION_INFO: MAKER_WORDS,
    FieldKind.HASHES: HASH_NAMES,
}
"""What keeps its name anywhere in a field of a kind."""

STRUCTURE: Final = EXTENSIONS.union(VARIABLES, *WORDS_OF.values())
"""Everything that keeps its name in some place."""


@lru_cache(maxsize=4096)
def renamed_kind(logsource: LogSource, field: str | None) -> FieldKind | None:
    """What a field of the events of a logsource holds; None if its values keep their names.

    Fields that hold names of Windows, numbers and choices keep them, and so do accounts: those that rules name are
    Windows' own.
    """
    if field is None:
        return FieldKind.TEXT
    if field in _KEPT_FIELDS:
        return None
    found = [resolve(schema, field, logsource.category) for schema in catalogue().selectable(logsource)]
    specs = [spec for spec in found if isinstance(spec, FieldSpec)]
    if any(isinstance(spec, str) for spec in found) or any(spec.kind is FieldKind.ENUM for spec in specs):
        return None
    kinds = [spec.kind for spec in specs]
    # Events of one log can give a name to different things: `ServiceName` is an account in a Kerberos ticket.
    return next((kind for kind in kinds if kind not in _KEPT_KINDS), None) if kinds else FieldKind.TEXT
