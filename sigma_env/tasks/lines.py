"""Definitions of selections, rewritten line by line without a change of meaning.

A definition is what YAML makes of it: a map of `field|modifiers: value or values`, a list of definitions (OR), or
keywords.
"""

from collections.abc import Callable
from typing import Any, Final

from sigma_env.sigma.rule import Wildcard
from sigma_env.sigma.text import number_text, parse_text

_PLACES: Final = {"contains": ("*", "*"), "startswith": ("", "*"), "endswith": ("*", "")}
_WRITABLE_WITH_WILDCARDS: Final = _PLACES.keys() | {"all", "neq", "windash", "cased"}
_WITHOUT_CASE: Final = _PLACES.keys() | {"all", "neq", "windash"}
_PLAIN: Final = frozenset({"all", "neq"})
_FEW_VALUES: Final = 20
"""A longer list is not split into one selection or map per value."""


def modifiers(key: Any) -> list[str]:
    """The modifiers of a map's key."""
    return key.split("|")[1:] if isinstance(key, str) else []


def pieces(definition: Any) -> tuple[str, list[Any]]:
    """Smaller definitions that mean the same when joined by the operator, "and" or "or"; at least one."""
    if isinstance(definition, list):
        return "or", [item if isinstance(item, dict | list) else [item] for item in definition]
    if isinstance(definition, dict):
        if len(definition) > 1:
            return "and", [{key: value} for key, value in definition.items()]
        [(key, values)] = definition.items()
        if _has_alternatives(key, values):
            return "or", [{key: value} for value in values]
    return "and", [definition]


def _has_alternatives(key: Any, values: Any) -> bool:
    return isinstance(values, list) and 1 < len(values) <= _FEW_VALUES and _PLAIN.isdisjoint(modifiers(key))


def as_list_of_maps(definition: Any) -> Any:
    """A map as a list: with a map for each value of its first field that has several, else with the map alone."""
    if not isinstance(definition, dict):
        return definition
    for key, values in definition.items():
        if _has_alternatives(key, values):
            return [{**definition, key: value} for value in values]
    return [definition]


def with_wildcards(definition: Any) -> Any:
    """Wildcards in the place of contains, startswith and endswith."""
    return _each_map(definition, lambda lines: _rekeyed(lines, _with_wildcards))


def _with_wildcards(key: Any, values: list[Any]) -> tuple[Any, list[Any]]:
    names = modifiers(key)
    places = [name for name in names if name in _PLACES]
    if len(places) != 1 or not _WRITABLE_WITH_WILDCARDS.issuperset(names) or key.startswith("|"):
        return key, values
    if not all(isinstance(value, str) for value in values):
        return key, values
    before, after = _PLACES[places[0]]
    kept = [part for part in key.split("|") if part != places[0]]
    return "|".join(kept), [f"{before}{_closed(value) if after else value}{after}" for value in values]


def _closed(text: str) -> str:
    r"""The text such that a wildcard can follow: a backslash at its end must not escape it (`\Temp\` → `\Temp\\`)."""
    return text if parse_text(f"{text}*")[-1] is Wildcard.MANY else f"{text}\\"


def _rekeyed(lines: dict[Any, Any], change: Callable[[Any, list[Any]], tuple[Any, list[Any]]]) -> dict[Any, Any]:
    changed: dict[Any, Any] = {}
    for key, values in lines.items():
        new_key, new_values = change(key, values if isinstance(values, list) else [values])
        if new_key in changed or (new_key != key and new_key in lines):
            new_key, new_values = key, values
        changed[new_key] = new_values if isinstance(values, list) or new_values is values else new_values[0]
    return changed


def with_quoted_numbers(definition: Any) -> Any:
    """Numbers and booleans as text, where text is compared."""
    return _each_value(definition, _quoted, _PLAIN)


def _quoted(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(value) if isinstance(value, int | float) else value


def in_other_case(definition: Any) -> Any:
    """Upper-case letters in the place of lower-case ones and the reverse, where case does not count."""
    return _each_value(definition, _other_case, _WITHOUT_CASE)


def _other_case(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # Beyond ASCII a change of case can be lost: ß becomes SS.
    return "".join(char.swapcase() if char.isascii() else char for char in value)


def with_listed_values(definition: Any) -> Any:
    """A list of one value in the place of a single value."""
    return _each_list(definition, lambda values: values)


def with_repeated_values(definition: Any) -> Any:
    """Each list of values twice over."""
    return _each_list(definition, lambda values: values * 2)


def reordered(definition: Any) -> Any:
    """Fields and values the other way round."""
    if isinstance(definition, dict):
        return {key: reordered(values) for key, values in reversed(definition.items())}
    return [reordered(item) for item in reversed(definition)] if isinstance(definition, list) else definition


def _each_map(definition: Any, change: Callable[[dict[Any, Any]], Any]) -> Any:
    if isinstance(definition, dict):
        return change(definition)
    return [_each_map(item, change) for item in definition] if isinstance(definition, list) else definition


def _each_value(definition: Any, change: Callable[[Any], Any], allowed: Any) -> Any:
    """Changes the values of keywords, and of the lines that have no modifiers but the allowed ones."""
    if isinstance(definition, list):
        return [_each_value(item, change, allowed) for item in definition]
    if not isinstance(definition, dict):
        return change(definition)
    return {
        key: _each_value(values, change, allowed) if allowed >= set(modifiers(key)) else values
        for key, values in definition.items()
    }


def _each_list(definition: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Changes the list of values of each line, and of keywords."""
    if isinstance(definition, dict):
        return {key: change(v if isinstance(v, list) else [v]) for key, v in definition.items()}
    if isinstance(definition, list):
        if any(isinstance(item, dict | list) for item in definition):
            return [_each_list(item, change) if isinstance(item, dict | list) else item for item in definition]
        return change(definition)
    return change([definition])
