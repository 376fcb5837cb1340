"""Modifiers of a field: which chains are valid, and the patterns that they make of a value.

The chains and the types they take are pySigma 2's: the modifiers apply in the order they are
written, each to what the one before it made. `utf16le` is Sigma's own, pySigma lacks it.
"""

import difflib
import ipaddress
from functools import lru_cache
from typing import Final, NamedTuple, cast

from sigma_env.sigma import text as texts
from sigma_env.sigma.errors import InvalidRule, TooComplex
from sigma_env.sigma.limits import Limits
from sigma_env.sigma.regex import check_regex
from sigma_env.sigma.rule import (
    AnyText,
    Cidr,
    Compare,
    CompareOp,
    Exists,
    FieldRef,
    Null,
    Pattern,
    Regex,
    Scalar,
    Text,
    TextOp,
    Value,
)
from sigma_env.sigma.text import MANY, Parts

_FLAGS: Final = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_PLACES: Final = frozenset({"contains", "startswith", "endswith"})
_COMPARISONS: Final = frozenset({"gt", "gte", "lt", "lte"})
_TIME_PARTS: Final = frozenset({"minute", "hour", "day", "week", "month", "year"})
_WIDE: Final = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16-le"}
_LIST_MODIFIERS: Final = frozenset({"all", "neq"})
_FIRST_ONLY: Final = frozenset({"re", "cidr", "exists"})
_TEXT_STEPS: Final = _PLACES | _WIDE.keys() | {"base64", "base64offset", "windash", "cased", "expand"}
MODIFIERS: Final = (
    _TEXT_STEPS | _LIST_MODIFIERS | _FIRST_ONLY | _FLAGS.keys() | _COMPARISONS | _TIME_PARTS | {"fieldref"}
)
"""Every modifier of Sigma 2.1, also those that are recognised only to be refused."""

_NULL_PATTERNS: Final = (Null(),)
_ANY_PATTERNS: Final = (AnyText(),)
_PLACED_ONLY: Final = _PLACES | {"cased"}


class Chain(NamedTuple):
    """The modifiers of one field, checked.

    Attributes:
        names: The modifiers as written.
        all: Every value must hold.
        negated: The test is turned.
        steps: The modifiers that act on a value, in order.
        op: Where the value must stand, if the steps do no more than say this; else None.
        cased: Case counts.
        unsupported: Why the chain is not served, None if it is.
    """

    names: tuple[str, ...]
    all: bool
    negated: bool
    steps: tuple[str, ...]
    op: TextOp | None
    cased: bool
    unsupported: str | None


NO_MODIFIERS: Final = Chain((), False, False, (), "equals", False, None)


@lru_cache(maxsize=512)
def parse_chain(names: tuple[str, ...], is_keyword: bool) -> Chain:
    """Check a chain of modifiers, as far as that is possible without values.

    Raises:
        InvalidRule: A modifier does not exist, or stands where it must not.
    """
    for at, name in enumerate(names):
        if name not in MODIFIERS:
            raise InvalidRule(_unknown(name))
        if at and name in _FIRST_ONLY:
            raise InvalidRule(f"'{name}' must be the first modifier; write '{'|'.join(_moved_first(names, name))}'")
    if is_keyword and "exists" in names:
        raise InvalidRule("'exists' needs a field before it")
    steps = tuple(name for name in names if name not in _LIST_MODIFIERS)
    op = "contains" if is_keyword and _PLACES.isdisjoint(steps) else _op(steps)
    return Chain(
        names=names,
        all="all" in names,
        negated="neq" in names,
        steps=steps,
        op=op if _PLACED_ONLY.issuperset(steps) else None,
        cased="cased" in names,
        unsupported=_unsupported(names),
    )


