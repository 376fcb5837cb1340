"""Facts in words: exact, and plain to read. One grammar for all personas, so that it can be read back.

A fact is a field, a comparison and quoted texts. Few short facts make a sentence; more make a list, in which each
item is a fact, a short `either … or …`, or a list of its own.
"""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from sigma_env.sigma.rule import Rule
from sigma_env.simulation.requests import words
from sigma_env.simulation.requests.clauses import (
    Clause,
    Fact,
    Joint,
    Never,
    clause_of,
    joint,
)

ALL: Final = ("all of these are true:", "all of the following hold:")
ANY: Final = ("at least one of these is true:", "any of the following holds:")
NOT_ALL: Final = "these are not all true at once:"
NONE: Final = "none of these is true:"
NOT: Final = "it is not the case that"
EVERY: Final = "Every such event counts."
"""Of a rule that says only what does not count."""

QUOTES: Final = (("`", "`"), ('"', '"'), ("«", "»"))
_LONGEST_ITEM: Final = 170
"""Characters of an `either … or …` in a list."""
_LONG_LIST: Final = 6
"""Values that stand on lines of their own, in a list, if there are more."""
_ESCAPES: Final = ("\\*", "\\?", "\\\\")


class Style(NamedTuple):
    """How a persona writes facts.

    Attributes:
        quote: position in QUOTES of the preferred marks.
        names: whether fields are called by their own names.
        bullet: "-", "*" or "1." (numbered).
        sentence: most characters of a condition that is written as a sentence.
        log: sentences with `{log}`.
        match: beginnings of a sentence or heading that says when an event counts.
        exclude: the same for exceptions.
    """

    quote: int
    names: bool
    bullet: str
    sentence: int
    log: tuple[str, ...]
    match: tuple[str, ...]
    exclude: tuple[str, ...]


def _split(clause: Clause) -> tuple[Clause | None, Clause | None]:
    """What must hold, and what must not hold beside it; None where there is nothing."""
    if isinstance(clause, Never):
        return None, clause.child
    if not isinstance(clause, Joint) or clause.operator == "or":
        return clause, None
    wanted = [child for child in clause.children if not isinstance(child, Never)]
    unwanted = [child.child for child in clause.children if isinstance(child, Never)]
    return _joined("and", wanted), _joined("or", unwanted)


def _joined(operator: Literal["and", "or"], clauses: Sequence[Clause]) -> Clause | None:
    return joint(operator, clauses) if clauses else None


