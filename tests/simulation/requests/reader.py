"""Reads a request's facts back into a logsource and a condition, independently of the code that wrote them.

It shares only the vocabulary (phrases for logs, fields and comparisons) with the writer.
"""

from __future__ import annotations

import re
from typing import Any

from sigma_env.sigma.limits import RULE_LIMITS
from sigma_env.sigma.modifiers import make_value, parse_chain
from sigma_env.sigma.rule import And, FieldRef, FieldTest, LogSource, Node, Not, Or, Selection, Text, Value
from sigma_env.simulation.requests import prose, words
from sigma_env.simulation.requests.voices import voice

Tree = tuple[Any, ...]

_QUOTED = re.compile(r"(`{2,}) (.*?) \1(?!`)|`([^`]*)`|\"([^\"]*)\"|«([^»]*)»", re.DOTALL)
_VALUE = re.compile(r"\x00(\d+)\x01|-?\d+(?:\.\d+)?")
_BULLET = re.compile(r"( *)(?:-|\*|\d+\.|[a-z]\)) ")
_NOUNS = ("patterns", "pattern", "regular expressions", "regular expression", "networks", "network")


def canonical(node: Node, negated: bool = False) -> Tree:
    """A condition with `not` at the lines only, flat and without order; a line's values one by one."""
    if isinstance(node, Selection):
        return canonical(node.child, negated)
    if isinstance(node, Not):
        return canonical(node.child, not negated)
    if isinstance(node, And | Or):
        return _join(isinstance(node, And) != negated, [canonical(child, negated) for child in node.children])
    turned = negated != node.negated
    leaves = [_leaf(node.field, value.alternatives, turned) for value in node.values]
    return _join(node.all != turned, leaves)


def _leaf(field: str | None, alternatives: tuple[Any, ...], negated: bool) -> Tree:
    # Case means nothing to an empty text.
    patterns = frozenset(Text("equals", "") if one == Text("equals", "", True) else one for one in alternatives)
    return ("not" if negated else "is", field, patterns)


def _join(is_and: bool, trees: list[Tree]) -> Tree:
    operator = "and" if is_and else "or"
    flat: set[Tree] = set()
    for tree in trees:
        flat |= tree[1] if tree[0] == operator else {tree}
    return next(iter(flat)) if len(flat) == 1 else (operator, frozenset(flat))


def read(facts: str, persona: str, logsources: list[LogSource]) -> tuple[LogSource, Tree]:
    """The logsource, one of `logsources`, and the canonical condition that the facts say."""
    return _Reader(facts, persona, logsources).read()


