"""Traces of programs as text: the tree that Chainsaw evaluates with ✓, ✗ and –, and the lines that decided."""

from collections.abc import Iterator, Sequence

from sigma_env.engines.evaluator import Hit
from sigma_env.engines.show import describe as describe_line
from sigma_env.engines.show import mark, quote
from sigma_env.engines.switched_trace import SwitchedTrace, Truth, passing
from sigma_env.events.column import Scalar, render
from sigma_env.sigma.chainsaw_fields import plain_field
from sigma_env.sigma.chainsaw_mapping import chainsaw_mapping
from sigma_env.sigma.chainsaw_tree import (
    TEXT_CLASSES,
    BoolIs,
    Constant,
    Count,
    FieldCheck,
    Join,
    Negated,
    NullIs,
    NumberIs,
    Tied,
    TypedPattern,
)
from sigma_env.sigma.rule import AnyText, FieldTest, Glob, Regex, Text, Wildcard

_VALUES_SHOWN = 3
_MISSING = "–"
_YELLOW = 33


def truth_mark(truth: Truth, *, colour: bool = False) -> str:
    """✓, ✗ or, for what is neither, –; green, red or yellow with `colour` (ANSI)."""
    if truth is not None:
        return mark(truth, colour=colour)
    return f"\033[{_YELLOW}m{_MISSING}\033[0m" if colour else _MISSING


def written_pattern(pattern: TypedPattern) -> str | int | float | bool | None:
    """A pattern as a person reads it: what the value must be, with stars where more may stand."""
    match pattern:
        case Text(op, text, _):
            lead, rest = op in ("contains", "endswith"), op in ("contains", "startswith")
            return f"{'*' * lead}{text}{'*' * rest}"
        case Regex(expression, flags):
            return f"/{expression}/{flags}"
        case AnyText():
            return "*"
        case Glob(parts, _):
            return "".join(part.value if isinstance(part, Wildcard) else part for part in parts)
        case NumberIs("eq", number):
            return number
        case NumberIs(op, number):
            return f"{_SIGNS[op]} {number}"
        case BoolIs(value):
            return value
    return None


_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _pattern(pattern: TypedPattern) -> str:
    written = written_pattern(pattern)
    if isinstance(pattern, NullIs):
        return "null"
    if isinstance(pattern, Text | Glob):
        return quote(str(written)) + (" (with its case)" if pattern.cased else "")
    return str(written).lower() if isinstance(written, bool) else str(written)


def describe(test: FieldCheck | FieldTest, places: Sequence[int] = ()) -> str:
    r"""A test as Chainsaw has it, `Image: '*\cmd.exe'`.

    Args:
        test: the test.
        places: name these of its patterns; all if there are none. Beyond a few they are counted.
    """
    if isinstance(test, FieldTest):
        return describe_line(test)
    shown = [test.patterns[i] for i in places] or list(test.patterns)
    if not shown:
        return f"{test.field}: nothing (no value can pass)"
    texts = [_pattern(pattern) for pattern in shown[:_VALUES_SHOWN]]
    if len(shown) > _VALUES_SHOWN:
        texts.append(f"… {len(shown) - _VALUES_SHOWN:,} more")
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f"{test.field}: {listed}"


def selections_of(test: FieldCheck | FieldTest, places: Sequence[int] = ()) -> str:
    """The selections that a test is from, or that the patterns at these places are from."""
    if isinstance(test, FieldTest):
        return ""
    names = [test.selection_of(i) for i in places] or list(test.selections)
    return ", ".join(dict.fromkeys(filter(None, names)))


def saw(found: SwitchedTrace, *, mapped: bool = True) -> str:
    """What the event held in the field of a test, and why a test for one type passes over another.

    Args:
        found: of a test.
        mapped: whether fields are those of Chainsaw's mapping.
    """
    test = found.tree
    assert isinstance(test, FieldCheck | FieldTest)
    if test.field is None:
        return "in some value of the event" if found.truth else "in no value of the event"
    if not found.seen:
        if mapped and is_unmapped(test.field):
            return f"Chainsaw's mapping has no {plain_field(test.field)}, so no event has it"
        return f"the event has no {plain_field(test.field)}"
    values = " and ".join(map(_value, found.seen[:_VALUES_SHOWN]))
    told = f"{test.field} is {values}"
    if isinstance(test, FieldTest) or found.truth is True:
        return told
    return told + _other_type(test, found.seen)


def _value(value: Scalar) -> str:
    if value is None or isinstance(value, str):
        return quote(value)
    return f"the {'boolean' if isinstance(value, bool) else 'number'} {str(value).lower()}"


