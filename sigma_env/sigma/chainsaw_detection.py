"""The identifiers of a detection, under switches: what each is written as, and the tree that it becomes."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sigma_env.sigma.chainsaw_fields import Cast, cast_of, unserved_path
from sigma_env.sigma.chainsaw_regex import strips_badly
from sigma_env.sigma.chainsaw_tree import TEXT_CLASSES, Constant, Count, FieldCheck, Join, Negated, Panic, Tied, Tree
from sigma_env.sigma.chainsaw_values import SUPPORTED, Converted, NotLoaded, convert, sigma_test, tests
from sigma_env.sigma.errors import RuleError
from sigma_env.sigma.limits import Limits
from sigma_env.sigma.rule import FieldTest, Regex
from sigma_env.sigma.switches import Switch

_FIELD: Final = re.compile(r"[A-Za-z#][A-Za-z0-9_.#\[\]]*(?: +[A-Za-z0-9_.#\[\]]+)*\Z")
_NEGATED: Final = re.compile(r"not(?: +([^()]+)|\((.+)\))\Z")
_PLACES: Final = frozenset({"contains", "startswith", "endswith", "re", "base64", "base64offset"})


class Line(NamedTuple):
    """A line of a mapping: converted values, or under a switch that is off the specification's test."""

    field: str
    names: tuple[str, ...]
    values: list[Converted]
    is_list: bool
    whole: FieldTest | None = None


class Identifier(NamedTuple):
    """A named part of a detection.

    Attributes:
        name: as the detection has it; for an element of a list, the list's.
        lines: of a mapping.
        repeats: a field stands twice in it.
        elements: names of the parts that a list of mappings was cut into; None for a mapping.
        keywords: of a list of texts, where these are served.
    """

    name: str
    lines: list[Line]
    repeats: bool = False
    elements: tuple[str, ...] | None = None
    keywords: FieldTest | None = None


