"""What one pattern's truth says of another's, for texts of one field; False where it is not certain.

The simulator has a proof of its own that two conditions mean the same. This one shares nothing with it, so that what
the simulator gave up on is not excused by the simulator.
"""

from sigma_env.engines.evaluator import glob_holds, value_holds
from sigma_env.sigma.rule import (
    AnyText,
    Cidr,
    Compare,
    Exists,
    FieldRef,
    Glob,
    Null,
    Pattern,
    Text,
    Value,
    Wildcard,
)

_ABOUT_ABSENCE = (Null, Exists)
# Characters that no pattern has, so that only a wildcard can take them.
_ANYTHING = "\ue000"
_STANDS_FOR = {Wildcard.MANY: _ANYTHING, Wildcard.ONE: "\ue001"}


def implies(one: Value, other: Value) -> bool:
    """Whether a field on which one written value holds is surely one on which another does."""
    return all(any(_implies(p, q) for q in other.alternatives) for p in one.alternatives)


def excludes(one: Value, other: Value) -> bool:
    """Whether two written values surely cannot hold on one text of a field that has a single value."""
    return all(_excludes(p, q) for p in one.alternatives for q in other.alternatives)


def _implies(one: Pattern, other: Pattern) -> bool:
    if one == other:
        return True
    if isinstance(one, _ABOUT_ABSENCE):
        return False
    if isinstance(other, AnyText) or other == Exists(True):
        return True
    exact = _on_exact(one, other)
    if exact is not None:
        return exact
    if not isinstance(other, Text | Glob) or (other.cased and not _is_cased(one)):
        return False
    if isinstance(other, Glob):
        return _fits(one, other)
    begin, middle, end = _known_parts(one)
    if not other.cased:
        begin, middle, end = begin.lower(), [part.lower() for part in middle], end.lower()
    if other.op == "contains":
        return any(other.text in part for part in (begin, *middle, end))
    if other.op == "startswith":
        return bool(begin) and begin.startswith(other.text)
    return other.op == "endswith" and bool(end) and end.endswith(other.text)


def _fits(one: Pattern, other: Glob) -> bool:
    """Whether a wildcard pattern accepts whatever one accepts: it takes one's own wildcards for text of its own."""
    if not isinstance(one, Text | Glob) or Wildcard.ONE in other.parts:
        return False
    if isinstance(one, Text):
        before = "" if one.op in ("equals", "startswith") else _ANYTHING
        text = before + one.text + ("" if one.op in ("equals", "endswith") else _ANYTHING)
    else:
        text = "".join(_STANDS_FOR[part] if isinstance(part, Wildcard) else part for part in one.parts)
    return glob_holds(other.parts, text if other.cased else text.lower())


def _excludes(one: Pattern, other: Pattern) -> bool:
    if isinstance(one, FieldRef) or isinstance(other, FieldRef):
        return False
    if isinstance(one, Null) or isinstance(other, Null):
        return not isinstance(one, _ABOUT_ABSENCE) or not isinstance(other, _ABOUT_ABSENCE)
    for left, right in ((one, other), (other, one)):
        exact = _on_exact(left, right)
        if exact is not None:
            return not exact
    if not isinstance(one, Text | Glob) or not isinstance(other, Text | Glob):
        return False
    (begin, _, end), (other_begin, _, other_end) = _lowered(one), _lowered(other)
    shorter, longer = sorted((begin, other_begin), key=len)
    ends = sorted((end, other_end), key=len)
    return not longer.startswith(shorter) or not ends[1].endswith(ends[0])


def _on_exact(one: Pattern, other: Pattern) -> bool | None:
    """What another pattern comes to on the only text that one accepts; None if that is open."""
    if not isinstance(one, Text) or one.op != "equals":
        return None
    if isinstance(other, Text | Glob):
        decided = one.cased or not other.cased
    else:
        decided = isinstance(other, Cidr | Compare | AnyText)  # an expression may mind the case
    return value_holds(other, one.text) if decided else None


def _is_cased(pattern: Pattern) -> bool:
    return isinstance(pattern, Text | Glob) and pattern.cased


def _known_parts(pattern: Pattern) -> tuple[str, list[str], str]:
    """What an accepted text surely begins with, has in it and ends with."""
    if isinstance(pattern, Text):
        text, whole = pattern.text, pattern.op == "equals"
        return (
            text if whole or pattern.op == "startswith" else "",
            [text],
            text if whole or pattern.op == "endswith" else "",
        )
    if isinstance(pattern, Glob):
        parts = pattern.parts
        first = parts[0] if not isinstance(parts[0], Wildcard) else ""
        last = parts[-1] if not isinstance(parts[-1], Wildcard) else ""
        return first, [part for part in parts if not isinstance(part, Wildcard)], last
    return "", [], ""


def _lowered(pattern: Pattern) -> tuple[str, list[str], str]:
    begin, middle, end = _known_parts(pattern)
    return begin.lower(), middle, end.lower()
