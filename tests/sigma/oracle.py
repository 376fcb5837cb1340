"""pySigma 2 as the oracle: is a text a rule, and what is its tree?

Both trees are brought into one plain form, so that they can be compared: operators as
("and" | "or" | "not", …), leaves as (field, …). pySigma's loader parses conditions only on demand;
here every one is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml
from sigma import conditions, types
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.rule.base import SigmaYAMLLoader

from sigma_env.sigma import rule as tree

Plain = Any

# What pySigma raises beside its own errors, on documents that are no rules.
FAULTS = (SigmaError, yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError)


def load(text: str) -> list[Plain]:
    """The conditions of a text's logsource and detection, by pySigma; raises one of `FAULTS` where that is no rule."""
    document = yaml.load(text, SigmaYAMLLoader)
    kept = {key: document[key] for key in ("logsource", "detection") if key in document}
    rule = SigmaRule.from_dict({"title": "an answer", **kept})
    return [_theirs(condition.parsed) for condition in rule.detection.parsed_condition]


def joined(operator: str, children: list[Plain]) -> Plain:
    flat: list[Plain] = []
    for child in children:
        flat.extend(child[1:] if child[0] == operator else [child])
    distinct = tuple(dict.fromkeys(flat))
    return distinct[0] if len(distinct) == 1 else (operator, *distinct)


def _theirs(node: Any) -> Plain:
    match node:
        case conditions.ConditionAND():
            return joined("and", [_theirs(child) for child in node.args])
        case conditions.ConditionOR():
            return joined("or", [_theirs(child) for child in node.args])
        case conditions.ConditionNOT():
            return ("not", _theirs(node.args[0]))
        case conditions.ConditionFieldEqualsValueExpression():
            return _their_value(node.field, node.value)
        case conditions.ConditionValueExpression():
            return _their_value(None, node.value)
    raise AssertionError(f"a node of pySigma that this oracle does not know: {node!r}")


def _their_value(field: str | None, value: Any) -> Plain:
    match value:
        case types.SigmaExpansion():
            return joined("or", [_their_value(field, each) for each in value.values])
        case types.SigmaString():
            signs = {"WILDCARD_MULTI": "*", "WILDCARD_SINGLE": "?"}
            parts = [
                part.lower() if isinstance(part, str) else signs.get(part.name, f"%{part.name}%") for part in value.s
            ]
            wild = [not isinstance(part, str) for part in value.s]
            return (field, "text", _text(field, list(zip(parts, wild, strict=True))))
        case types.SigmaTimestampPart():
            return (field, "any")
        case types.SigmaNumber():
            return (field, "number", float(value.number))
        case types.SigmaBool():
            return (field, "boolean", value.boolean)
        case types.SigmaRegularExpression():
            return (
                field,
                "regex",
                _bare(_expression(value.regexp)),
                tuple(sorted(flag.name[0] for flag in value.flags)),
            )
        case types.SigmaCIDRExpression():
            network = value.network
            if network.version == 6 and network.network_address.ipv4_mapped and network.prefixlen >= 96:
                return (field, "cidr", f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
            return (field, "cidr", str(network).partition("%")[0])
        case types.SigmaCompareExpression():
            return (field, "compare", value.op.name.lower(), float(value.number.number))
        case types.SigmaFieldReference():
            name = value.field.replace("\\*", "*").replace("\\?", "?")  # pySigma escapes it anew
            return (field, "fieldref", name, value.starts_with, value.ends_with)
        case types.SigmaExists():
            return (field, "exists", value.exists)
        case types.SigmaNull():
            return (field, "null")
    raise AssertionError(f"a value of pySigma that this oracle does not know: {value!r}")


def _text(field: str | None, parts: list[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Parts without neighbouring literals or stars; of keywords without the outermost stars, which are implied."""
    merged: list[tuple[str, bool]] = []
    for part, wild in parts:
        if merged and not wild and not merged[-1][1]:
            merged[-1] = (merged[-1][0] + part, False)
        elif part and not (part == "*" and wild and merged and merged[-1] == ("*", True)):
            merged.append((part, wild))
    if field is None:
        while merged and merged[0] == ("*", True):
            merged.pop(0)
        while merged and merged[-1] == ("*", True):
            merged.pop()
    return tuple(merged)


def _expression(written: Any) -> str:
    """The text of an expression; pySigma keeps numbers and booleans as they are, and prints them as Python does."""
    if isinstance(written, bool):
        return str(written).lower()
    if isinstance(written, float):
        return str(int(written)) if written.is_integer() else format(Decimal(repr(written)), "f")
    return str(written)


def _bare(expression: str) -> str:
    """An expression without what pySigma puts around it for contains, startswith and endswith."""
    while True:
        stripped = expression.removeprefix(".*").removesuffix(".*")
        if stripped.startswith("(?:") and stripped.endswith(")"):
            stripped = stripped[3:-1]
        if stripped == expression:
            return stripped
        expression = stripped


def ours(node: tree.Node) -> Plain:
    """The plain form of our tree."""
    match node:
        case tree.And(children):
            return joined("and", [ours(child) for child in children])
        case tree.Or(children):
            return joined("or", [ours(child) for child in children])
        case tree.Not(child):
            return ("not", ours(child))
        case tree.Selection(_, child):
            return ours(child)
        case tree.FieldTest(field, _, values, every, negated):
            written = [
                joined("or", [_our_value(field, value.written, pattern) for pattern in value.alternatives])
                for value in values
            ]
            test = joined("and" if every else "or", written)
            return ("not", test) if negated else test


def _our_value(field: str | None, written: tree.Scalar, pattern: tree.Pattern) -> Plain:
    match pattern:
        case tree.Text() if isinstance(written, bool):
            return (field, "boolean", written)
        case tree.Text() if isinstance(written, int | float):
            return (field, "number", float(written))
        case tree.Text(op, literal):
            lead = [("*", True)] if op in ("contains", "endswith") else []
            trail = [("*", True)] if op in ("contains", "startswith") else []
            return (field, "text", _text(field, [*lead, (literal.lower(), False), *trail]))
        case tree.AnyText():
            return (field, "text", _text(field, [("*", True)]))
        case tree.Glob(parts):
            plain = [(part.lower(), False) if isinstance(part, str) else (part.value, True) for part in parts]
            return (field, "text", _text(field, plain))
        case tree.Regex(expression, flags):
            names = {"i": "I", "m": "M", "s": "D"}
            return (field, "regex", _bare(expression), tuple(sorted(names[flag] for flag in flags)))
        case tree.Cidr(network):
            return (field, "cidr", network)
        case tree.Compare(op, number):
            return (field, "compare", op, float(number))
        case tree.FieldRef(other, op):
            return (field, "fieldref", other, op in ("startswith", "contains"), op in ("endswith", "contains"))
        case tree.Exists(present):
            return (field, "exists", present)
        case tree.Null():
            return (field, "null")
