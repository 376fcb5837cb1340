"""In which partitions a program can match at all: most rules name fields that few of them have."""

from collections.abc import Callable, Sequence

from sigma_env.sigma.chainsaw_tree import Count, FieldCheck, Join, Negated, NumberIs, Panic, Tied, Tree

_FIELDS_KEPT = 2_048


class Whereabouts:
    """Which partitions have a field, as bit sets of their numbers.

    Args:
        having: the partitions that have a field.
        event_ids: of each partition.
    """

    def __init__(self, having: Callable[[str], int], event_ids: Sequence[int]) -> None:
        self._having = having
        self._everywhere = (1 << len(event_ids)) - 1
        self._with_id: dict[int, int] = {}
        for number, event_id in enumerate(event_ids):
            self._with_id[event_id] = self._with_id.get(event_id, 0) | 1 << number
        self._known: dict[str, int] = {}

    def of(self, tree: Tree) -> int:
        """The partitions outside which a tree is surely not True, and does not panic."""
        if isinstance(tree, FieldCheck):
            return self._of_check(tree)
        if isinstance(tree, Tied) or (isinstance(tree, Join) and tree.op == "and"):
            found = self._everywhere
            for part in tree.parts:
                if not isinstance(part, FieldCheck) and _may_panic(part):
                    return found
                found &= self.of(part)
                if not found:
                    break
            return found
        if isinstance(tree, Join):
            found = 0
            for part in tree.parts:
                found |= self.of(part)
                if found == self._everywhere:
                    break
            return found
        return self._everywhere

    def _of_check(self, check: FieldCheck) -> int:
        if check.kind == "never":
            return 0
        if check.field == "EventID" and check.kind == "number" and check.strict:
            found = 0
            for pattern in check.patterns:
                if not isinstance(pattern, NumberIs) or pattern.op != "eq":
                    return self._everywhere
                found |= self._with_id.get(pattern.number, 0) if isinstance(pattern.number, int) else 0
            return found
        found_at = self._known.get(check.field)
        if found_at is None:
            if len(self._known) >= _FIELDS_KEPT:
                self._known.clear()
            found_at = self._known[check.field] = self._having(check.field)
        return found_at


def _may_panic(tree: Tree) -> bool:
    if isinstance(tree, Panic):
        return True
    if isinstance(tree, Negated):
        return _may_panic(tree.part)
    return isinstance(tree, Join | Count | Tied) and any(map(_may_panic, tree.parts))
