"""Traces as text: the condition as a tree with ✓ and ✗, and the lines that decided."""

from collections.abc import Iterator, Sequence

from sigma_env.engines.evaluator import Trace
from sigma_env.sigma.rule import And, FieldTest, Not, Scalar, Selection, Value

_VALUES_SHOWN = 3
_LONGEST_TEXT = 160


def quote(text: str | None) -> str:
    """A value of an event or rule as people read it: quoted, on one line, cut where it is long."""
    if text is None:
        return "null"
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text):,} characters)"
    return "'" + shown.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t") + "'"


def _written(value: Scalar) -> str:
    if value is None or isinstance(value, str):
        return quote(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe(test: FieldTest, values: Sequence[Value] | None = None) -> str:
    r"""A line of a selection as it was written, `Image|endswith: '\cmd.exe'`.

    Args:
        test: the line.
        values: name these of its values; all if None. Beyond a few they are counted.
    """
    name = "|".join((test.field or "keywords", *test.modifiers))
    shown = test.values if values is None else values
    texts = [_written(value.written) for value in shown[:_VALUES_SHOWN]]
    if len(shown) > _VALUES_SHOWN:
        texts.append(f"… {len(shown) - _VALUES_SHOWN:,} more")
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f"{name}: {listed}"


def saw(found: Trace) -> str:
    """What the event held in the field of a line."""
    test = found.node
    assert isinstance(test, FieldTest)
    if test.field is None:
        texts = [f"found in {quote(text)}" for _, text in found.held[:_VALUES_SHOWN]]
        return "; ".join(texts) if texts else "in no value of the event"
    if not found.seen:
        return f"the event has no {test.field}"
    return f"{test.field} is {' and '.join(quote(text) for text in found.seen[:_VALUES_SHOWN])}"


def tree(found: Trace, *, colour: bool = False) -> str:
    """The condition as a tree, a line per node, ✓ or ✗ first, and behind each leaf what the event held."""
    return "\n".join(_lines(found, "", "", colour))


def mark(holds: bool, *, colour: bool = False) -> str:
    """✓ or ✗, green or red with `colour` (ANSI)."""
    sign = "✓" if holds else "✗"
    return f"\033[{32 if holds else 31}m{sign}\033[0m" if colour else sign


def as_dict(found: Trace) -> dict[str, object]:
    """A trace as JSON-able data: kind, holds, and children or the line's field, wanted and seen."""
    node = found.node
    if isinstance(node, FieldTest):
        held = [{"pattern": value.written, "value": text} for value, text in found.held]
        return {"kind": "field", "holds": found.holds, "line": describe(node), "seen": list(found.seen), "held": held}
    kind = type(node).__name__.lower()
    name = {"name": node.name} if isinstance(node, Selection) else {}
    return {"kind": kind, **name, "holds": found.holds, "children": [as_dict(child) for child in found.children]}


def _lines(found: Trace, lead: str, below: str, colour: bool) -> Iterator[str]:
    yield f"{lead}{mark(found.holds, colour=colour)} {_label(found)}"
    for i, child in enumerate(found.children):
        last = i == len(found.children) - 1
        yield from _lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), colour)


def _label(found: Trace) -> str:
    node = found.node
    if isinstance(node, Selection):
        return node.name
    if isinstance(node, Not):
        return "not"
    if isinstance(node, FieldTest):
        held = [value for value, _ in found.held]
        quantifier = ""
        if len(node.values) > 1:
            quantifier = f" ({len(held):,} of {len(node.values):,} hold, {'all' if node.all else 'one'} needed)"
        return f"{describe(node, held or None)}{quantifier} — {saw(found)}"
    return "all of" if isinstance(node, And) else "any of"


def deciders(found: Trace) -> Iterator[tuple[str, Trace]]:
    """The lines that made the condition come out as it did, each with the name of its selection.

    Of a conjunction that failed and of a disjunction that held, the first branch that made it so;
    where all branches were needed for the result, all.
    """
    yield from _deciders(found, "")


def _deciders(found: Trace, selection: str) -> Iterator[tuple[str, Trace]]:
    node = found.node
    if isinstance(node, FieldTest):
        yield selection, found
        return
    if isinstance(node, Selection):
        selection = node.name
    if isinstance(node, Selection | Not):
        yield from _deciders(found.children[0], selection)
        return
    agreeing = [child for child in found.children if child.holds == found.holds]
    if isinstance(node, And) == found.holds:
        for child in agreeing:
            yield from _deciders(child, selection)
    elif agreeing:
        yield from _deciders(agreeing[0], selection)
