"""Hostile text → one plain YAML mapping, with the types of YAML 1.1 as pySigma's loader has them.

libyaml's events are read one by one, so that depth and size are capped before anything is built:
PyYAML's own composer recurses in C, and a few thousand brackets end the process.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NoReturn

import yaml
from yaml._yaml import CParser
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.nodes import ScalarNode

from sigma_env.sigma.errors import BadYaml, TooComplex
from sigma_env.sigma.limits import RULE_LIMITS, Limits

_TAG: Final = "tag:yaml.org,2002:"
_NO_KEY: Final = object()
_RESERVED: Final = object()
_CONSTRUCTOR: Final = SafeConstructor()
_CONSTRUCTORS: Final = SafeConstructor.yaml_constructors
_RESOLVERS: Final = yaml.CSafeLoader.yaml_implicit_resolvers
_MAYBE_SPECIAL: Final = frozenset(_RESOLVERS)
_LONGEST_CACHED: Final = 64


class Malformed(str):
    """An unquoted scalar that has the form of a date or a number and is none, such as 2025-02-30.

    pySigma's loader stops at it. Here it spoils only the rule that uses it: in metadata it does no harm.
    """

    __slots__ = ()


def load_mapping(text: str, limits: Limits = RULE_LIMITS) -> dict[Any, Any]:
    """Load the one mapping that a text is.

    Args:
        text: Any text.
        limits: Caps on its size, depth and number of nodes.

    Returns:
        The mapping. Its keys are scalars; its values are mappings, lists and scalars (text,
        numbers, booleans, null, dates, `Malformed`).

    Raises:
        BadYaml: The text is no YAML, is not exactly one mapping, or has duplicate keys, anchors,
            aliases or tags.
        TooComplex: It passes a cap.
    """
    documents = iterate_documents(text, limits)
    first = next(documents, None)
    if next(documents, documents) is not documents:
        raise BadYaml("the text holds several YAML documents; write one mapping, without '---' between or after")
    if not isinstance(first, dict):
        raise BadYaml("the text is no YAML mapping; write 'logsource:' and 'detection:' with what belongs to them")
    return first


def iterate_documents(text: str, limits: Limits = RULE_LIMITS, *, core: bool = False) -> Iterator[Any]:
    """Load the documents of a text one after the other.

    With `core`, unquoted scalars have the types of YAML 1.2, and an alias stands for what its anchor marks.

    Raises:
        BadYaml: The text is no YAML, or has duplicate keys or tags, or without `core` anchors or aliases.
        TooComplex: It passes a cap.
    """
    _check_size(text, limits)
    try:
        parser = CParser(text)
        try:
            yield from _documents(parser, limits, core)
        finally:
            parser.dispose()
    except UnicodeEncodeError:
        raise BadYaml("the text holds half of a surrogate pair, which is no character") from None
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        # What is missing at the end is missing behind the last line.
        where = f"line {min(mark.line, len(text.splitlines()) - 1) + 1}: " if mark is not None else ""
        raise BadYaml(f"{where}{error.problem or error.context or 'no YAML'}") from None
    except yaml.YAMLError as error:
        raise BadYaml(str(error).splitlines()[0]) from None


def _check_size(text: str, limits: Limits) -> None:
    size = len(text)
    if size <= limits.text_bytes < 4 * size:
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.text_bytes:
        raise TooComplex(f"the text has {size} bytes; at most {limits.text_bytes}")


def _documents(parser: Any, limits: Limits, core: bool) -> Iterator[Any]:
    nodes_left = limits.yaml_nodes
    while True:
        event = parser.get_event()
        kind = type(event)
        if kind is DocumentStartEvent:
            document, nodes_left = _node(parser, limits, nodes_left, core)
            yield document
        elif kind is StreamEndEvent:
            return
        elif kind is DocumentEndEvent:
            continue


def _node(parser: Any, limits: Limits, nodes_left: int, core: bool) -> tuple[Any, int]:
    """Build the node that begins at the parser's next event; without recursion."""
    get_event = parser.get_event
    outer: list[tuple[Any, Any]] = []  # containers around the current one, each with its pending key
    anchors = _Anchors(limits) if core else None
    container: Any = None
    key: Any = _NO_KEY
    while True:
        event = get_event()
        kind = type(event)
        if kind is ScalarEvent:
            value = event.value
            if event.tag is not None or (event.anchor is not None and anchors is None):
                _refuse(event)
            if event.implicit[0] and value[:1] in _MAYBE_SPECIAL:
                value = _core(value, limits) if core else _plain(value, limits)
                if value is _RESERVED:
                    raise _bad(event, f"'{event.value}' has a special meaning in YAML; quote it to make it text")
            if anchors is not None and event.anchor is not None:
                anchors.known[event.anchor] = value, 1, 0
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            if anchors is not None:
                anchors.end(container, nodes_left)
            if not outer:
                return container, nodes_left
            container, key = outer.pop()
            continue
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.tag is not None or (event.anchor is not None and anchors is None):
                _refuse(event)
            value = {} if kind is MappingStartEvent else []
            if anchors is not None:
                anchors.begin(event.anchor, nodes_left)
        elif anchors is None:
            _refuse(event)
        else:
            value, size = anchors.resolve(event, len(outer))
            nodes_left -= size - 1
            kind = ScalarEvent  # it is whole: what it holds has been read
        nodes_left -= 1
        if nodes_left < 0:
            raise TooComplex(f"the text has more than {limits.yaml_nodes} YAML nodes")

        if container.__class__ is list:
            container.append(value)
        elif container.__class__ is dict:
            if key is _NO_KEY:
                if kind is not ScalarEvent or value.__class__ in (dict, list):
                    raise _bad(event, "a key is a list or a mapping; keys are text")
                if value in container:
                    raise _bad(event, f"duplicate key '{value!s:.100}'; a mapping has each key once")
                key = value
                continue
            container[key] = value
            key = _NO_KEY
        elif kind is ScalarEvent:
            return value, nodes_left
        else:
            container = value
            continue
        if kind is not ScalarEvent:
            outer.append((container, key))
            if len(outer) >= limits.yaml_depth:
                raise TooComplex(f"line {event.start_mark.line + 1}: YAML is nested more than {limits.yaml_depth} deep")
            container, key = value, _NO_KEY


