"""What the program's optimiser makes of a tree: groups, and tables that reorder tests and lose some."""

from collections import Counter
from typing import Literal, NamedTuple, TypeGuard

from sigma_env.sigma.chainsaw_fields import plain_field
from sigma_env.sigma.chainsaw_tree import Constant, Count, FieldCheck, Join, Negated, Tied, Tree
from sigma_env.sigma.chainsaw_values import NotLoaded


class Optimised(NamedTuple):
    """A tree after the optimiser; `tied` are columns of equal rank that stand in one row under a negation."""

    tree: Tree
    tied: tuple[str, ...]


def optimise(tree: Tree) -> Optimised:
    """Makes tables of a grouped tree's disjunctions where the program does.

    Raises:
        NotLoaded: a table would hold what is not known of the program.
    """
    tied: list[str] = []
    result = _tabled(tree, False, tied)
    return Optimised(result, tuple(dict.fromkeys(tied)))


def grouped(tree: Tree) -> Tree:
    """Puts written pairs together as lists; this alone changes no value."""
    if isinstance(tree, Negated):
        return Negated(grouped(tree.part))
    if isinstance(tree, Count):
        return tree._replace(parts=tuple([grouped(part) for part in tree.parts]))
    if not isinstance(tree, Join):
        return tree
    if tree.grouped:
        return tree._replace(parts=tuple([grouped(part) for part in tree.parts]))
    pairs: list[Join] = []  # a long condition leans to the left, deeper than Python recurses
    left: Tree = tree
    while isinstance(left, Join) and not left.grouped:
        pairs.append(left)
        left = left.parts[0]
    result = grouped(left)
    for pair in reversed(pairs):
        result = _joined(pair.op, result, grouped(pair.parts[1]))
    return result


def _joined(op: Literal["and", "or"], left: Tree, right: Tree) -> Tree:
    """What a written pair becomes, given what its sides have become."""
    left_group, right_group = _is_group(left, op), _is_group(right, op)
    if left_group or right_group:
        return Join(op, (*(left.parts if left_group else (left,)), *(right.parts if right_group else (right,))))  # type: ignore[union-attr]
    if _is_pair(left, op):
        return Join(op, (*left.parts, right))
    if _is_pair(right, op):
        return Join(op, (left, *right.parts))
    return Join(op, (left, right), grouped=False)


def _is_group(tree: Tree, op: str) -> TypeGuard[Join]:
    return isinstance(tree, Join) and tree.op == op and tree.grouped and not tree.kept


def _is_pair(tree: Tree, op: str) -> TypeGuard[Join]:
    return isinstance(tree, Join) and tree.op == op and not tree.grouped


def _merged(parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Texts and expressions of one field and class as one test, at the place of the first."""
    merged: dict[object, Tree] = {}
    for i, part in enumerate(parts):
        key: object = i
        if isinstance(part, FieldCheck) and part.kind in ("text", "regex", "marked") and not part.every:
            key = (part.field, part.kind, part.strict)
        known = merged.get(key)
        if isinstance(part, FieldCheck) and isinstance(known, FieldCheck):
            merged[key] = known._replace(
                patterns=known.patterns + part.patterns, selections=_selections(known) + _selections(part)
            )
        else:
            merged[key] = part
    return tuple(merged.values())


def _selections(check: FieldCheck) -> tuple[str, ...]:
    return tuple([check.selection_of(i) for i in range(len(check.patterns))])


def _tabled(tree: Tree, negated: bool, tied: list[str]) -> Tree:
    if isinstance(tree, Negated):
        return Negated(_tabled(tree.part, True, tied))
    if isinstance(tree, Count):
        return tree._replace(parts=tuple([_tabled(part, negated, tied) for part in tree.parts]))
    if not isinstance(tree, Join):
        return tree
    if tree.kept:
        parts = [_below_kept(part, negated, tied) for part in tree.parts]
        return tree._replace(parts=tuple(parts))
    if tree.op == "or" and tree.grouped:
        return _table(tree, negated, tied)
    return tree._replace(parts=tuple([_tabled(part, negated, tied) for part in tree.parts]))


def _below_kept(tree: Tree, negated: bool, tied: list[str]) -> Tree:
    if isinstance(tree, Join) and tree.op == "or":
        return tree._replace(parts=tuple([_tabled(part, negated, tied) for part in tree.parts]))
    return _tabled(tree, negated, tied)


def _simple(tree: Tree) -> TypeGuard[FieldCheck]:
    return isinstance(tree, FieldCheck) and not tree.every and tree.kind != "never"


def _simple_row(tree: Tree) -> bool:
    return _simple(tree) or (_is_group(tree, "and") and all(map(_simple, tree.parts)))


def _table(tree: Join, negated: bool, tied: list[str]) -> Tree:
    tree = tree._replace(parts=_merged(tree.parts))
    counts: Counter[str] = Counter()
    for part in tree.parts:
        if _simple(part):
            counts[part.field] += 1
        elif _simple_row(part):
            assert isinstance(part, Join)
            counts.update(test.field for test in part.parts if isinstance(test, FieldCheck))
    if not all(map(_simple, tree.parts)):  # a row of one test is that test
        _check_casts(counts)
    if not counts or max(counts.values()) < 2:
        return tree._replace(parts=tuple([_tabled(part, negated, tied) for part in tree.parts]))
    rows: list[Tree] = []
    others: list[Tree] = []
    for part in tree.parts:
        tests = _row(part)
        if tests is None:
            others.append(_tabled(part, negated, tied))
        else:
            rows.append(_in_order([test for test in tests if test.field in counts], counts, negated, tied))
    parts = (*rows, *others)
    return parts[0] if len(parts) == 1 else Join("or", parts)


def _check_casts(counts: Counter[str]) -> None:
    """Refuses fields that stand in several members, once with a cast: it is not known whether they are one column."""
    plain: Counter[str] = Counter()
    for field, count in counts.items():
        plain[plain_field(field)] += count
    if any(plain_field(field) != field and plain[plain_field(field)] > 1 for field in counts):
        raise NotLoaded("a cast within a table of the optimiser is not served")


def _row(tree: Tree) -> list[FieldCheck] | None:
    """The simple tests of a member that becomes a row; None if it stays as it is."""
    if _simple(tree):
        return [tree]
    if not _is_group(tree, "and"):
        return None
    tests = [part for part in tree.parts if _simple(part)]
    fields = {test.field for test in tests}
    if len(fields) < len(tests):
        return None
    for part in tree.parts:
        lost = _is_pair(part, "or") or (isinstance(part, FieldCheck) and part.kind == "never")
        if not lost and not _simple(part):
            return None
    return tests


def _in_order(tests: list[FieldCheck], counts: Counter[str], negated: bool, tied: list[str]) -> Tree:
    if not tests:
        return Constant(True)
    by_count: dict[int, list[FieldCheck]] = {}
    for test in tests:
        by_count.setdefault(counts[test.field], []).append(test)
    parts: list[Tree] = []
    for _, equal in sorted(by_count.items()):
        if len(equal) > 1 and negated:
            tied += [test.field for test in equal]
            parts.append(Tied(tuple(equal)))
        else:
            parts += equal
    return parts[0] if len(parts) == 1 else Join("and", tuple(parts))