class Identifiers:
    """All identifiers of a detection, in order.

    Attributes:
        named: by name; elements of lists of mappings stand beside their list.
        own: the names that the detection has itself.
    """

    def __init__(self, detection: Mapping[Any, Any], on: frozenset[Switch], limits: Limits) -> None:
        self.on = on
        self.limits = limits
        self.named: dict[str, Identifier] = {}
        self.own: list[str] = []
        self.elements: set[str] = set()
        self._lines_left = limits.field_tests
        self._values_left = limits.values
        self._names_left = limits.condition_leaves
        if len(detection) > limits.selections:
            raise NotLoaded(f"{len(detection) - 1} selections; at most {limits.selections}")
        for key, body in detection.items():
            if key not in ("condition", "timeframe"):
                self._add(str(key), body)

    def spend(self, names: int) -> None:
        """Counts names that the condition stands for.

        Raises:
            NotLoaded: there are too many.
        """
        self._names_left -= names
        if self._names_left < 0:
            raise NotLoaded(f"the condition names more than {self.limits.condition_leaves} selections")

    def _add(self, name: str, body: Any) -> None:
        self.own.append(name)
        if isinstance(body, Mapping):
            self.named[name] = self._mapping(name, body)
            return
        if isinstance(body, list) and all(isinstance(element, Mapping) for element in body):
            names = []
            for i, element in enumerate(body):
                part = f"{name}_{i}"
                names.append(part)
                self.named.pop(part, None)
                self.named[part] = self._mapping(name, element)
            self.named[name] = Identifier(name, [], elements=tuple(names))
            self.elements.update(names)
            return
        if Switch.KEYWORDS in self.on:
            scalar = not isinstance(body, list)
            raise NotLoaded(
                "identifier blocks must be a mapping or a sequence of mappings"
                if scalar
                else "keyless identifiers cannot be converted"
            )
        self.named[name] = self._served_keywords(name, body)

    def _served_keywords(self, name: str, body: Any) -> Identifier:
        values = body if isinstance(body, list) else [body]
        if any(isinstance(value, list) for value in values):
            raise NotLoaded(f"selection '{name}': a list within a list")
        texts = [value for value in values if not isinstance(value, Mapping)]
        if len(texts) == len(values):
            return Identifier(name, [], keywords=self._keyword_test((), texts))
        names = []
        for i, value in enumerate(values):
            part = f"{name}_{i}"
            names.append(part)
            self.named[part] = (
                self._mapping(name, value)
                if isinstance(value, Mapping)
                else Identifier(name, [], keywords=self._keyword_test((), [value]))
            )
        return Identifier(name, [], elements=tuple(names))

    def _keyword_test(self, names: tuple[str, ...], values: list[Any]) -> FieldTest:
        try:
            return sigma_test(None, names, values, self.limits)
        except RuleError as error:
            raise NotLoaded(str(error)) from None

    def _mapping(self, name: str, body: Mapping[Any, Any]) -> Identifier:
        lines = []
        for key, values in body.items():
            field, *names = str(key).split("|")
            lines.append(self._line(field, tuple(names), values))
        fields = [line.field for line in lines]
        return Identifier(name, lines, len(set(fields)) < len(fields))

    def _line(self, field: str, names: tuple[str, ...], values: Any) -> Line:
        on = self.on
        written = _flat(values) if isinstance(values, list) else [values]
        is_list = isinstance(values, list)
        self._lines_left -= 1
        self._values_left -= len(written)
        if self._lines_left < 0 or self._values_left < 0:
            raise NotLoaded(f"more than {self.limits.field_tests} fields or {self.limits.values} values")
        if not field:
            if Switch.KEYWORDS in on:
                raise NotLoaded("keyless identifiers cannot be converted")
            return Line("", names, [], is_list, self._keyword_test(names, written))
        unsupported = sorted(set(names) - SUPPORTED)
        if unsupported and Switch.FEW_MODIFIERS in on:
            raise NotLoaded(f"unsupported modifiers - {', '.join(unsupported)}")
        if unsupported or (Switch.MODIFIER_SET not in on and len(_PLACES.intersection(names)) > 1):
            try:
                return Line(field, names, [], is_list, sigma_test(field, names, written, self.limits))
            except RuleError as error:
                raise NotLoaded(str(error)) from None
        return Line(field, names, convert(field, names, written, on), is_list)

    def parse(self) -> dict[str, Tree | None]:
        """The tree of every identifier in order, None for lists, which their elements stand for.

        Raises:
            NotLoaded: the first that does not load.
        """
        return {name: self._tree(one) for name, one in self.named.items()}

    def _tree(self, one: Identifier) -> Tree | None:
        if one.keywords is not None:
            return one.keywords
        if one.elements is not None:
            return None
        if not one.lines:
            raise NotLoaded("failed to parse identifier - failed to parse mapping")
        parts = tuple([_from_selection(self._line_tree(line), one.name) for line in one.lines])
        if len(parts) == 1:
            return parts[0]
        return Join("and", parts, grouped=True, kept=one.repeats)

    def _line_tree(self, line: Line) -> Tree:
        if line.whole is not None:
            return line.whole
        field, negated = line.field, False
        if Switch.NAME_CHARACTERS in self.on:
            if found := _NEGATED.match(field):
                field, negated = (found[1] or found[2]).strip(), True
            cast = cast_of(field)
            plain = " ".join((field if cast is None else cast.field).split())
            if not _FIELD.match(plain):
                raise NotLoaded(f"failed to parse identifier - failed to tokenise field '{field}'")
            if cast is not None:
                check_path(plain, self.on)
                tree = self._cast_tree(line, cast._replace(field=plain))
                return Negated(tree) if negated else tree
            field = plain
        elif Switch.FIELD_MAPPING in self.on and cast_of(field) is not None:
            raise NotLoaded(f"field '{field}': a cast is only served with {Switch.NAME_CHARACTERS.label}")
        check_path(field, self.on)
        tree = tests(field, line.names, line.values, line.is_list, self.on, self.limits)
        return Negated(tree) if negated else tree

    def _cast_tree(self, line: Line, cast: Cast) -> Tree:
        """The test of a line whose field is cast, where it is known what the program makes of it.

        A number is compared with the number that a value is read as, a text with the text that it is written as, and
        of texts it is counted how many hold.
        """
        if Switch.FIELD_MAPPING not in self.on:
            raise NotLoaded(f"field '{line.field}': a cast is only served with {Switch.FIELD_MAPPING.label}")
        name = cast.field if cast.function == "of" else f"{cast.function}({cast.field})"
        tree = tests(name, line.names, line.values, line.is_list, self.on, self.limits)
        parts = tree.parts if isinstance(tree, Join) else (tree,)
        checks = [part for part in parts if isinstance(part, FieldCheck) and not part.every]
        if len(checks) == len(parts):
            if cast.function == "int" and all(check.kind == "number" for check in checks):
                return tree
            if cast.function == "str" and all(check.kind in TEXT_CLASSES for check in checks):
                loose = tuple([check._replace(strict=False) for check in checks])
                return tree._replace(parts=loose) if isinstance(tree, Join) else loose[0]
            if cast.function == "of" and line.is_list and len(checks) == 1 and checks[0].kind == "text":
                return Count(cast.least, each_alone(checks[0]))
        raise NotLoaded(f"field '{line.field}': what this cast makes of these values is not served")


def check_path(field: str, on: frozenset[Switch]) -> None:
    """Refuses a path that the store cannot follow, where names are paths.

    Raises:
        NotLoaded: it is one.
    """
    reason = unserved_path(field) if Switch.FIELD_MAPPING in on else None
    if reason is not None:
        raise NotLoaded(f"field '{field}': {reason}")


def each_alone(check: FieldCheck) -> tuple[FieldCheck, ...]:
    """A test for each pattern of a test."""
    return tuple(
        [
            check._replace(patterns=(pattern,), every=False, selections=check.selections[:1])
            for pattern in check.patterns
        ]
    )


def _from_selection(tree: Tree, name: str) -> Tree:
    if isinstance(tree, FieldCheck):
        return tree._replace(selections=(name,))
    if isinstance(tree, Negated):
        return Negated(_from_selection(tree.part, name))
    if isinstance(tree, Join | Count):
        return tree._replace(parts=tuple([_from_selection(part, name) for part in tree.parts]))
    return tree


def _flat(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat += _flat(value) if isinstance(value, list) else [value]
    return flat


def check_stripping(tree: Tree) -> None:
    """Refuses expressions that end the program once the condition reaches them.

    Raises:
        NotLoaded: there is one.
    """
    if isinstance(tree, FieldCheck):
        for pattern in tree.patterns:
            if isinstance(pattern, Regex) and strips_badly(pattern.pattern):
                raise NotLoaded(
                    f"{tree.field}: the expression '{pattern.pattern}' without outer '.*' is none", panics=True
                )
    elif isinstance(tree, Join | Tied | Count):
        for part in tree.parts:
            check_stripping(part)
    elif isinstance(tree, Negated):
        check_stripping(tree.part)
    else:
        assert isinstance(tree, FieldTest | Constant | Panic)