def make_value(chain: Chain, written: Scalar, is_keyword: bool, limits: Limits) -> Value:
    """One written value and the patterns that the chain makes of it.

    Raises:
        InvalidRule: A modifier does not take such a value.
        TooComplex: The value passes a cap.
    """
    if isinstance(written, str):
        if len(written) > limits.pattern_chars:
            raise TooComplex(f"a value of {len(written)} characters; at most {limits.pattern_chars}")
        if chain.op is not None:
            return Value(written, (_plain_text(chain.op, written, chain.cased, limits),))
        return Value(written, _text_patterns(chain, written, is_keyword, limits))
    if chain.steps[:1] == ("re",) and written is not None:
        scalar = ("true" if written else "false") if isinstance(written, bool) else texts.number_text(written)
        return Value(written, _text_patterns(chain, scalar, is_keyword, limits))
    if written is None:
        if chain.steps:
            raise _wrong_type(chain.steps[0], "null", "write null without modifiers")
        return Value(None, _NULL_PATTERNS)
    if isinstance(written, bool):
        return Value(written, _boolean_patterns(chain, written, is_keyword))
    return Value(written, _number_patterns(chain, written, is_keyword))


def _plain_text(op: TextOp, written: str, cased: bool, limits: Limits) -> Pattern:
    if not texts.has_special(written):
        if not written and op != "equals":
            return _ANY_PATTERNS[0]
        return Text(op, written if cased else written.lower(), cased)
    parts = texts.parse_text(written)
    _check_wildcards(parts, limits)
    return texts.pattern_of(_placed(parts, op), cased)


def _placed(parts: Parts, op: TextOp) -> Parts:
    match op:
        case "equals":
            return parts
        case "startswith":
            return (*parts, MANY)
        case "endswith":
            return (MANY, *parts)
        case "contains":
            return (MANY, *parts, MANY)


def _check_wildcards(parts: Parts, limits: Limits) -> None:
    wildcards = sum(1 for part in parts if not isinstance(part, str))
    if wildcards > limits.wildcards:
        raise TooComplex(f"a value with {wildcards} wildcards; at most {limits.wildcards}")


def _text_patterns(chain: Chain, written: str, is_keyword: bool, limits: Limits) -> tuple[Pattern, ...]:
    first = chain.steps[0]
    if first == "re":
        return _regex_patterns(chain, written, limits)
    if first == "cidr":
        _allow_only(chain.steps[1:], frozenset(), "a network")
        return (_network(written),)
    parts = texts.parse_text(written)
    _check_wildcards(parts, limits)
    encoded: list[Parts] = [parts]
    marked = False
    for at, step in enumerate(chain.steps):
        if step == "fieldref":
            return tuple([_reference(chain.steps[at + 1 :], parts) for parts in encoded])
        if step not in _TEXT_STEPS:
            raise _wrong_type(step, "text", _wanted(step))
        encoded = texts.checked(_applied(step, encoded, marked), limits.alternatives, limits.pattern_chars)
        marked = marked or step == "utf16"
    if chain.unsupported:
        return _ANY_PATTERNS
    if is_keyword and _PLACES.isdisjoint(chain.steps):
        encoded = [_placed(parts, "contains") for parts in encoded]
    return tuple(dict.fromkeys(texts.pattern_of(parts, chain.cased) for parts in encoded))


def _applied(step: str, encoded: list[Parts], marked: bool) -> list[Parts]:
    """One step over the texts that the steps before it made."""
    if step in _PLACES:
        return [_placed(parts, cast(TextOp, step)) for parts in encoded]
    if step in _WIDE:
        wide = [texts.utf16(parts, _WIDE[step]) for parts in encoded]
        return [texts.with_byte_order_mark(parts) for parts in wide] if step == "utf16" else wide
    match step:
        case "windash":
            return [spelling for parts in encoded for spelling in texts.windash(parts)]
        case "base64":
            return [texts.encode_base64(parts, marked) for parts in encoded]
        case "base64offset":
            return [variant for parts in encoded for variant in texts.encode_base64_offsets(parts, marked)]
    return encoded


def _regex_patterns(chain: Chain, written: str, limits: Limits) -> tuple[Pattern, ...]:
    # Searched anywhere, an expression means the same with contains, startswith and endswith, which
    # pySigma takes to append `.*`.
    _allow_only(chain.steps[1:], _FLAGS.keys() | _PLACES | {"expand"}, "a regular expression")
    flags = "".join(sorted({_FLAGS[step] for step in chain.steps[1:] if step in _FLAGS}))
    check_regex(written, flags, limits)
    return _ANY_PATTERNS if chain.unsupported else (Regex(written, flags),)


