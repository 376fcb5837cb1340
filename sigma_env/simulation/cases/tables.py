"""Proof by truth table: two conditions that come to the same whichever of their lines hold on an event.

A table is a number with a bit for each combination of the lines' truths. Combinations that no event can have are left
out: where a line holds and one that it implies does not, where two hold that exclude each other, and where those of an
enumerated field hold as for none of its texts.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Final

from sigma_env.sigma.rule import And, FieldRef, FieldTest, Glob, Node, Not, Pattern, Regex, Selection, Text
from sigma_env.simulation.cases.frame import Frame
from sigma_env.simulation.cases.implication import contradicts_line, line_implies
from sigma_env.simulation.cases.lines import Lines
from sigma_env.simulation.schema import FieldKind, FieldSpec
from sigma_env.simulation.schemas.plausible import NOTHING, begin_of
from sigma_env.simulation.sloppy.tree import same_tree

_MOST_LINES: Final = 16

Form = bool | Node
"""A condition on one kind of events: the truth, where the kind decides it."""


def agree(one: Form, other: Form, frame: Frame) -> bool:
    """Whether two conditions surely come to the same on every event of a kind; False where there are many lines."""
    lines: list[FieldTest] = []
    for form in (one, other):
        for line in () if isinstance(form, bool) else _lines(form):
            if not any(same_tree(line, known) for known in lines):
                lines.append(line)
    if len(lines) > _MOST_LINES:
        return False
    every = (1 << (1 << len(lines))) - 1
    # Bit number n of a line's table is bit `at` of n.
    tables = [every ^ every // ((1 << (1 << at)) + 1) for at in range(len(lines))]
    differing = _table(one, lines, tables, every) ^ _table(other, lines, tables, every)
    return differing & _possible(lines, tables, every, frame) == 0


def _lines(node: Node) -> Iterator[FieldTest]:
    """The lines of a condition; of one that wants all of its values, each as a line."""
    if isinstance(node, FieldTest):
        yield from _alone(node)
    elif isinstance(node, Not | Selection):
        yield from _lines(node.child)
    else:
        for child in node.children:
            yield from _lines(child)


def _alone(line: FieldTest) -> list[FieldTest]:
    plain = line._replace(modifiers=(), negated=False, all=False)
    return [plain._replace(values=(value,)) for value in line.values] if line.all else [plain]


def _table(form: Form, lines: Sequence[FieldTest], tables: Sequence[int], every: int) -> int:
    if isinstance(form, bool):
        return every if form else 0
    if isinstance(form, Selection):
        return _table(form.child, lines, tables, every)
    if isinstance(form, Not):
        return every ^ _table(form.child, lines, tables, every)
    if isinstance(form, FieldTest):
        places = (next(at for at, known in enumerate(lines) if same_tree(line, known)) for line in _alone(form))
        found = reduce(int.__and__, (tables[at] for at in places), every)
        return every ^ found if form.negated else found
    parts = (_table(child, lines, tables, every) for child in form.children)
    return reduce(int.__and__, parts, every) if isinstance(form, And) else reduce(int.__or__, parts, 0)


def _possible(lines: Sequence[FieldTest], tables: Sequence[int], every: int, frame: Frame) -> int:
    """The combinations that are not known to be impossible."""
    possible = every
    for line, table in zip(lines, tables, strict=True):
        spec = None if line.field is None else frame.slot(line.field)
        for other, others in zip(lines, tables, strict=True):
            if other is line or other.field != line.field:
                continue
            if line_implies(line, other) or (spec is not None and _shows(line, other, spec)):
                possible &= ~table | others
            if spec is not None and spec.name is not None and _exclude(line, other):
                possible &= ~(table & others)
    for field in {line.field for line in lines}:
        spec = None if field is None else frame.slot(field)
        if spec is not None and spec.kind is FieldKind.ENUM:
            of_field = [(line, table) for line, table in zip(lines, tables, strict=True) if line.field == field]
            possible &= _of_choices(spec, of_field, every)
    return possible & every


def _exclude(one: FieldTest, other: FieldTest) -> bool:
    return all(contradicts_line(value, other) for value in one.values)


def _shows(line: FieldTest, other: FieldTest, spec: FieldSpec) -> bool:
    """Whether a line holds only on texts that begin as every text of the field does, and that is what another wants."""
    begin = begin_of(spec)
    wanted = (p for p in _patterns(other) if isinstance(p, Text) and p.op in ("startswith", "contains"))
    if not begin or not any(begin.startswith(pattern.text) for pattern in wanted):
        return False
    is_about_text = all(isinstance(pattern, Text | Glob | Regex) for pattern in _patterns(line))
    return is_about_text and not any(Lines().holds(line, (text,)) for text in NOTHING)


def _patterns(line: FieldTest) -> list[Pattern]:
    return [pattern for value in line.values for pattern in value.alternatives]


def _of_choices(spec: FieldSpec, lines: Sequence[tuple[FieldTest, int]], every: int) -> int:
    if any(isinstance(pattern, FieldRef) for line, _ in lines for pattern in _patterns(line)):
        return every
    judge = Lines()
    found = 0
    for choice in spec.choices:
        of_choice = every
        for line, table in lines:
            of_choice &= table if judge.holds(line, (choice,)) else every ^ table
        found |= of_choice
    return found
