"""A program, a rule under switches, on the columns of a partition: three values, True, False and Missing.

An event matches only if its rule is True, so Missing has to be told from False only below a negation. There every
node gives two bit sets, the rows where it is True and those where it is False; elsewhere one is enough.
"""

from typing import NamedTuple, TypeAlias

from sigma_env.engines.leaves import Fields, leaf_rows
from sigma_env.engines.patterns import few_candidates
from sigma_env.engines.plan import Leaf, needle_of, plan_of
from sigma_env.engines.switched_trace import Panicked
from sigma_env.engines.typed_values import (
    beyond_ascii,
    holds,
    only_text,
    pattern_codes,
    rows_with_text,
    value_rows,
)
from sigma_env.events.column import Column
from sigma_env.sigma.chainsaw_tree import (
    TEXT_CLASSES,
    BoolIs,
    Constant,
    Count,
    FieldCheck,
    Negated,
    NullIs,
    NumberIs,
    Panic,
    Program,
    Tied,
    Tree,
)
from sigma_env.sigma.rule import FieldTest, Pattern, Text
from sigma_env.sigma.switches import Switch


class _TextTest(NamedTuple):
    """A test for text: needles to be found in the lower-cased values, and patterns that are no plain literals."""

    test: FieldCheck
    needles: tuple[bytes, ...]
    others: tuple[Pattern, ...]
    literals: tuple[Text, ...]


class _ValueTest(NamedTuple):
    """A test that decides every value that is there."""

    test: FieldCheck


class _SigmaTest(NamedTuple):
    """A line with the specification's meaning."""

    leaf: Leaf


class _AllOf(NamedTuple):
    parts: "tuple[Prepared, ...]"
    tied: bool


class _AnyOf(NamedTuple):
    parts: "tuple[Prepared, ...]"


class _NotOf(NamedTuple):
    part: "Prepared"


class _CountOf(NamedTuple):
    least: int
    parts: "tuple[Prepared, ...]"


Prepared: TypeAlias = _TextTest | _ValueTest | _SigmaTest | _AllOf | _AnyOf | _NotOf | _CountOf | Constant | Panic
_Decided: TypeAlias = tuple[int, int]
"""Rows where a node is True, and rows where it is False; on the others it is Missing."""


def prepare(tree: Tree) -> Prepared:
    """A tree with its literals ready to be searched for."""
    if isinstance(tree, FieldCheck):
        return _prepared(tree) if tree.kind in TEXT_CLASSES else _ValueTest(tree)
    if isinstance(tree, FieldTest):
        leaf = plan_of(tree)
        assert isinstance(leaf, Leaf)
        return _SigmaTest(leaf)
    if isinstance(tree, Negated):
        return _NotOf(prepare(tree.part))
    if isinstance(tree, Constant | Panic):
        return tree
    parts = tuple([prepare(part) for part in tree.parts])
    if isinstance(tree, Count):
        return _CountOf(tree.least, parts)
    if isinstance(tree, Tied):
        return _AllOf(parts, True)
    return _AllOf(parts, False) if tree.op == "and" else _AnyOf(parts)


def _prepared(test: FieldCheck) -> _TextTest:
    literals: list[Text] = []
    others: list[Pattern] = []
    for pattern in test.patterns:
        if isinstance(pattern, Text) and not pattern.cased and (pattern.text or pattern.op == "equals"):
            literals.append(pattern)
        elif not isinstance(pattern, NumberIs | BoolIs | NullIs):
            others.append(pattern)
    return _TextTest(test, tuple(map(needle_of, literals)), tuple(others), tuple(literals))