class _Reader:
    def __init__(self, facts: str, persona: str, logsources: list[LogSource]) -> None:
        self.quoted: list[str] = []
        self.text = _QUOTED.sub(self._put_aside, facts)
        self.at = 0
        self.style = voice(persona).style
        self.logsources = logsources
        self.category: str | None = None
        self.last_field: str | None = None

    def _put_aside(self, match: re.Match[str]) -> str:
        self.quoted.append(next(group for group in match.groups()[1:] if group is not None))
        return f"\x00{len(self.quoted) - 1}\x01"

    # Steps

    def fail(self, wanted: str) -> AssertionError:
        return AssertionError(f"{wanted} expected at: {self.text[self.at : self.at + 120]!r} of {self.text!r}")

    def take(self, *options: str) -> str | None:
        for option in sorted(options, key=len, reverse=True):
            if self.text.startswith(option, self.at):
                self.at += len(option)
                return option
        return None

    def need(self, *options: str) -> str:
        found = self.take(*options)
        if found is None:
            raise self.fail(" or ".join(options))
        return found

    # Structure

    def read(self) -> tuple[LogSource, Tree]:
        logsource = self.logsource()
        self.category = logsource.category
        self.take(" ", "\n")
        if self.take(prose.EVERY):
            wanted = None
        else:
            self.need(*(f"{lead} " for lead in self.style.match))
            wanted = self.paragraph()
        self.take(" ", "\n")
        unwanted = None
        if self.take(*(f"{lead} " for lead in self.style.exclude)):
            unwanted = self.paragraph()
        if self.at != len(self.text):
            raise self.fail("the end")
        parts = [node for node in (wanted, unwanted and Not(unwanted)) if node is not None]
        return logsource, canonical(And(tuple(parts)))

    def logsource(self) -> LogSource:
        found = {}
        for logsource in self.logsources:
            for phrase in words.log_phrases(logsource):
                for template in self.style.log:
                    sentence = _QUOTED.sub("\x00", template.format(log=phrase, records=words.records(phrase)))
                    if self.text.startswith(sentence):
                        found[sentence] = logsource
        assert found, self.text
        sentence = max(found, key=len)
        self.at = len(sentence)
        return found[sentence]

    def paragraph(self) -> Node:
        heading = self.take(*prose.ALL, *prose.ANY)
        if heading is not None:
            return self.listed(heading, 0)
        node = self.fact(depth=-1) if self._is_long_fact() else self.expression()
        if self.text[self.at - 1] != "\x01" or not self._in_list:
            self.need(".")
        return node

    _in_list = False

    def _is_long_fact(self) -> bool:
        line = self.text[self.at :].split("\n")[0]
        self._in_list = line.endswith(":")
        return self._in_list

    def listed(self, heading: str, depth: int) -> Node:
        nodes = []
        while True:
            before = self.at
            if not self.take("\n"):
                break
            bullet = _BULLET.match(self.text, self.at)
            if bullet is None or len(bullet[1]) != 2 * depth:
                self.at = before
                break
            self.at = bullet.end()
            nodes.append(self.item(depth))
        assert nodes, self.text
        joined: Node = And(tuple(nodes)) if heading in (*prose.ALL, prose.NOT_ALL) else Or(tuple(nodes))
        return Not(joined) if heading in (prose.NOT_ALL, prose.NONE) else joined

    def item(self, depth: int) -> Node:
        heading = self.take(*prose.ALL, *prose.ANY, prose.NOT_ALL, prose.NONE)
        if heading is not None:
            return self.listed(heading, depth + 1)
        if self.text[self.at :].split("\n")[0].endswith(":"):
            return self.fact(depth)
        self.take("either ")
        return self.expression()

    def expression(self) -> Node:
        nodes = [self.operand()]
        operator = None
        while found := self.take(", and ", ", or ", " and ", " or "):
            word = found.strip(", ")
            assert operator in (None, word), f"'and' beside 'or' in {self.text!r}"
            operator = word
            nodes.append(self.operand())
        return And(tuple(nodes)) if operator != "or" else Or(tuple(nodes))

    def operand(self) -> Node:
        if self.take(f"{prose.NOT} ("):
            node: Node = Not(self.expression())
            self.need(")")
            return node
        if self.take("("):
            self.take("either ")
            node = self.expression()
            self.need(")")
            return node
        return self.fact()

    # Facts

    def field(self) -> str | None:
        if self.take("it "):
            self.at -= 1
            return self.last_field
        if self.take(words.ANY_FIELD):
            return None
        self.take("the field ")
        if match := re.compile(r"\x00(\d+)\x01").match(self.text, self.at):
            self.at = match.end()
            return self.quoted[int(match[1])]
        names = {}
        for name in words.named_fields():
            category, _, field = name.rpartition("/")
            if not category:
                names.update(dict.fromkeys(words.field_phrases(field, self.category), field))
        return names[self.need(*names)]

    def fact(self, depth: int | None = None) -> Node:
        self.last_field = field = self.field()
        self.need(" ")
        forms = {
            form: (operation, at == 1) for operation, pair in words.OPERATIONS.items() for at, form in enumerate(pair)
        }
        forms |= {words.NUMBER[0]: ("equals", False), words.NUMBER[1]: ("equals", True)}
        operation, negated = forms[self.need(*forms)]
        if operation in ("null", "empty", "any", "present", "absent"):
            return self.test(field, operation, [""], False, [], [], negated)
        is_all = False
        noun = None
        if phrase := self.take(
            *(f"{start}{noun}" for start in (" the ", " all of the ", " any of the ") for noun in _NOUNS)
        ):
            noun = phrase.removesuffix("s").split()[-1]
            is_all = phrase.startswith(" all")
        if depth is not None:
            is_all = self.need(" all of these", " any of these", " one of these").startswith(" all")
            if phrase := self.take(*(f" {noun}" for noun in _NOUNS)):
                noun = phrase.removesuffix("s").split()[-1]
            flags, encoding = self.notes()
            self.need(":")
            values = self.bullets(depth + 1)
        else:
            word = self.take(" all of", " any of", " one of", " both", " either", " neither")
            is_all = is_all or word in (" all of", " both")
            negated = negated or word == " neither"
            self.need(" ")
            values = self.values()
            flags, encoding = self.notes()
        if noun is not None and noun == "pattern":
            operation = "equals"
        return self.test(field, operation, values, is_all, flags, encoding, negated)

    def values(self) -> list[str]:
        values = [self.value()]
        while True:
            before = self.at
            if not self.take(", ", " or ", " and ", " nor ") or not self._is_value():
                self.at = before
                return values
            values.append(self.value())

    def _is_value(self) -> bool:
        """Whether a value stands here and not the field of the next fact."""
        match = _VALUE.match(self.text, self.at)
        if match is None:
            return False
        rest = self.text[match.end() :]
        forms = [form for pair in (*words.OPERATIONS.values(), words.NUMBER) for form in pair]
        return not rest.startswith(tuple(f" {form}" for form in forms))

    def value(self) -> str:
        match = _VALUE.match(self.text, self.at)
        if match is None:
            return str(self.field())
        self.at = match.end()
        return match[0] if match[1] is None else self.quoted[int(match[1])]

    def bullets(self, depth: int) -> list[str]:
        values = []
        while self.take(f"\n{'  ' * depth}- \x00"):
            self.at -= 1
            values.append(self.value())
        return values

    def notes(self) -> tuple[list[str], list[str]]:
        flags: list[str] = []
        encoding: list[str] = []
        by_phrase = {phrase: flag for flag, phrase in words.FLAGS.items()}
        steps = {phrase: step for step, phrase in words.ENCODINGS.items()}
        if not self.take(" ("):
            return flags, encoding
        while True:
            if self.take(words.ENCODED):
                encoding.append(steps[self.need(*steps)])
                while self.take(", then "):
                    encoding.append(steps[self.need(*steps)])
            elif not self.take(words.KEYWORDS_ALL):
                flags.append(by_phrase[self.need(*by_phrase)])
                self.take(words.ESCAPED)
            if self.take(")"):
                return flags, encoding
            self.need("; ")

    def test(
        self, field: str | None, operation: str, texts: list[str], is_all: bool, flags: list[str],
        encoding: list[str], negated: bool,
    ) -> Node:  # fmt: skip
        if operation.startswith("ref_"):
            place = operation.removeprefix("ref_")
            references = [FieldRef(text, place) for text in texts]  # type: ignore[arg-type]
            leaves: list[Node] = [FieldTest(field, (), (_value(reference),)) for reference in references]
        else:
            leaves = [self._leaf(field, operation, text, flags, encoding) for text in texts]
        node: Node = And(tuple(leaves)) if is_all else Or(tuple(leaves))
        return Not(node) if negated else node

    def _leaf(self, field: str | None, operation: str, text: str, flags: list[str], encoding: list[str]) -> Node:
        names: list[str] = []
        written: Any = text if "wild" in flags else re.sub(r"([\\*?])", r"\\\1", text)
        match operation:
            case "null":
                written = None
            case "any":
                written = "*"
            case "present" | "absent":
                names, written = ["exists"], operation == "present"
            case "regex":
                names = ["re", *(flag[0] for flag in ("ignorecase", "multiline") if flag in flags)]
                names += ["s"] if "dotall" in flags else []
                written = text
            case "cidr":
                names, written = ["cidr"], text
            case "gt" | "gte" | "lt" | "lte":
                names, written = [operation], float(text) if "." in text else int(text)
            case _:
                names = ["windash"] if "windash" in flags else []
                names += encoding
                names += ["cased"] if "cased" in flags else []
                names += [operation] if operation in ("startswith", "endswith", "contains") else []
        # A keyword's `contains` is not written; what is written keeps it a whole value.
        chain = parse_chain(tuple(names), False)
        return FieldTest(field, tuple(names), (make_value(chain, written, False, RULE_LIMITS),))


def _value(pattern: Any) -> Any:
    return Value("", (pattern,))