class _Anchors:
    """What the anchors of a document mark: value, number of nodes, and how deep it is nested.

    An alias counts as all the nodes that it stands for, so a short text cannot become an endless one.
    """

    def __init__(self, limits: Limits) -> None:
        self.known: dict[str, tuple[Any, int, int]] = {}
        self._limits = limits
        self._open: list[tuple[str | None, int]] = []

    def begin(self, anchor: str | None, nodes_left: int) -> None:
        self._open.append((anchor, nodes_left))

    def end(self, container: Any, nodes_left: int) -> None:
        anchor, before = self._open.pop()
        if anchor is not None:
            self.known[anchor] = container, before - nodes_left, _height(container)

    def resolve(self, event: Any, depth: int) -> tuple[Any, int]:
        if not isinstance(event, AliasEvent) or event.anchor not in self.known:
            raise _bad(event, f"'*{event.anchor}' is an alias without an anchor before it")
        value, size, height = self.known[event.anchor]
        if depth + height >= self._limits.yaml_depth:
            line = getattr(event.start_mark, "line", 0) + 1
            raise TooComplex(f"line {line}: YAML is nested more than {self._limits.yaml_depth} deep")
        return value, size


def _height(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_height, value.values() if isinstance(value, dict) else value), default=0)


_CORE_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CORE_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)\Z")
_CORE_FLOAT: Final = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
)


def _core(value: str, limits: Limits) -> Any:
    """What an unquoted scalar means in YAML 1.2's core schema, with 0b as Rust's loader has it."""
    if value in _CORE_WORDS:
        return _CORE_WORDS[value]
    whole, broken = _CORE_INTEGER.match(value), _CORE_FLOAT.match(value)
    if not whole and not broken:
        return value
    if len(value) > limits.number_chars:
        raise TooComplex(f"a number of {len(value)} characters; at most {limits.number_chars}")
    if whole:
        return int(value, 0)
    digits = value.lstrip("+-")
    if digits[:1] == "0" and digits[1:2].isdigit():  # leading zeros make text
        return value
    return float(value.lower().replace(".", "", 1) if digits[1:2].isalpha() else value)


def _plain(value: str, limits: Limits) -> Any:
    """What an unquoted scalar means; `_RESERVED` for the merge key and its like."""
    if len(value) <= _LONGEST_CACHED:
        return _typed(value)
    if len(value) > limits.number_chars and _tag(value) != "str":
        raise TooComplex(f"a number of {len(value)} characters; at most {limits.number_chars}")
    return _typed.__wrapped__(value)


@lru_cache(maxsize=1024)
def _typed(value: str) -> Any:
    if value.isdecimal() and value.isascii() and (value[0] != "0" or len(value) == 1):
        return int(value)
    tag = _tag(value)
    if tag == "str":
        return value
    construct = _CONSTRUCTORS.get(_TAG + tag)
    if construct is None:  # '<<' and '='
        return _RESERVED
    try:
        return construct(_CONSTRUCTOR, ScalarNode(_TAG + tag, value))
    except (ValueError, OverflowError):
        return Malformed(value)


def _tag(value: str) -> str:
    for tag, expression in _RESOLVERS.get(value[:1], ()):
        if expression.match(value):
            return str(tag).removeprefix(_TAG)
    return "str"


def _refuse(event: Any) -> NoReturn:
    if isinstance(event, AliasEvent):
        raise _bad(event, f"'*{event.anchor}' is a YAML alias; quote a text that begins with '*'")
    if event.anchor is not None:
        raise _bad(event, f"'&{event.anchor}' is a YAML anchor; quote a text that begins with '&'")
    raise _bad(event, f"'{event.tag}' is a YAML tag; quote a text that begins with '!'")


def _bad(event: Any, problem: str) -> BadYaml:
    return BadYaml(f"line {event.start_mark.line + 1}: {problem}")