class Run:
    """Runs plans of one program.

    Args:
        program: the rule.
        view: its category, for fields that are not Chainsaw's.
        tied_false: what rows are whose value depends on the order of tied columns.
    """

    def __init__(self, program: Program, view: str | None, *, tied_false: bool) -> None:
        on = program.switches
        self.missing = Switch.MISSING in on
        self.ordered = Switch.AND_ORDER in on
        self.view = view
        self.tied_false = tied_false

    def true(self, plan: Prepared, fields: Fields, domain: int) -> int:
        """Rows of the domain on which the plan is True.

        Raises:
            Panicked: the program would end on some row.
        """
        if isinstance(plan, _TextTest):
            column = fields.column(plan.test.field, self.view)
            return 0 if column is None else _text_rows(plan, column, domain)
        if isinstance(plan, _AllOf):
            for part in plan.parts:
                domain = self.true(part, fields, domain)
                if not domain:
                    return 0
            return domain
        if isinstance(plan, _AnyOf):
            found = 0
            for part in plan.parts:
                hits = self.true(part, fields, domain)
                if hits:
                    found |= hits
                    domain &= ~hits
                    if not domain:
                        break
            return found
        if isinstance(plan, _NotOf):
            return self.decide(plan.part, fields, domain)[1]
        return self.decide(plan, fields, domain)[0]

    def decide(self, plan: Prepared, fields: Fields, domain: int) -> _Decided:
        """Rows of the domain on which the plan is True, and on which it is False."""
        if isinstance(plan, _TextTest | _ValueTest):
            return self._test(plan, fields, domain)
        if isinstance(plan, _SigmaTest):
            return self._sigma_test(plan.leaf, fields, domain)
        if isinstance(plan, _AllOf):
            return self._all_of(plan, fields, domain)
        if isinstance(plan, _AnyOf):
            true = false = 0
            left = domain
            for part in plan.parts:
                hits, misses = self.decide(part, fields, left)
                true |= hits
                false |= misses
                left &= ~hits
                if not left:
                    break
            return true, false & ~true
        if isinstance(plan, _NotOf):
            hits, misses = self.decide(plan.part, fields, domain)
            return misses, domain & ~misses
        if isinstance(plan, _CountOf):
            return self._count(plan, fields, domain)
        if isinstance(plan, Constant):
            return (domain, 0) if plan.holds else (0, domain)
        if domain:
            raise Panicked(plan.reason)
        return 0, 0

    def _all_of(self, plan: _AllOf, fields: Fields, domain: int) -> _Decided:
        if not self.ordered or plan.tied:
            true, false, missing = domain, 0, 0
            for part in plan.parts:
                hits, misses = self.decide(part, fields, domain)
                true &= hits
                false |= misses
                missing |= domain & ~hits & ~misses
            if plan.tied and not self.tied_false:
                false &= ~missing
            return true, false
        false = 0
        for part in plan.parts:
            hits, misses = self.decide(part, fields, domain)
            false |= misses
            domain = hits
            if not domain:
                break
        return domain, false

    def _count(self, plan: _CountOf, fields: Fields, domain: int) -> _Decided:
        """Rows where enough parts hold, by counting in unary: `reached[n]` are those where n + 1 do."""
        if plan.least == 0:
            decided = [self.decide(part, fields, domain) for part in plan.parts]
            some = false = 0
            for hits, misses in decided:
                some |= hits
                false |= misses
            return false & ~some, some
        least = min(plan.least, len(plan.parts) + 1)  # a rule may ask for any number
        reached = [0] * least
        there = 0
        for part in plan.parts:
            hits, misses = self.decide(part, fields, domain)
            there |= hits | misses
            for n in range(least - 1, 0, -1):
                reached[n] |= reached[n - 1] & hits
            reached[0] |= hits
        return reached[-1], there & ~reached[-1]

    def _test(self, plan: _TextTest | _ValueTest, fields: Fields, domain: int) -> _Decided:
        test = plan.test
        if test.kind == "never":
            return 0, domain
        column = fields.column(test.field, self.view)
        if column is None:
            return 0, 0 if self.missing else domain
        if isinstance(plan, _TextTest):
            true = _text_rows(plan, column, domain)
            there = rows_with_text(column) if test.strict else column.rows_filled
        else:
            true = domain & value_rows(test, column)
            there = column.rows_present
        return true, domain & ~true & (there if self.missing else domain)

    def _sigma_test(self, leaf: Leaf, fields: Fields, domain: int) -> _Decided:
        true = leaf_rows(leaf, fields, self.view, domain)
        if leaf.negated:
            true = domain & ~true
        false = domain & ~true
        if self.missing and leaf.field is not None:
            column = fields.column(leaf.field, self.view)
            false = 0 if column is None else false & column.rows_present
        return true, false


def _text_rows(plan: _TextTest, column: Column, domain: int) -> int:
    test = plan.test
    among = few_candidates(column, domain)
    if test.every and not test.strict and column.is_multi:
        for pattern in test.patterns:
            one = _prepared(test._replace(patterns=(pattern,), every=False))
            domain = _text_rows(one, column, domain) if domain else 0
        return domain
    if test.every:
        codes = _every_code(plan, column, among)
    else:
        codes = column.find_any(plan.needles, among) if plan.needles else []
        if codes and test.ascii_case and not column.is_ascii:
            beyond = beyond_ascii(column)
            codes = [c for c in codes if c not in beyond or any(holds(t, column, c) for t in plan.literals)]
        for pattern in plan.others:
            codes += pattern_codes(pattern, column, among)
    if codes and test.strict:
        codes = only_text(column, codes)
    return domain & column.rows_with(codes) if codes else 0


def _every_code(plan: _TextTest, column: Column, among: set[int] | None) -> list[int]:
    left: set[int] | None = among
    beyond = beyond_ascii(column) if plan.test.ascii_case and not column.is_ascii else frozenset()
    for needle, text in zip(plan.needles, plan.literals, strict=True):
        found = column.find_any((needle,), left)
        left = {code for code in found if code not in beyond or holds(text, column, code)}
        if not left:
            return []
    for pattern in plan.others:
        left = set(pattern_codes(pattern, column, left)) & (left if left is not None else set(range(column.n_values)))
        if not left:
            return []
    return list(left if left is not None else range(column.n_values))
