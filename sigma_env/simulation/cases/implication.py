"""What the truth of one line of a rule says about another line of its field."""

from sigma_env.sigma.rule import FieldTest, Pattern, Text, Value
from sigma_env.simulation.sloppy.tree import same_pattern


def line_implies(one: FieldTest, other: FieldTest) -> bool:
    """Whether a line's truth implies that of another of its field."""
    if other.all:
        return all(any(implies(v, w) for v in one.values) for w in other.values) if one.all else False
    if one.all:
        return any(implies(v, w) for v in one.values for w in other.values)
    return all(any(implies(v, w) for w in other.values) for v in one.values)


def implies(one: Value, other: Value) -> bool:
    """Whether every text that a written value accepts is one that another accepts."""
    return all(any(_pattern_implies(p, q) for q in other.alternatives) for p in one.alternatives)


def _pattern_implies(one: Pattern, other: Pattern) -> bool:
    """Whether every text that a pattern accepts is one that another accepts."""
    if same_pattern(one, other):
        return True
    if not isinstance(one, Text) or not isinstance(other, Text) or one.cased != other.cased:
        return False
    if one.op == "equals":
        return _accepts(other, one.text)
    if other.op == "contains":
        return other.text in one.text
    return one.op == other.op and _accepts(other, one.text)


def _accepts(pattern: Text, text: str) -> bool:
    if pattern.op == "contains":
        return pattern.text in text
    if pattern.op == "equals":
        return text == pattern.text
    return text.startswith(pattern.text) if pattern.op == "startswith" else text.endswith(pattern.text)


def contradicts_line(value: Value, line: FieldTest) -> bool:
    """Whether a value and a line cannot both hold on the one text of a field."""
    against = [all(_contradicts(p, q) for p in value.alternatives for q in v.alternatives) for v in line.values]
    return any(against) if line.all else all(against)


def _contradicts(one: Pattern, other: Pattern) -> bool:
    if not isinstance(one, Text) or not isinstance(other, Text) or one.cased != other.cased:
        return False
    if one.op == "equals":
        return not _accepts(other, one.text)
    if other.op == "equals":
        return not _accepts(one, other.text)
    if one.op != other.op or one.op == "contains":
        return False
    shorter, longer = sorted((one, other), key=lambda text: len(text.text))
    return not _accepts(shorter, longer.text)