def _reference(after: tuple[str, ...], parts: Parts) -> FieldRef:
    _allow_only(after, _PLACES, "a field reference")
    if texts.has_wildcard(parts):
        raise InvalidRule("'fieldref' takes the name of a field, without wildcards and without 'contains' before it")
    name = "".join(part for part in parts if isinstance(part, str))
    return FieldRef(name, _op(after))


def _op(steps: tuple[str, ...]) -> TextOp:
    """Where a text stands that has wildcards put around it by `steps`."""
    before = "contains" in steps or "endswith" in steps
    after = "contains" in steps or "startswith" in steps
    if before:
        return "contains" if after else "endswith"
    return "startswith" if after else "equals"


def _network(written: str) -> Cidr:
    try:
        network = ipaddress.ip_network(written)
    except ValueError as error:
        raise InvalidRule(f"'cidr' takes a network such as 10.0.0.0/8: {error}") from None
    if isinstance(network, ipaddress.IPv6Network):
        address = ipaddress.IPv6Address(int(network.network_address))  # drops the zone
        if address.ipv4_mapped is not None and network.prefixlen >= 96:
            return Cidr(f"{address.ipv4_mapped}/{network.prefixlen - 96}")
        return Cidr(f"{address}/{network.prefixlen}")
    return Cidr(str(network))


def _boolean_patterns(chain: Chain, written: bool, is_keyword: bool) -> tuple[Pattern, ...]:
    if chain.steps == ("exists",):
        return (Exists(written),)
    if chain.steps[:1] == ("exists",):
        raise InvalidRule(f"'{chain.steps[1]}' cannot follow 'exists'")
    if chain.steps:
        raise _wrong_type(chain.steps[0], f"the boolean {str(written).lower()}", "quote it to make it text")
    return (Text("contains" if is_keyword else "equals", str(written).lower()),)


def _number_patterns(chain: Chain, written: int | float, is_keyword: bool) -> tuple[Pattern, ...]:
    decimal = texts.number_text(written)
    if not chain.steps:
        return (Text("contains" if is_keyword else "equals", decimal),)
    compared: CompareOp | None = None
    for step in chain.steps:
        if compared is None and step in _COMPARISONS:
            compared = cast(CompareOp, step)
        elif compared is not None or step not in _TIME_PARTS:
            raise _wrong_type(step, f"the number {decimal}", _wanted(step))
    if compared is None or chain.unsupported:
        return _ANY_PATTERNS
    return (Compare(compared, int(decimal) if "." not in decimal else float(written)),)


def _allow_only(steps: tuple[str, ...], allowed: "frozenset[str] | set[str]", what: str) -> None:
    for step in steps:
        if step not in allowed:
            raise InvalidRule(f"'{step}' cannot be applied to {what}; leave it out")


def _wrong_type(step: str, what: str, advice: str) -> InvalidRule:
    return InvalidRule(f"'{step}' cannot be applied to {what}; {advice}")


def _wanted(step: str) -> str:
    if step in _COMPARISONS or step in _TIME_PARTS:
        return "it takes a number without quotes"
    if step == "exists":
        return "it takes true or false, without quotes"
    if step in _FLAGS:
        return "it comes after 're'"
    return "quote the value to make it text"


def _unsupported(names: tuple[str, ...]) -> str | None:
    if "expand" in names:
        return "the modifier 'expand' needs values from outside the rule, which do not exist here; write them out"
    time_part = next((name for name in names if name in _TIME_PARTS), None)
    if time_part is not None:
        return f"the modifier '{time_part}' (a part of a time) is not served; leave it out"
    return None


def _unknown(name: str) -> str:
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    near = difflib.get_close_matches(name.lower(), MODIFIERS, n=1) if len(name) <= 40 else []
    return f"unknown modifier '{shown}'" + (f"; did you mean '{near[0]}'?" if near else "")


def _moved_first(names: tuple[str, ...], name: str) -> list[str]:
    rest = list(names)
    rest.remove(name)
    return [name, *rest]
