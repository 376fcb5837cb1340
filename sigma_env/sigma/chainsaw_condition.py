"""The condition under switches: rewritten as text, as the program does, then read and put together."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn

from sigma_env.sigma.chainsaw_aggregate import condition_text, split_aggregate
from sigma_env.sigma.chainsaw_detection import Identifiers, check_path, each_alone
from sigma_env.sigma.chainsaw_tree import Count, FieldCheck, Join, Negated, NumberIs, Panic, Tree
from sigma_env.sigma.chainsaw_values import NotLoaded
from sigma_env.sigma.switches import Switch

_STARRED: Final = re.compile(r"(?<![^ (])(all|1) of ([^\s()*]+)?\*(?=[ )]|$)")
_UNSTARRED: Final = re.compile(r"(?<![^ (])(all|1) of ([^\s()*]+)(\)?)(?=[ )]|$)")
_LENIENT: Final = re.compile(r"(?<![^\s(])(all|any|1)\s+of\s+([A-Za-z0-9_*]+)")
_WORD: Final = re.compile(r"[^\s()]+")
_OWN_NAME: Final = r"[A-Za-z#_][A-Za-z0-9_.#\[\]]*"
_ANY_NAME: Final = r"[A-Za-z0-9_-]+"
_FUNCTIONS: Final = frozenset({"all", "of", "int", "str", "flt"})


@lru_cache(maxsize=4)
def _token(strict: bool, own_names: bool) -> re.Pattern[str]:
    operator = r"(?:and|or|not) " if strict else r"(?:and|or|not)(?![A-Za-z0-9_-])"
    cast = r"|(?P<cast>not\()|(?P<sign>==|>=|<=|>|<)" if strict else ""
    name = _OWN_NAME if own_names else _ANY_NAME
    return re.compile(
        rf"\s*(?:(?P<op>{operator}){cast}|(?P<mark>[(),])|(?P<placed>\0)|(?P<name>{name})|(?P<number>[0-9]+))\s*"
    )


_TIGHTNESS: Final = {"chainsaw": {"or": 2, "and": 1}, "sigma": {"and": 2, "or": 1}}
_UNARY: Final = 3
_NUD: Final = (
    "invalid value: condition, failed to parse - an invalid token was encountered during parsing: NUD expected token"
)
_NO_NAME: Final = "invalid value: condition, failed to tokenise"
_DEEPEST: Final = 100
_PLACED: Final = "\0"
"""Stands in a condition for a tree that is already made."""
_LONGEST_NUMBER: Final = 18
_SIGNS: Final[dict[str, Any]] = {"==": "eq", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def condition_tree(written: Any, ids: Identifiers) -> Tree:
    """The tree of a rule: its condition over its identifiers.

    Raises:
        NotLoaded: it does not load, or panics while it does.
    """
    on = ids.on
    if isinstance(written, list) and len(written) != 1 and Switch.ONE_CONDITION not in on and written:
        return Join("or", tuple([condition_tree(one, ids) for one in written]), kept=True)
    text = split_aggregate(condition_text(written))[0]
    if _PLACED in text:
        raise NotLoaded(_NO_NAME)
    if len(text) > ids.limits.condition_chars:
        raise NotLoaded(f"a condition of {len(text)} characters; at most {ids.limits.condition_chars}")
    if Switch.CONDITION_GRAMMAR in on:
        text = " ".join(text.split())
        for operator in ("and", "or", "not"):
            text = text.replace(f" {operator.upper()} ", f" {operator} ")
    rewritten = _rewrite(text, ids)
    trees = ids.parse()
    return _Reader(rewritten, ids, trees).read()


def _rewrite(text: str, ids: Identifiers) -> str:
    """The condition with `… of …` and the names of lists written out."""
    on = ids.on
    if Switch.OF_FORMS not in on:
        return text
    if text in ("all of them", "1 of them"):
        names = [part for name in ids.own if _is_public(name, "", on) for part in _them(name, ids)]
        if not names:
            raise NotLoaded("could not find any applicable identifiers")
        return (" and " if text[0] == "a" else " or ").join(names)
    text = _STARRED.sub(lambda found: _of_pattern(found[1], found[2] or "", ids), text)
    text = _UNSTARRED.sub(_of_name, text)
    lists = {name for name, one in ids.named.items() if one.elements is not None}
    text = _WORD.sub(lambda found: _list_text(found[0], ids) if found[0] in lists else found[0], text)
    if _unsupported(text):
        raise NotLoaded(f"unsupported condition - {text}")
    return text


def _them(name: str, ids: Identifiers) -> list[str]:
    elements = ids.named[name].elements
    if elements is None:
        return [name]
    if Switch.THEM in ids.on:
        return list(elements)
    return [_list_text(name, ids)]


def _of_pattern(quantifier: str, prefix: str, ids: Identifiers) -> str:
    chosen: list[str] = []
    found = False
    for name in ids.own:
        if not _is_public(name, prefix, ids.on):
            continue
        elements = ids.named[name].elements
        if elements is None:
            if name.startswith(prefix):
                chosen.append(name)
                found = True
            continue
        taken = [part for part in elements if part.startswith(prefix)]
        found = found or bool(taken)
        lost = Switch.REPEATED_FIELD in ids.on
        visible = [part for part in taken if not (lost and ids.named[part].repeats)]
        if visible:
            chosen.append(_list_text(name, ids))
    ids.spend(len(chosen))
    if not found or not chosen:
        raise NotLoaded("could not find any applicable identifiers")
    return f"({(' and ' if quantifier == 'all' else ' or ').join(chosen)})"


def _is_public(name: str, pattern: str, on: frozenset[Switch]) -> bool:
    return Switch.UNDERSCORE_NAMES in on or pattern.startswith("_") or not name.startswith("_")


def _of_name(found: re.Match[str]) -> str:
    if found[3]:
        return ")"
    return f"all({found[2]})" if found[1] == "all" else f"of({found[2]}, 1)"


def _list_text(name: str, ids: Identifiers) -> str:
    elements = ids.named[name].elements or ()
    ids.spend(len(elements))
    return f"({' or '.join(elements)})"


def _unsupported(text: str) -> bool:
    return re.search(r"(?:^|[^A-Za-z0-9_])(?:all|any|[0-9]+) of ", text) is not None or bool(re.search(r" of ", text))


class _Token(NamedTuple):
    kind: str
    text: str


class _Reader:
    """A top-down operator-precedence parser over one condition."""

    def __init__(self, text: str, ids: Identifiers, trees: Mapping[str, Tree | None]) -> None:
        self.ids = ids
        self.trees = trees
        self.on = ids.on
        self.strict = Switch.CONDITION_GRAMMAR in self.on
        self.tight = _TIGHTNESS["chainsaw" if Switch.PRECEDENCE in self.on else "sigma"]
        self.placed: list[Tree] = []
        if Switch.OF_FORMS not in self.on:
            text = _LENIENT.sub(self._lenient_of, text)
        self.tokens = self._tokenise(text)
        self.at = 0
        self.depth = 0
        if self.strict:
            self._check_names()

    def _lenient_of(self, found: re.Match[str]) -> str:
        quantifier, pattern = found[1], found[2]
        if "*" not in pattern and pattern != "them":
            tree = self._all_of(pattern) if quantifier == "all" else self._one_of(pattern, 1)
        else:
            wanted = re.compile(".*" if pattern == "them" else ".*".join(map(re.escape, pattern.split("*"))))
            names = [n for n in self.ids.own if wanted.fullmatch(n) and _is_public(n, pattern, self.on)]
            if not names:
                raise NotLoaded("could not find any applicable identifiers")
            parts: list[Tree] = []
            for name in names:
                spread = pattern == "them" and Switch.THEM in self.on
                parts += [self._of(part) for part in _them(name, self.ids)] if spread else [self._of(name)]
            tree = parts[0] if len(parts) == 1 else Join("and" if quantifier == "all" else "or", tuple(parts))
        self.placed.append(tree)
        return _PLACED

    def _tokenise(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at, text = 0, text.strip()
        expression = _token(self.strict, Switch.NAME_CHARACTERS in self.on)
        while at < len(text):
            found = expression.match(text, at)
            if found is None or found.lastgroup is None:
                if self.strict:
                    raise NotLoaded(_NO_NAME)
                raise NotLoaded(f"condition '{text[:100]}' at character {at + 1}")
            tokens.append(_Token(found.lastgroup, found[found.lastgroup].strip()))
            self._check_beginning(tokens[-1].text)
            at = found.end()
        return tokens

    def _check_beginning(self, name: str) -> None:
        if name.startswith("_") and Switch.UNDERSCORE_NAMES in self.on:
            raise NotLoaded(_NO_NAME)

    def _check_names(self) -> None:
        tokens = self.tokens
        for i, (kind, text) in enumerate(tokens):
            if kind != "name":
                continue
            if i + 1 < len(tokens) and tokens[i + 1].text == "(" and text in _FUNCTIONS:
                continue
            if i and tokens[i - 1].kind == "cast":
                continue
            if i >= 2 and tokens[i - 1].text == "(" and tokens[i - 2].text in ("int", "str", "flt"):
                continue
            one = self.ids.named.get(text)
            if one is None or one.elements is not None or self._is_lost(text):
                raise NotLoaded(f"invalid condition: identifier not found - {text}")

    def _is_lost(self, name: str) -> bool:
        """Whether an element of a list is none any more, for a field stands twice in it."""
        if Switch.REPEATED_FIELD not in self.on or not self.ids.named[name].repeats:
            return False
        return name in self.ids.elements

    def read(self) -> Tree:
        tree = self._expression(0)
        if self.at < len(self.tokens):
            self._nud()
        if isinstance(tree, Panic):
            raise NotLoaded(f"not solveable - {tree.reason}")
        return tree

    def _nud(self) -> NoReturn:
        raise NotLoaded(_NUD)

    def _peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def _next(self) -> _Token:
        if self.at >= len(self.tokens):
            self._nud()
        self.at += 1
        return self.tokens[self.at - 1]

    def _operator(self) -> str:
        return self._peek() if self.at < len(self.tokens) and self.tokens[self.at].kind == "op" else ""

    def _expression(self, tightness: int) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotLoaded("the condition is nested too deeply")
        left = self._operand()
        while self.tight.get(operator := self._operator(), 0) > tightness:
            self.at += 1
            right = self._expression(self.tight[operator])
            left = Join(operator, (left, right), grouped=False)  # type: ignore[arg-type]  # a key of `tight`
        self.depth -= 1
        return left

    def _operand(self) -> Tree:
        kind, text = self._next()
        if text == "(":
            inside = self._expression(0)
            if self._peek() == ")":
                self.at += 1
            elif self._peek() or not self.strict:
                self._nud()
            return inside
        if kind == "op" and text == "not":
            part = self._expression(_UNARY)
            return part.part if isinstance(part, Negated) else Negated(part)
        if kind == "cast":
            return Panic(f"cast(not({self._argument()}))")
        if kind == "placed":
            return self.placed.pop(0)
        if kind != "name":
            self._nud()
        if self._peek() == "(":
            return self._function(text)
        return self._of(text)

    def _argument(self) -> str:
        """The name in the parentheses that stand here, or have just begun."""
        if self._peek() == "(":
            self.at += 1
        name = self._next().text
        if self._peek() == ")":
            self.at += 1
        return name

    def _function(self, name: str) -> Tree:
        if name == "all":
            return self._all_of(self._argument())
        if name == "of":
            self.at += 1
            inside = self._next().text
            if self._next().text != "," or not (count := self._next().text).isdigit():
                self._nud()
            if self._peek() == ")":
                self.at += 1
            return self._one_of(inside, int(count))
        if name == "int" and Switch.FIELD_MAPPING in self.on:
            field, sign, number = self._argument(), self._peek(), ""
            if sign in _SIGNS:
                self.at += 1
                number = self._next().text
            if number.isdigit() and len(number) <= _LONGEST_NUMBER:
                check_path(field, self.on)
                return FieldCheck(f"int({field})", "number", (NumberIs(_SIGNS[sign], int(number)),))
        if name in _FUNCTIONS:
            raise NotLoaded(f"condition: {name}(…) is only served as int(field), compared with a whole number")
        return self._nud()

    def _of(self, name: str) -> Tree:
        identifier = self.ids.named.get(name)
        self.ids.spend(1)
        if identifier is None:
            raise NotLoaded(f"invalid condition: identifier not found - {name}")
        if identifier.elements is not None:
            if not identifier.elements:
                self._nud()
            parts = tuple([self._of(part) for part in identifier.elements])
            return _folded("or", parts)
        return self._single(name)

    def _single(self, name: str) -> Tree:
        self._check_beginning(name)
        tree = self.trees.get(name)
        if tree is None or self._is_lost(name):
            raise NotLoaded(f"invalid condition: identifier not found - {name}")
        return tree

    def _all_of(self, name: str) -> Tree:
        if Switch.ALL_OF_NAME not in self.on:
            return self._of(name)
        tree = self._single(name)
        if self.ids.named[name].repeats:
            raise NotLoaded("invalid value: condition, failed to parse - NUD expected right parenthesis")
        if isinstance(tree, FieldCheck):
            return tree._replace(every=True) if len(tree.patterns) > 1 else tree
        if isinstance(tree, Join):
            return Join("and", tree.parts, grouped=True, kept=True)
        return tree

    def _one_of(self, name: str, count: int) -> Tree:
        if Switch.ONE_OF_NAME not in self.on:
            return self._of(name)
        tree = self._single(name)
        if self.ids.named[name].repeats:
            raise NotLoaded("invalid value: condition, failed to parse - NUD expected comma")
        if count == 1:
            if isinstance(tree, Join) and len(self.ids.named[name].lines) > 1:
                return Join("or", tree.parts, grouped=True, kept=True)
            return tree._replace(kept=True) if isinstance(tree, Join) else tree
        return Count(count, _texts(tree))


def _texts(tree: Tree) -> tuple[Tree, ...]:
    """The tests that `of(x, n)` counts: each text of a list by itself."""
    if isinstance(tree, Join):
        return tree.parts
    if isinstance(tree, FieldCheck) and tree.kind == "text":
        return each_alone(tree)
    return (tree,)


def _folded(op: Any, parts: tuple[Tree, ...]) -> Tree:
    tree = parts[0]
    for part in parts[1:]:
        tree = Join(op, (tree, part), grouped=False)
    return tree