class FactWriter:
    """Writes facts in one style; a field has one name all through it.

    Args:
        style: the persona's.
        category: of the rule's logsource.
        rng: chooses between ways to say the same.
    """

    def __init__(self, style: Style, category: str | None, rng: random.Random) -> None:
        self._style = style
        self._category = category
        self._rng = rng
        self._called: dict[str, str] = {}

    def facts(self, rule: Rule) -> str:
        """All that a rule says: its log, what must hold, and what must not."""
        phrase = self._rng.choice(words.log_phrases(rule.logsource))
        log = self._rng.choice(self._style.log).format(log=phrase, records=words.records(phrase))
        wanted, exceptions = _split(clause_of(rule.condition))
        paragraphs = [log, self._paragraph(self._rng.choice(self._style.match), wanted)]
        if exceptions is not None:
            paragraphs.append(self._paragraph(self._rng.choice(self._style.exclude), exceptions))
        text = paragraphs[0]
        for before, paragraph in pairwise(paragraphs):
            text += ("\n" if "\n" in before or "\n" in paragraph else " ") + paragraph
        return text

    def _paragraph(self, lead: str, clause: Clause | None) -> str:
        """A sentence, or a heading with a list."""
        if clause is None:
            return EVERY
        sentence = self._inline(clause)
        if sentence is not None and (len(sentence) <= self._style.sentence or not isinstance(clause, Joint)):
            is_long = len(sentence) > self._style.sentence
            first, *rest = self._item(clause, -1) if is_long else [sentence]
            return "\n".join([f"{lead} {first}{'' if rest else '.'}", *rest])
        if not isinstance(clause, Joint):
            clause = Joint("and", (clause,))
        heading = self._rng.choice(ALL if clause.operator == "and" else ANY)
        return "\n".join([f"{lead} {heading}", *self._items(clause.children, 0)])

    def _items(self, clauses: Sequence[Clause], depth: int) -> list[str]:
        """A list of clauses."""
        lines: list[str] = []
        for number, clause in enumerate(clauses):
            first, *rest = self._item(clause, depth)
            lines.append(f"{'  ' * depth}{self._bullet(number, depth)} {first}")
            lines.extend(rest)
        return lines

    def _item(self, clause: Clause, depth: int) -> list[str]:
        """An item of a list: its first line without indentation, and the lines below."""
        if isinstance(clause, Fact) and len(clause.texts) > _LONG_LIST:
            return self._long_fact(clause, depth)
        sentence = self._inline(clause)
        if sentence is not None and (not isinstance(clause, Joint) or len(sentence) <= _LONGEST_ITEM):
            is_either = isinstance(clause, Joint) and clause.operator == "or"
            return [f"either {sentence}" if is_either else sentence]
        is_negative = isinstance(clause, Never)
        inner = clause.child if isinstance(clause, Never) else clause
        children = inner.children if isinstance(inner, Joint) else (inner,)
        is_and = isinstance(inner, Joint) and inner.operator == "and"
        headings = ((ANY[0], NONE), (ALL[0], NOT_ALL))
        return [headings[is_and][is_negative], *self._items(children, depth + 1)]

    def _inline(self, clause: Clause) -> str | None:
        """A clause as part of a sentence; None if it nests too deeply for one."""
        if isinstance(clause, Fact):
            return self._fact(clause)
        if isinstance(clause, Never):
            if isinstance(clause.child, Fact):
                return self._fact(clause.child, negative=True)
            inner = self._flat(clause.child)
            return None if inner is None else f"{NOT} ({inner})"
        parts = []
        before: str | None = ""
        for child in clause.children:
            if isinstance(child, Joint):
                inner = self._flat(child)
                part = None if inner is None else f"({'either ' if child.operator == 'or' else ''}{inner})"
            else:
                part = self._inline(child)
            if part is None:
                return None
            fact = _fact_in(child)
            if fact is not None and fact.field is not None and fact.field == before:
                part = f"it{part.removeprefix(self.field(before))}"
            before = fact.field if fact is not None else ""
            parts.append(part)
        is_short = len(parts) == 2 and not any(len(_texts_of(child)) > 1 for child in clause.children)
        return (f" {clause.operator} " if is_short else f", {clause.operator} ").join(parts)

    def _flat(self, clause: Clause) -> str | None:
        """A joint of facts without parentheses in it."""
        if isinstance(clause, Joint) and not all(_is_simple(child) for child in clause.children):
            return None
        return self._inline(clause)

    def _fact(self, fact: Fact, *, negative: bool = False) -> str:
        """A fact, or its opposite, as a clause of a sentence."""
        noun, values = self._noun(fact), self._values(fact)
        field, operation = self.field(fact.field), self._operation(fact, negative=negative)
        if not values:
            return f"{field} {operation}"
        last = "and" if fact.all else "or"
        if noun:
            number = "the" if len(values) == 1 else "all of the" if fact.all else "any of the"
            operation += f" {number} {noun}{'s' if len(values) > 1 else ''}"
        elif len(values) == 2 and fact.how.operation == "equals" and not fact.all:
            operation, last = ("is neither", "nor") if negative else ("is either", "or")
        elif len(values) == 2:
            operation += " both" if fact.all else " either"
        elif len(values) > 2:
            operation += " all of" if fact.all else " one of" if fact.how.operation == "equals" else " any of"
        listed = values[0] if len(values) == 1 else f"{', '.join(values[:-1])} {last} {values[-1]}"
        return f"{field} {operation} {listed}{self._notes(fact)}"

    def _long_fact(self, fact: Fact, depth: int) -> list[str]:
        """A fact with a list of its texts below."""
        noun = self._noun(fact)
        these = f"{'all' if fact.all else 'one' if fact.how.operation == 'equals' else 'any'} of these"
        head = f"{self.field(fact.field)} {self._operation(fact, negative=False)} {these}"
        indentation = "  " * (depth + 1)
        listed = [f"{indentation}- {value}" for value in self._values(fact)]
        return [f"{head}{f' {noun}s' if noun else ''}{self._notes(fact)}:", *listed]

    def _noun(self, fact: Fact) -> str:
        if fact.how.operation == "equals" and "wild" not in fact.how.flags:
            return ""
        return words.NOUNS.get(fact.how.operation, "")

    def _operation(self, fact: Fact, *, negative: bool) -> str:
        operation, flags = fact.how.operation, fact.how.flags
        forms = words.OPERATIONS[operation]
        if operation == "equals" and "number" in flags:
            forms = words.NUMBER
        elif operation == "equals" and "wild" in flags:
            forms = words.PATTERN
        return forms[negative]

    def _values(self, fact: Fact) -> list[str]:
        if fact.how.operation.startswith("ref_"):
            return [self.field(text) for text in fact.texts]
        return list(fact.texts) if "number" in fact.how.flags else [self.quoted(text) for text in fact.texts]

    def _notes(self, fact: Fact) -> str:
        how = fact.how
        notes = [words.FLAGS[flag] for flag in how.flags if flag in words.FLAGS]
        if "wild" in how.flags and any(escape in text for text in fact.texts for escape in _ESCAPES):
            notes[0] += words.ESCAPED
        if how.encoding:
            notes.append(words.ENCODED + ", then ".join(words.ENCODINGS[step] for step in how.encoding))
        if fact.field is None and fact.all:
            notes.append(words.KEYWORDS_ALL)
        return f" ({'; '.join(notes)})" if notes else ""

    def field(self, field: str | None) -> str:
        """What a field is called."""
        if field is None:
            return words.ANY_FIELD
        if field not in self._called:
            phrases = () if self._style.names else words.field_phrases(field, self._category)
            own = self.quoted(field) if self._style.names else f"the field {self.quoted(field)}"
            self._called[field] = self._rng.choice(phrases) if phrases else own
        return self._called[field]

    def quoted(self, text: str) -> str:
        """The text verbatim, in quotes."""
        return quoted(text, self._style.quote)

    def _bullet(self, number: int, depth: int) -> str:
        if self._style.bullet != "1.":
            return self._style.bullet
        if depth > 1 or number >= 26:
            return "-"
        return f"{number + 1}." if depth == 0 else f"{chr(ord('a') + number)})"


def _is_simple(clause: Clause) -> bool:
    return _fact_in(clause) is not None


def _fact_in(clause: Clause) -> Fact | None:
    """The fact that a clause is, or that it denies."""
    inner = clause.child if isinstance(clause, Never) else clause
    return inner if isinstance(inner, Fact) else None


def _texts_of(clause: Clause) -> tuple[str, ...]:
    fact = _fact_in(clause)
    return ("", "") if fact is None else fact.texts


def quoted(text: str, preferred: int) -> str:
    """The text verbatim between marks that it does not hold itself; `preferred` is a position in QUOTES."""
    if not text:
        return '""'  # two backticks would begin a fence
    for opening, closing in (QUOTES[preferred], *QUOTES):
        if opening not in text and closing not in text:
            return f"{opening}{text}{closing}"
    fence = "`" * (max(map(len, _runs_of_backticks(text)), default=0) + 2)
    return f"{fence} {text} {fence}"


def _runs_of_backticks(text: str) -> list[str]:
    runs, run = [], ""
    for character in text:
        run = run + character if character == "`" else ""
        runs.append(run)
    return runs