def _other_type(test: FieldCheck, seen: Sequence[Scalar]) -> str:
    if len(seen) > 1:
        return "" if test.kind in TEXT_CLASSES else ", a list, and no list is equal to a value"
    is_text = isinstance(seen[0], str)
    if test.kind in TEXT_CLASSES:
        return "" if is_text or not test.strict else ", and the test is for text"
    return f", and the test is for a {test.kind}" if is_text and test.kind in ("number", "bool") else ""


def is_unmapped(field: str) -> bool:
    """Whether Chainsaw's mapping lacks a field, and its name is no path either."""
    mapping, plain = chainsaw_mapping(), plain_field(field)
    return plain not in mapping.system and plain not in mapping.event_data and "." not in plain


def tree(found: SwitchedTrace, *, mapped: bool = True, colour: bool = False) -> str:
    """The tree, a line per node, ✓, ✗ or – first, and behind each test its selection and what the event held."""
    return "\n".join(_lines(found, "", "", mapped, colour))


def _lines(found: SwitchedTrace, lead: str, below: str, mapped: bool, colour: bool) -> Iterator[str]:
    yield f"{lead}{truth_mark(found.truth, colour=colour)} {_label(found, mapped)}"
    for i, child in enumerate(found.children):
        last = i == len(found.children) - 1
        branch, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(child, below + branch, below + rest, mapped, colour)


def _label(found: SwitchedTrace, mapped: bool) -> str:
    node = found.tree
    match node:
        case FieldCheck() | FieldTest():
            return _leaf(found, mapped)
        case Negated():
            return "not" + (": what is missing stays without a match" if found.children[0].truth is None else "")
        case Constant(holds):
            return f"always {str(holds).lower()}: the optimiser lost every test that stood here"
        case Count(least, _):
            return f"at least {least:,} of" if least else "none of"
        case Tied():
            return "all of, in an order that differs from run to run"
        case Join("and", _):
            return "all of, in this order: the first that is not ✓ is the result"
    return "any of"


def _leaf(found: SwitchedTrace, mapped: bool) -> str:
    test = found.tree
    assert isinstance(test, FieldCheck | FieldTest)
    name = selections_of(test, found.held)
    quantifier = ""
    if isinstance(test, FieldCheck) and len(test.patterns) > 1:
        needed = "all" if test.every else "one"
        quantifier = f" ({len(found.held):,} of {len(test.patterns):,} hold, {needed} needed)"
    shown = describe(test, found.held)
    return f"{f'{name} › ' if name else ''}{shown}{quantifier} — {saw(found, mapped=mapped)}"


def deciders(found: SwitchedTrace) -> Iterator[SwitchedTrace]:
    """The tests that made a tree come out as it did.

    Of a conjunction that is not True, the first part that isn't; of a disjunction that is, the first that is; where
    all parts were needed for the result, those of all.
    """
    if not found.children:
        yield found
        return
    children = found.children
    node = found.tree
    decisive: Sequence[SwitchedTrace] = children
    if isinstance(node, Join | Tied):
        is_and = isinstance(node, Tied) or node.op == "and"
        if is_and != (found.truth is True):
            decisive = [child for child in children if child.truth == found.truth][:1] or children
    for child in decisive:
        yield from deciders(child)


def hits(found: SwitchedTrace) -> Iterator[Hit]:
    """The tests by which an event that a tree is True on matches; nothing from below a negation."""
    node = found.tree
    if isinstance(node, FieldCheck):
        for place in found.held:
            value = next(passing(node, place, found.seen), None)
            shown = None if value is None else render(value)[0]
            yield Hit(node.selection_of(place), node.field, written_pattern(node.patterns[place]), shown)
    elif isinstance(node, FieldTest):
        written = [value.written for value in node.values]
        values = [render(value)[0] for value in found.seen if value is not None]
        yield Hit("", node.field, written[0] if len(written) == 1 else written, values[0] if values else None)
    elif not isinstance(node, Negated):
        for child in found.children:
            if child.truth is True:
                yield from hits(child)


def as_dict(found: SwitchedTrace) -> dict[str, object]:
    """A trace as JSON-able data: kind, result (true, false or null), and children or the test, wanted and seen."""
    node = found.tree
    if isinstance(node, FieldCheck | FieldTest):
        held = []
        if isinstance(node, FieldCheck):
            held = [written_pattern(node.patterns[place]) for place in found.held]
        return {
            "kind": "field",
            "result": found.truth,
            "selection": selections_of(node, found.held),
            "line": describe(node),
            "seen": list(found.seen),
            "held": held,
        }
    kind = node.op if isinstance(node, Join) else _KINDS[type(node).__name__]
    return {"kind": kind, "result": found.truth, "children": [as_dict(child) for child in found.children]}


_KINDS = {"Negated": "not", "Tied": "and", "Count": "count", "Constant": "constant", "Panic": "panic"}
